"""Networks that span a space's costs."""

from __future__ import annotations

import numpy as np

from search.spaces.space import SearchSpace


def spanning_networks(space: SearchSpace, count: int, seed: int = 0) -> list[tuple[int, ...]]:
    """Networks whose multiply-adds are spread evenly, on a log scale, over a random part of the space."""
    multiply_adds = space.compile(lambda operator: float(operator.multiply_adds))
    pool = space.sample(np.random.default_rng([seed, 0]), 64 * count)
    order = np.argsort(np.log(multiply_adds(pool)), kind="stable")
    ranks = np.linspace(0, len(pool) - 1, count).round().astype(int)
    chosen = dict.fromkeys(tuple(int(gene) for gene in pool[order[rank]]) for rank in ranks)
    return list(chosen)
