"""The preset spaces: what they contain, and that their ranges can be replaced."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from search.spaces import PRESETS, Architecture, preset, span

SMALL = ["chamnet-mobile-small", "chamnet-res-small"]


def test_the_mobile_reference_is_mobilenet_v2() -> None:
    space = preset("chamnet-mobile")
    reference = Architecture(space, space.reference)
    assert reference.parameters == 3_504_872
    assert reference.multiply_adds == 300_774_272


def test_the_bottleneck_reference_is_resnet_50() -> None:
    space = preset("chamnet-res")
    reference = Architecture(space, space.reference)
    assert reference.parameters == 25_557_032
    assert reference.multiply_adds == 4_089_184_256


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("resolution", 96, 224),
        ("stem.channels", 8, 48),
        ("stage1.channels", 8, 32),
        ("stage2.channels", 8, 40),
        ("stage3.channels", 8, 48),
        ("stage4.channels", 16, 96),
        ("stage5.channels", 32, 160),
        ("stage6.channels", 56, 256),
        ("stage7.channels", 96, 480),
        ("stage7.expansion", 2, 6),
        ("stage2.repeats", 1, 2),
        ("stage4.repeats", 1, 4),
        ("stage7.repeats", 1, 1),
        ("stage3.kernel", 3, 5),
        ("head.channels", 1024, 2048),
    ],
)
def test_the_mobile_ranges_are_those_of_the_paper(name: str, low: int, high: int) -> None:
    genes = {gene.name: gene for gene in preset("chamnet-mobile").genes}
    assert (genes[name].choices[0], genes[name].choices[-1]) == (low, high)
    assert "stage1.expansion" not in genes


@pytest.mark.parametrize("name", SMALL)
def test_a_small_space_is_large_to_search_and_small_to_measure(name: str) -> None:
    space = preset(name)
    assert space.size > 10**6
    assert len(space.operators()) <= 700
    multiply_adds = space.compile(lambda operator: operator.multiply_adds)
    (least, _), (greatest, _) = multiply_adds.least(), multiply_adds.greatest()
    assert greatest > 15 * least
    assert least < multiply_adds(np.array([space.reference]))[0] < greatest


@pytest.mark.parametrize("name", PRESETS)
def test_classes_and_image_channels_can_be_replaced(name: str) -> None:
    space = preset(name, classes=7, in_channels=4)
    layers = space.lower(space.reference)
    assert layers[0].operator.in_channels == 4
    assert layers[-1].operator.out_channels == 7
    assert len({space.id, preset(name, classes=7).id, preset(name).id}) == 3


def test_ranges_can_be_replaced_and_the_reference_moves_to_the_nearest_choices() -> None:
    ranges: dict[str, Any] = {"stage2.channels": span(12, 20, 4), "stage3.kernel": [7]}
    space = preset("chamnet-mobile", **ranges)
    assert space.values(space.reference)["stage2.channels"] == 20
    assert space.values(space.reference)["stage3.kernel"] == 7
    assert space.id != preset("chamnet-mobile").id


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({"stage2.channels": ()}, "stage2.channels: has no choices; give at least one value"),
        ({"stage2.channels": (24, 16)}, "stage2.channels: 24, 16 must be ascending, each value once"),
        ({"stage2.channels": (16, 16)}, "stage2.channels: 16, 16 must be ascending, each value once"),
        ({"stage2.channels": (0, 16)}, "stage2.channels: 0 is outside 1 to 8192"),
        ({"resolution": (100_000,)}, "resolution: 100000 is outside 1 to 1024"),
        ({"stage2.channels": (16.0,)}, "stage2.channels: 16.0 is not a whole number"),
        ({"stage2.channels": ("16",)}, "stage2.channels: '16' is not a whole number"),
        ({"stage2.kernel": (3, 4)}, "stage2.kernel: 4 is even; choose odd values such as 3, 5 or 7"),
        ({"stage8.kernel": (3,)}, "stage8.kernel: the space has no such gene; its genes are resolution"),
        ({"stage6.channels": span(1, 8000)}, r"stage6: its choices combine to [\d,]+ table entries"),
    ],
)
def test_impossible_ranges_are_refused_by_the_name_of_the_gene(ranges: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        preset("chamnet-mobile", **ranges)


def test_bottleneck_channels_must_split_into_eighths() -> None:
    ranges: dict[str, Any] = {"stage1.channels": (16, 20)}
    with pytest.raises(ValueError, match=r"stage1.channels: 20 is not a multiple of 8.* example 24"):
        preset("chamnet-res", **ranges)


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match='"resnet" is no preset space; choose one of chamnet-mobile, '):
        preset("resnet")


def test_every_gene_has_a_label_for_people() -> None:
    labels = {gene.name: gene.label for name in PRESETS for gene in preset(name).genes}
    assert labels["resolution"] == "input resolution (pixels)"
    assert labels["stage2.expansion"] == "stage 2: expansion ratio (times the input channels)"
    assert labels["head.channels"] == "head: output channels"
    assert len(set(labels.values())) == len(labels)
