"""Inverted residuals: narrow, expanded by a 1x1 convolution, filtered depthwise, projected back.

Source: Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018 (arXiv 1801.04381),
section 3 and table 2. As there, the first stage does not expand, the projection has no activation, a residual
joins blocks of stride 1 with equal channels, and only the first block of a stage strides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from search.spaces.blueprint import Block, Family, Ints, Layout, Section, Step, strided


def _gene_names(stages: int) -> tuple[str, ...]:
    names = ["resolution", "stem.channels"]
    for stage in range(1, stages + 1):
        traits = ["expansion", "channels", "repeats", "kernel"]
        names += [f"stage{stage}.{trait}" for trait in (traits if stage > 1 else traits[1:])]
    return (*names, "head.channels")


def _network(layout: Layout, values: Mapping[str, Ints], in_channels: int, classes: int) -> Iterator[Section]:
    size, channels = values["resolution"], values["stem.channels"]
    stem = Step("stem", "conv", in_channels, channels, size, layout.stem_kernel, layout.stem_stride, "relu6")
    yield Section((Block((stem,)),))
    size = strided(size, layout.stem_stride)

    for number, stride in enumerate(layout.strides, start=1):
        stage = f"stage{number}"
        out, kernel = values[f"{stage}.channels"], values[f"{stage}.kernel"]
        expansion = values.get(f"{stage}.expansion", 1)
        first = _inverted_residual(size, channels, out, expansion, kernel, stride)
        size, channels = strided(size, stride), out
        rest = _inverted_residual(size, channels, out, expansion, kernel, stride=1)
        yield Section((Block(first), Block(rest, values[f"{stage}.repeats"] - 1, first=2)), stage)

    head = values["head.channels"]
    last = (
        Step("head", "conv", channels, head, size, activation="relu6"),
        Step("pool", "avgpool", head, head, size),
        Step("classifier", "linear", head, classes, 1),
    )
    yield Section((Block(last),))


def _inverted_residual(
    size: Ints, channels: Ints, out: Ints, expansion: Ints, kernel: Ints, stride: int
) -> tuple[Step, ...]:
    hidden, out_size = channels * expansion, strided(size, stride)
    return (
        Step("expand", "conv", channels, hidden, size, activation="relu6", present=expansion > 1),
        Step("depthwise", "depthwise", hidden, hidden, size, kernel, stride, "relu6"),
        Step("project", "conv", hidden, out, out_size),
        Step("add", "add", out, out, out_size, present=(channels == out) & (stride == 1)),
    )


INVERTED_RESIDUAL = Family("inverted-residual", _gene_names, _network)
