"""The spaces to start from, each with its reference architecture; every range can be replaced.

chamnet-mobile has the ranges of stages 1 to 7 of ChamNet-Mobile (Dai et al., ChamNet, CVPR 2019, arXiv
1812.08934) around MobileNetV2 1.0 (Sandler et al., arXiv 1801.04381, table 2). Its stem, head, resolution and
kernel sizes, the steps between choices, and every range of the other presets are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from search.spaces.blueprint import Layout
from search.spaces.space import SearchSpace

T = TypeVar("T")


@dataclass(frozen=True)
class Preset:
    """A named space whose ranges, classes and image channels can be replaced when it is made."""

    name: str
    summary: str
    family: str
    layout: Layout
    choices: Mapping[str, Sequence[int]]
    reference: Mapping[str, int]
    classes: int
    in_channels: int

    def __call__(
        self, *, classes: int | None = None, in_channels: int | None = None, **ranges: Sequence[int]
    ) -> SearchSpace:
        """The space; ``ranges`` replace the choices of genes by name: ``**{"stage2.channels": (16, 24)}``.

        Raises ValueError, naming the gene and saying what to do, for ranges that cannot be.
        """
        return SearchSpace.of(
            self.family,
            name=self.name,
            choices={**self.choices, **ranges},
            classes=self.classes if classes is None else classes,
            in_channels=self.in_channels if in_channels is None else in_channels,
            layout=self.layout,
            reference=self.reference,
        )


def span(low: int, high: int, step: int = 1) -> tuple[int, ...]:
    """The choices low, low + step, ... up to and including high."""
    return tuple(range(low, high + 1, step))


def _by_stage(**traits: Sequence[T | None]) -> dict[str, T]:
    """Per trait one entry per stage, None for a stage without it, as {"stage1.channels": ..., ...}."""
    return {
        f"stage{number}.{trait}": entry
        for trait, entries in traits.items()
        for number, entry in enumerate(entries, start=1)
        if entry is not None
    }


_MOBILE = Preset(
    name="chamnet-mobile",
    summary="Inverted residuals for 96 to 224 pixels, around MobileNetV2",
    family="inverted-residual",
    layout=Layout(strides=(1, 2, 2, 2, 1, 2, 1), stem_kernel=3, stem_stride=2),
    choices={
        "resolution": span(96, 224, 32),
        "stem.channels": span(8, 48, 8),
        **_by_stage(
            expansion=[None, *[span(2, 6)] * 6],
            channels=[
                span(8, 32, 8),
                span(8, 40, 8),
                span(8, 48, 8),
                span(16, 96, 8),
                span(32, 160, 8),
                span(56, 256, 8),
                span(96, 480, 8),
            ],
            repeats=[(1,), span(1, 2), span(1, 3), span(1, 4), span(1, 3), span(1, 3), (1,)],
            kernel=[(3, 5)] * 7,
        ),
        "head.channels": span(1024, 2048, 64),
    },
    reference={
        "resolution": 224,
        "stem.channels": 32,
        **_by_stage(
            expansion=[None, 6, 6, 6, 6, 6, 6],
            channels=[16, 24, 32, 64, 96, 160, 320],
            repeats=[1, 2, 3, 4, 3, 3, 1],
            kernel=[3] * 7,
        ),
        "head.channels": 1280,
    },
    classes=1000,
    in_channels=3,
)

_MOBILE_SMALL = Preset(
    name="chamnet-mobile-small",
    summary="Inverted residuals for images of 8 to 32 pixels, with few enough operators to measure them all",
    family="inverted-residual",
    layout=Layout(strides=(1, 2, 2, 1), stem_kernel=3, stem_stride=1),
    choices={
        # Halving 24 and 16 gives sizes that 12 and 8 have too, so resolutions share operators.
        "resolution": (8, 12, 16, 24),
        "stem.channels": (8, 16),
        **_by_stage(
            expansion=[None, (2, 4, 6), (2, 4, 6), (2, 4, 6)],
            channels=[(8, 16), (8, 16, 24), (16, 32, 48), (32, 64, 96)],
            repeats=[(1,), (1, 2), (1, 2, 3), (1, 2, 3)],
            kernel=[(3, 5)] * 4,
        ),
        "head.channels": (64, 128, 256),
    },
    reference={
        "resolution": 16,
        "stem.channels": 16,
        **_by_stage(
            expansion=[None, 6, 6, 6],
            channels=[16, 16, 32, 64],
            repeats=[1, 2, 2, 2],
            kernel=[3] * 4,
        ),
        "head.channels": 256,
    },
    classes=10,
    in_channels=1,
)

_RES = Preset(
    name="chamnet-res",
    summary="Bottlenecks for 128 to 256 pixels, around ResNet-50; the ranges are ours",
    family="bottleneck",
    layout=Layout(strides=(1, 2, 2, 2), stem_kernel=7, stem_stride=2, stem_pool=True),
    choices={
        "resolution": span(128, 256, 32),
        "stem.channels": span(16, 96, 16),
        **_by_stage(
            channels=[span(64, 384, 32), span(128, 768, 64), span(256, 1536, 128), span(512, 3072, 256)],
            repeats=[span(1, 4), span(1, 8), (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 23), span(1, 4)],
            first_ratio=[span(1, 4)] * 4,
            ratio=[span(1, 4)] * 4,
        ),
    },
    reference={
        "resolution": 224,
        "stem.channels": 64,
        **_by_stage(
            channels=[256, 512, 1024, 2048], repeats=[3, 4, 6, 3], first_ratio=[2] * 4, ratio=[2] * 4
        ),
    },
    classes=1000,
    in_channels=3,
)

_RES_SMALL = Preset(
    name="chamnet-res-small",
    summary="Bottlenecks for images of 8 to 32 pixels, with few enough operators to measure them all",
    family="bottleneck",
    layout=Layout(strides=(1, 2, 2), stem_kernel=3, stem_stride=1),
    choices={
        "resolution": (8, 12, 16, 24),
        "stem.channels": (8, 16, 24),
        **_by_stage(
            channels=[(16, 32, 48), (32, 64, 96), (64, 128, 192)],
            repeats=[span(1, 4)] * 3,
            first_ratio=[(2, 4)] * 3,
            ratio=[(2, 4)] * 3,
        ),
    },
    reference={
        "resolution": 16,
        "stem.channels": 16,
        **_by_stage(channels=[32, 64, 128], repeats=[2, 2, 2], first_ratio=[2] * 3, ratio=[2] * 3),
    },
    classes=10,
    in_channels=1,
)

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {preset.name: preset for preset in (_MOBILE, _MOBILE_SMALL, _RES, _RES_SMALL)}
)


def preset(
    name: str, *, classes: int | None = None, in_channels: int | None = None, **ranges: Sequence[int]
) -> SearchSpace:
    """The preset space of this name, its classes, image channels and ranges replaced where given.

    Raises ValueError for an unknown name, and as ``Preset`` does for ranges.
    """
    if name not in PRESETS:
        raise ValueError(f'"{name}" is no preset space; choose one of {", ".join(PRESETS)}')
    return PRESETS[name](classes=classes, in_channels=in_channels, **ranges)
