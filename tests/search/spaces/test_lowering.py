"""Architectures lower to networks whose layers fit together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from search.spaces import SearchSpace, preset
from tests.search.spaces.examples import SPACES, TINY, everything, individuals


@given(individuals())
def test_every_layer_reads_what_the_layers_before_it_write(
    drawn: tuple[SearchSpace, tuple[int, ...]],
) -> None:
    space, genes = drawn
    resolution = space.values(genes)["resolution"]
    layers = space.lower(genes)
    for index, layer in enumerate(layers):
        operator = layer.operator
        assert len(layer.inputs) == (2 if operator.kind == "add" else 1)
        for source in layer.inputs:
            assert -1 <= source < index
            if source == -1:
                written = (space.in_channels, resolution)
            else:
                written = (layers[source].operator.out_channels, layers[source].operator.out_size)
            assert written == (operator.in_channels, operator.size)


@given(individuals())
def test_every_layer_but_the_classifier_is_read(drawn: tuple[SearchSpace, tuple[int, ...]]) -> None:
    space, genes = drawn
    layers = space.lower(genes)
    read = {source for layer in layers for source in layer.inputs}
    assert read == set(range(-1, len(layers) - 1))
    assert layers[-1].name == "classifier"
    assert layers[-1].operator.out_channels == space.classes


@given(individuals())
def test_layer_names_are_distinct(drawn: tuple[SearchSpace, tuple[int, ...]]) -> None:
    space, genes = drawn
    names = [layer.name for layer in space.lower(genes)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("space", TINY.values(), ids=TINY.keys())
def test_networks_are_equal_exactly_when_their_canonical_genes_are(space: SearchSpace) -> None:
    population = everything(space)
    networks: dict[object, tuple[int, ...]] = {}
    for genes, canonical in zip(population.tolist(), space.canonical(population).tolist(), strict=True):
        assert networks.setdefault(space.lower(genes), tuple(canonical)) == tuple(canonical)
    assert len(networks) == len(set(networks.values()))


def test_a_stage_repeats_its_block_and_adds_where_the_shape_stays() -> None:
    names = [layer.name for layer in SPACES["chamnet-mobile"].lower(SPACES["chamnet-mobile"].reference)]
    assert names[:7] == [
        "stem",
        "stage1.block1.depthwise",
        "stage1.block1.project",
        "stage2.block1.expand",
        "stage2.block1.depthwise",
        "stage2.block1.project",
        "stage2.block2.expand",
    ]
    adds = [name for name in names if name.endswith(".add")]
    assert len(adds) == 10
    assert names[-3:] == ["head", "pool", "classifier"]


def test_a_first_block_of_unchanged_shape_keeps_its_input_as_the_shortcut() -> None:
    ranges: dict[str, Any] = {"stem.channels": (16,), "stage1.channels": (16,)}
    space = preset("chamnet-res-small", **ranges)
    layers = space.lower(space.reference)
    first = {layer.name: layer for layer in layers if layer.name.startswith("stage1.block1.")}
    assert "stage1.block1.projection" not in first
    assert layers[first["stage1.block1.add"].inputs[1]].name == "stem"
    assert first["stage1.block1.add"].operator.activation == "relu"


def test_a_strided_bottleneck_strides_in_its_window_and_in_its_projection() -> None:
    space = SPACES["chamnet-res"]
    operators = {layer.name: layer.operator for layer in space.lower(space.reference)}
    strides = {
        name: operators[f"stage2.block1.{name}"].stride for name in ("reduce", "conv", "expand", "projection")
    }
    assert strides == {"reduce": 1, "conv": 2, "expand": 1, "projection": 2}
