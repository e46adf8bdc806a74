from __future__ import annotations

import numpy as np
import pytest

from search.spaces import preset, spanning_networks


@pytest.mark.parametrize("name", ["chamnet-mobile-small", "chamnet-res-small"])
def test_networks_span_the_costs_evenly_and_are_distinct(name: str) -> None:
    space = preset(name, classes=10, in_channels=1)
    networks = spanning_networks(space, 10)
    assert len(set(networks)) == 10
    multiply_adds = space.compile(lambda operator: float(operator.multiply_adds))
    chosen = np.log(multiply_adds(np.array(networks)))
    assert np.array_equal(np.sort(chosen), chosen)
    drawn = np.log(multiply_adds(space.sample(np.random.default_rng(9), 500)))
    low, high = np.quantile(drawn, [0.02, 0.98])
    assert chosen[0] <= low
    assert chosen[-1] >= high
    assert spanning_networks(space, 10) == networks
