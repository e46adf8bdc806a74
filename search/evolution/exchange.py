"""Exchanges: two genes changed at once, chosen by what each change does alone.

At a limit single changes end early: what would gain accuracy costs too much, unless another gene gives way.
Trying all pairs is expensive, but their effects nearly add up, so the single changes tell which pairs are
worth scoring.
"""

from __future__ import annotations

import numpy as np

from search.evolution.arrays import FloatArray, IntArray

SLACK = 0.005
"""Share by which estimated costs may exceed a limit: the effects of two changes do not quite add up."""


def promising_exchanges(
    current: IntArray, changes: IntArray, gains: FloatArray, room: FloatArray, count: int
) -> IntArray:
    """At most `count` individuals (m, genes) that make two of the single-gene changes, most promising first.

    current (genes,); changes (n, genes), its neighbours; gains (n,): objective each change adds;
    room (n + 1, limits): relative room under each limit, of every change and last of `current`. A pair is
    promising when the sum of its gains is above 0 and its estimated costs keep every limit. Not canonical.
    """
    first, second = np.triu_indices(len(changes), 1)
    gene = (changes != current).argmax(axis=1)
    used = room[-1] - room[:-1]
    gain = gains[first] + gains[second]
    hopeful = (gain > 0.0) & (gene[first] != gene[second])
    first, second, gain = first[hopeful], second[hopeful], gain[hopeful]
    kept = (used[first] + used[second] <= room[-1] + SLACK).all(axis=1)
    order = np.argsort(-gain[kept], kind="stable")[:count]
    first, second = first[kept][order], second[kept][order]
    return np.asarray(np.where(changes[first] != current, changes[first], changes[second]))
