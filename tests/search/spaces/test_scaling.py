"""Uniform scaling: the networks people compare with."""

from __future__ import annotations

import pytest

from search.spaces import preset
from search.spaces.scaling import scaled, scaled_networks, widest

# Parameters (millions, with the classifier) and multiply-adds (millions) of MobileNetV2 at 224 pixels as its
# authors publish them beside their checkpoints: github.com/tensorflow/models, slim/nets/mobilenet.
PUBLISHED = {
    0.35: (1.66, 59),
    0.5: (1.95, 97),
    0.75: (2.61, 209),
    1.0: (3.47, 300),
    1.3: (5.34, 509),
    1.4: (6.06, 582),
}


@pytest.mark.parametrize("width", PUBLISHED)
def test_scaled_mobilenets_are_the_published_ones(width: float) -> None:
    network = scaled(preset("chamnet-mobile"), width, 1.0, 224).architecture
    parameters, multiply_adds = PUBLISHED[width]
    assert network.multiply_adds / 1e6 == pytest.approx(multiply_adds, rel=0.01)
    assert network.parameters / 1e6 == pytest.approx(parameters, rel=0.015)


def test_the_reference_itself_is_among_them() -> None:
    for name in ("chamnet-mobile", "chamnet-res"):
        space = preset(name)
        same = scaled(space, 1.0, 1.0, 224).architecture
        assert same.layers == space.lower(space.reference)


def test_each_network_comes_once_under_the_factors_nearest_to_the_reference() -> None:
    space = preset("chamnet-mobile-small")
    networks = scaled_networks(space)
    ids = [network.architecture.id for network in networks]
    assert len(set(ids)) == len(ids)
    reference = space.lower(space.reference)
    (same,) = (network for network in networks if network.architecture.layers == reference)
    assert (same.width, same.depth, same.resolution) == (1.0, 1.0, 16)


def test_depth_repeats_blocks_and_leaves_stages_of_one() -> None:
    space = preset("chamnet-res")
    values = scaled(space, 1.0, 2.0, 224).architecture.values
    assert [values[f"stage{stage}.repeats"] for stage in (1, 2, 3, 4)] == [6, 8, 12, 6]
    halved = scaled(space, 1.0, 0.5, 224).architecture.values
    assert [halved[f"stage{stage}.repeats"] for stage in (1, 2, 3, 4)] == [2, 2, 3, 2]


def test_the_widest_that_keeps_a_limit_is_taken_per_resolution() -> None:
    networks = [
        (one, float(one.architecture.multiply_adds))
        for one in scaled_networks(preset("chamnet-mobile-small"))
    ]
    limit = sorted(cost for _, cost in networks)[len(networks) // 2]
    costs = {one.architecture.id: cost for one, cost in networks}
    for chosen in widest(networks, limit):
        wider = [
            cost for one, cost in networks if one.resolution == chosen.resolution and one.width > chosen.width
        ]
        assert costs[chosen.architecture.id] <= limit
        assert all(cost > limit for cost in wider)


@pytest.mark.parametrize(("width", "depth"), [(0.0, 1.0), (1.0, -1.0), (float("nan"), 1.0)])
def test_factors_that_make_no_network_are_refused(width: float, depth: float) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        scaled(preset("chamnet-mobile-small"), width, depth, 16)
