"""Uniform scaling of a space's reference network, which adaptation has to beat.

Width multiplies every number of channels, as in MobileNet (Howard et al., arXiv 1704.04861, section 3.3);
the last convolution of inverted residuals is not made narrower than the reference's (Sandler et al., arXiv
1801.04381, section 6.1). Depth multiplies the blocks of every stage, as in EfficientNet (Tan and Le, arXiv
1905.11946, section 3). Every scaled network is a space of one, so that all that is known of architectures
holds for it too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from search.spaces.architecture import Architecture
from search.spaces.space import FAMILIES, SearchSpace

WIDTHS = tuple(round(0.05 * step, 2) for step in range(4, 41))
"""0.2 to 2, in steps of a twentieth."""
DEPTHS = {"inverted-residual": (1.0,), "bottleneck": (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)}
"""MobileNets are scaled in width and resolution, ResNets in depth as well."""
CHANNEL_STEP = 8


@dataclass(frozen=True)
class Scaled:
    """The reference network `width` times as wide and `depth` times as deep, at `resolution` pixels."""

    width: float
    depth: float
    resolution: int
    architecture: Architecture

    @property
    def label(self) -> str:
        """How people name it: "0.75 wide, 16 px"."""
        deep = "" if self.depth == 1 else f", {self.depth:g} deep"
        return f"{self.width:g} wide{deep}, {self.resolution} px"


def scaled(space: SearchSpace, width: float, depth: float, resolution: int) -> Scaled:
    """The space's reference network, scaled. Raises ValueError for factors that make no network."""
    if not (width > 0 and depth > 0):
        raise ValueError(f"A network {width:g} times as wide and {depth:g} times as deep cannot be.")
    reference = space.values(space.reference)
    step = max(CHANNEL_STEP, FAMILIES[space.family].channel_step)
    values = {name: _scaled(name, value, width, depth, resolution, step) for name, value in reference.items()}
    one = SearchSpace.of(
        space.family,
        name=f"{space.name}, scaled",
        choices={name: (value,) for name, value in values.items()},
        classes=space.classes,
        in_channels=space.in_channels,
        layout=space.layout,
        reference=values,
    )
    return Scaled(width, depth, resolution, Architecture(one, (0,) * len(one.genes)))


def scaled_networks(
    space: SearchSpace, *, widths: Sequence[float] = WIDTHS, depths: Sequence[float] | None = None
) -> list[Scaled]:
    """Every distinct scaled network at the resolutions of the space, narrow ones first."""
    chosen = DEPTHS[space.family] if depths is None else depths
    found: dict[str, Scaled] = {}
    for width, depth, size in product(widths, chosen, _resolutions(space)):
        network = scaled(space, width, depth, size)
        # Rounding makes neighbouring factors one network: it goes by the factor nearest to the reference.
        known = found.get(network.architecture.id)
        if known is None or _distance(network) < _distance(known):
            found[network.architecture.id] = network
    return list(found.values())


def most_baselines(space: SearchSpace, limits: int) -> int:
    """How many scaled networks `widest` may give for so many limits: one a depth and resolution."""
    return limits * len(DEPTHS[space.family]) * len(_resolutions(space))


def _resolutions(space: SearchSpace) -> tuple[int, ...]:
    (resolution,) = (gene for gene in space.genes if gene.name == "resolution")
    return resolution.choices


def widest(networks: Sequence[tuple[Scaled, float]], limit: float) -> Iterator[Scaled]:
    """Per resolution and depth the widest network whose cost, beside it, keeps the limit."""
    best: dict[tuple[float, int], tuple[float, Scaled]] = {}
    for network, cost in networks:
        place = (network.depth, network.resolution)
        if cost <= limit and (place not in best or network.width > best[place][0]):
            best[place] = (network.width, network)
    for _, network in best.values():
        yield network


def _distance(network: Scaled) -> float:
    return abs(math.log(network.width)) + abs(math.log(network.depth))


def _scaled(name: str, value: int, width: float, depth: float, resolution: int, step: int) -> int:
    if name == "resolution":
        return resolution
    if name == "head.channels":
        return max(value, _rounded(value * width, step))
    if name.endswith("channels"):
        return _rounded(value * width, step)
    if name.endswith("repeats"):
        return value if value == 1 and depth < 1 else max(1, math.ceil(value * depth - 1e-9))
    return value


def _rounded(channels: float, step: int) -> int:
    """The nearest multiple of `step`, but no more than a tenth below."""
    nearest = max(step, int(channels + step / 2) // step * step)
    return nearest + step if nearest < 0.9 * channels else nearest
