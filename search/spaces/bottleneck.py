"""Bottlenecks: wide, reduced by a 1x1 convolution, filtered by a 3x3 convolution, expanded back, added.

Source: He et al., Deep Residual Learning for Image Recognition, CVPR 2016 (arXiv 1512.03385), section 4.1 and
table 1, with the stride in the 3x3 convolution, as torchvision's ResNet v1.5 has it. ChamNet adapts ResNet's
bottlenecks too, but its ranges are not in the paper: the hyperparameters and their ranges here are ours.

A bottleneck's width is given in eighths of the stage's output channels (ResNet: 2 eighths): one ratio for
the first block of a stage, which also changes channels and size, and one for the others, inert in a stage
of one block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from search.spaces.blueprint import Block, Family, Ints, Layout, Section, Step, strided


def _gene_names(stages: int) -> tuple[str, ...]:
    traits = ("channels", "repeats", "first_ratio", "ratio")
    of_stages = (f"stage{stage}.{trait}" for stage in range(1, stages + 1) for trait in traits)
    return ("resolution", "stem.channels", *of_stages)


def _network(layout: Layout, values: Mapping[str, Ints], in_channels: int, classes: int) -> Iterator[Section]:
    size, channels = values["resolution"], values["stem.channels"]
    stem = [Step("stem", "conv", in_channels, channels, size, layout.stem_kernel, layout.stem_stride, "relu")]
    size = strided(size, layout.stem_stride)
    if layout.stem_pool:
        stem.append(Step("maxpool", "maxpool", channels, channels, size, kernel=3, stride=2))
        size = strided(size, 2)
    yield Section((Block(tuple(stem)),))

    for number, stride in enumerate(layout.strides, start=1):
        stage = f"stage{number}"
        out = values[f"{stage}.channels"]
        first = _bottleneck(size, channels, out, values[f"{stage}.first_ratio"], stride)
        size, channels = strided(size, stride), out
        rest = _bottleneck(size, channels, out, values[f"{stage}.ratio"], stride=1)
        yield Section((Block(first), Block(rest, values[f"{stage}.repeats"] - 1, first=2)), stage)

    last = (
        Step("pool", "avgpool", channels, channels, size),
        Step("classifier", "linear", channels, classes, 1),
    )
    yield Section((Block(last),))


def _bottleneck(size: Ints, channels: Ints, out: Ints, eighths: Ints, stride: int) -> tuple[Step, ...]:
    width, out_size = out * eighths // 8, strided(size, stride)
    reshapes = (channels != out) | (stride != 1)
    return (
        Step("reduce", "conv", channels, width, size, activation="relu"),
        Step("conv", "conv", width, width, size, 3, stride, "relu"),
        Step("expand", "conv", width, out, out_size),
        Step("projection", "conv", channels, out, size, 1, stride, present=reshapes, branch="shortcut"),
        Step("add", "add", out, out, out_size, activation="relu"),
    )


BOTTLENECK = Family("bottleneck", _gene_names, _network, channel_step=8)
