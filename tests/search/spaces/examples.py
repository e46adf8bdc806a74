"""Spaces and individuals for the tests of this room."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import strategies as st

from search.spaces import PRESETS, IntArray, Layout, SearchSpace, preset

TINY_MOBILE = SearchSpace.of(
    "inverted-residual",
    name="tiny-mobile",
    choices={
        "resolution": (9, 16),
        "stem.channels": (4, 8),
        "stage1.channels": (4, 8),
        "stage1.repeats": (1, 2),
        "stage1.kernel": (3,),
        "stage2.expansion": (1, 3),
        "stage2.channels": (8, 12),
        "stage2.repeats": (1, 3),
        "stage2.kernel": (3, 5, 7),
        "head.channels": (16, 24),
    },
    classes=3,
    in_channels=2,
    layout=Layout(strides=(1, 2), stem_stride=2),
    reference={
        "resolution": 16,
        "stem.channels": 8,
        "stage1.channels": 8,
        "stage1.repeats": 1,
        "stage1.kernel": 3,
        "stage2.expansion": 3,
        "stage2.channels": 8,
        "stage2.repeats": 3,
        "stage2.kernel": 3,
        "head.channels": 16,
    },
)

TINY_RES = SearchSpace.of(
    "bottleneck",
    name="tiny-res",
    choices={
        "resolution": (8, 17),
        "stem.channels": (8, 16),
        "stage1.channels": (8, 16),
        "stage1.repeats": (1, 2, 3),
        "stage1.first_ratio": (2, 4),
        "stage1.ratio": (1, 4),
        "stage2.channels": (16,),
        "stage2.repeats": (1, 2),
        "stage2.first_ratio": (4,),
        "stage2.ratio": (2, 4, 8),
    },
    classes=4,
    in_channels=1,
    layout=Layout(strides=(1, 2), stem_stride=1, stem_pool=True),
    reference={
        "resolution": 17,
        "stem.channels": 16,
        "stage1.channels": 16,
        "stage1.repeats": 2,
        "stage1.first_ratio": 2,
        "stage1.ratio": 4,
        "stage2.channels": 16,
        "stage2.repeats": 2,
        "stage2.first_ratio": 4,
        "stage2.ratio": 2,
    },
)

TINY = {space.name: space for space in (TINY_MOBILE, TINY_RES)}
SPACES = {name: preset(name) for name in PRESETS} | TINY

spaces = st.sampled_from(list(SPACES.values()))


def everything(space: SearchSpace) -> IntArray:
    """(size, g): every combination of genes of a small space, inert genes included."""
    return np.array(list(itertools.product(*(range(length) for length in space.shape))), dtype=np.int64)


@st.composite
def individuals(draw: st.DrawFn) -> tuple[SearchSpace, tuple[int, ...]]:
    """A space, and genes of one individual that need not be canonical."""
    space = draw(spaces)
    return space, draw(st.tuples(*(st.integers(0, length - 1) for length in space.shape)))
