"""Genes, values, neighbours and identity."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.spaces import Architecture, Layout, SearchSpace
from tests.search.spaces.examples import SPACES, TINY, individuals, spaces


@given(spaces, st.integers(0, 2**32 - 1))
def test_samples_are_canonical_and_repeatable(space: SearchSpace, seed: int) -> None:
    sample = space.sample(np.random.default_rng(seed), 20)
    assert sample.shape == (20, len(space.genes))
    assert (sample == space.canonical(sample)).all()
    assert (sample == space.sample(np.random.default_rng(seed), 20)).all()
    for genes in sample.tolist():
        space.validate(genes)


def test_samples_reach_every_choice() -> None:
    space = SPACES["chamnet-mobile"]
    sample = space.sample(np.random.default_rng(3), 2000)
    for gene, column in zip(space.genes, sample.T, strict=True):
        assert set(column.tolist()) == set(range(len(gene.choices))), gene.name


@given(individuals())
def test_canonical_is_idempotent_and_leaves_its_argument_alone(
    drawn: tuple[SearchSpace, tuple[int, ...]],
) -> None:
    space, genes = drawn
    population = np.array([genes])
    once = space.canonical(population)
    assert population.tolist() == [list(genes)]
    assert (space.canonical(once) == once).all()


def test_a_stage_of_one_block_has_no_ratio_for_its_other_blocks() -> None:
    space = SPACES["tiny-res"]
    values = space.values(space.reference) | {"stage1.repeats": 1, "stage1.ratio": 4}
    assert Architecture(space, space.encode(values)).values["stage1.ratio"] == 1
    assert Architecture(space, space.encode(values)) == Architecture(
        space, space.encode(values | {"stage1.ratio": 1})
    )


@given(individuals())
def test_values_encode_back_to_the_genes(drawn: tuple[SearchSpace, tuple[int, ...]]) -> None:
    space, genes = drawn
    values = space.values(genes)
    assert space.encode(values) == genes
    assert list(values) == [gene.name for gene in space.genes]


@given(individuals())
def test_a_neighbour_differs_by_the_change_of_one_gene(drawn: tuple[SearchSpace, tuple[int, ...]]) -> None:
    space, genes = drawn
    start = space.canonical(np.array([genes]))[0]
    neighbours = space.neighbours(genes)
    assert len(np.unique(neighbours, axis=0)) == len(neighbours)
    assert (neighbours == space.canonical(neighbours)).all()
    for neighbour in neighbours:
        changed = np.flatnonzero(neighbour != start)
        one_gene_away = [start.copy() for _ in changed]
        for candidate, gene in zip(one_gene_away, changed, strict=True):
            candidate[gene] = neighbour[gene]
        assert any((space.canonical(c[None, :])[0] == neighbour).all() for c in one_gene_away)


def test_every_change_of_a_gene_that_matters_is_a_neighbour() -> None:
    for name in ("chamnet-mobile", "tiny-res"):
        space = SPACES[name]
        assert len(space.neighbours(space.reference)) == sum(length - 1 for length in space.shape)


@pytest.mark.parametrize(
    ("genes", "message"),
    [
        ((0,) * 9, "expected 10 genes, one per hyperparameter; got 9"),
        ((0, 2, *(0,) * 8), r"stem.channels: index 2 is outside 0 to 1 \(the choices are 4, 8\)"),
        ((-1, *(0,) * 9), "resolution: index -1 is outside 0 to 1"),
        ((0.0, *(0,) * 9), "resolution: index 0.0 is not a whole number"),
        ((True, *(0,) * 9), "resolution: index True is not a whole number"),
    ],
)
def test_wrong_genes_are_refused_by_name(genes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SPACES["tiny-mobile"].validate(genes)


def test_wrong_values_are_refused_by_name() -> None:
    space = SPACES["tiny-mobile"]
    values = space.values(space.reference)
    with pytest.raises(ValueError, match=r"stage2.kernel: 4 is not a choice; choose one of 3, 5, 7"):
        space.encode(values | {"stage2.kernel": 4})
    with pytest.raises(
        ValueError, match=r"stage9.kernel: the space has no such gene; its genes are resolution"
    ):
        space.encode(values | {"stage9.kernel": 3})
    del values["head.channels"]
    with pytest.raises(ValueError, match=r"head.channels: missing"):
        space.encode(values)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES.keys())
def test_a_space_survives_json_whatever_the_order_of_the_keys(space: SearchSpace) -> None:
    stored = json.loads(json.dumps(space.to_json()))
    shuffled = list(stored["genes"].items())
    random.Random(1).shuffle(shuffled)
    again = SearchSpace.from_json(stored | {"genes": dict(shuffled)})
    assert again == space
    assert again.id == space.id


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"genes": None}, "this is no stored search space"),
        ({"layout": {"strides": [1, 2], "stem": 3}}, "this is no stored search space"),
        ({"layout": {"strides": [1, 9]}}, "strides: 9 is not a stride"),
        ({"layout": {"strides": []}}, "1 to 12 stages, not 0"),
        ({"layout": {"strides": [1, 2], "stem_kernel": 4}}, "stem_kernel: 4 is not an odd number"),
        ({"layout": {"strides": [1]}}, "stage2.expansion: the space has no such gene"),
        (
            {"family": "transformer"},
            'family: "transformer" is unknown; known are inverted-residual, bottleneck',
        ),
        ({"classes": 1}, "classes: 1 is not a whole number from 2"),
        ({"classes": "10"}, "classes: '10' is not a whole number from 2"),
        ({"in_channels": 0}, "in_channels: 0 is not a whole number from 1"),
    ],
)
def test_a_wrong_stored_space_is_refused_with_the_reason(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SearchSpace.from_json(TINY["tiny-mobile"].to_json() | change)


def test_a_stored_space_with_a_field_missing_is_refused() -> None:
    stored = TINY["tiny-mobile"].to_json()
    del stored["classes"]
    with pytest.raises(ValueError, match="the field 'classes' is missing"):
        SearchSpace.from_json(stored)


def test_genes_out_of_order_are_refused() -> None:
    space = TINY["tiny-mobile"]
    with pytest.raises(ValueError, match="genes: must be in the order resolution, "):
        SearchSpace(
            space.family, space.name, space.genes[::-1], 3, 2, Layout(strides=(1, 2)), space.reference[::-1]
        )


def test_the_longest_network_that_a_layout_allows_can_be_searched() -> None:
    base = SPACES["chamnet-mobile-small"]
    names = ["resolution", "stem.channels", "head.channels"]
    names += [f"stage{n}.{t}" for n in range(1, 13) for t in ("expansion", "channels", "repeats", "kernel")]
    names.remove("stage1.expansion")
    choices = {"resolution": (8, 16), "kernel": (3, 5), "expansion": (2, 4), "repeats": (1, 2)}
    space = SearchSpace.of(
        base.family,
        name="long",
        choices={name: choices.get(name.rpartition(".")[2], (8, 16)) for name in names},
        classes=10,
        in_channels=1,
        layout=Layout(strides=(1,) * 12),
        reference=dict.fromkeys(names, 1),
    )
    compiled = space.compile(lambda operator: operator.multiply_adds)
    assert compiled(np.array([space.reference]))[0] == Architecture(space, space.reference).multiply_adds
    assert compiled.least() == (Architecture(space, space.reference).multiply_adds, space.reference)


def test_the_identity_of_a_space_is_its_content() -> None:
    space = SPACES["chamnet-mobile-small"]
    stored = space.to_json()
    renamed = SearchSpace.from_json(stored | {"name": "other"})
    assert renamed.id == space.id
    for change in ({"classes": 11}, {"in_channels": 3}, {"layout": {"strides": [1, 2, 1, 1]}}):
        assert SearchSpace.from_json(stored | change).id != space.id


def test_identities_stay_the_same_from_release_to_release() -> None:
    space = SPACES["tiny-mobile"]
    assert space.id == "6a11cade51bd505a"
    assert Architecture(space, space.reference).id == "065f5651550020ff"


def test_equal_networks_have_one_identity() -> None:
    space = SPACES["tiny-res"]
    values = space.values(space.reference) | {"stage2.repeats": 1}
    ids = {Architecture(space, space.encode(values | {"stage2.ratio": ratio})).id for ratio in (2, 4, 8)}
    assert len(ids) == 1
