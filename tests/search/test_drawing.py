"""Networks as blocks to draw."""

from __future__ import annotations

import numpy as np
import pytest

from search.services.drawing import blocks
from search.spaces import preset


@pytest.mark.parametrize("name", ["chamnet-mobile-small", "chamnet-res-small", "chamnet-mobile"])
def test_blocks_agree_with_the_layers_and_share_the_latency(name: str) -> None:
    space = preset(name)
    for genes in (space.reference, *space.sample(np.random.default_rng(0), 3).tolist()):
        layers = space.lower(genes)
        found = blocks(layers, lambda operator: 1.0 + operator.multiply_adds)
        assert sum(count for _, _, _, count, _ in found) == len(layers)
        assert sum(share for *_, share in found) == pytest.approx(1.0, abs=0.01)
        assert found[0][0] == "stem"
        assert found[-1][1] == space.classes
        repeats = sum(value for gene, value in space.values(genes).items() if gene.endswith(".repeats"))
        assert sum(".block" in block for block, *_ in found) == repeats


def test_unknown_latencies_give_no_share() -> None:
    layers = preset("chamnet-mobile-small").lower(preset("chamnet-mobile-small").reference)
    assert {share for *_, share in blocks(layers, lambda operator: float("nan"))} == {0.0}
