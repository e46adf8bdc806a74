"""A trained network as ONNX, in float and in 8 bits. Imports no torch."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from devices.operators import Layer
from devices.profiling.onnx_files import Graph, Weights, append_network
from search.training.preprocessing import Preprocessing

INPUT, OUTPUT = "images", "logits"
_RESIZED = "resized"


def write_onnx(
    layers: Sequence[Layer],
    weights: Callable[[int], Weights],
    path: Path,
    preprocessing: Preprocessing,
    extra: Mapping[str, str],
) -> None:
    """Writes a network that takes images (n, channels, height, width) float32 in 0..1, of any size, and gives
    logits (n, classes). `weights` gives each layer's, norms folded in; `extra` goes along as texts."""
    graph = Graph()
    seen = _append_preprocessing(graph, preprocessing)
    last = append_network(graph, layers, weights, image=seen)
    graph.node("Identity", [last], OUTPUT)
    classes = layers[-1].operator.out_channels
    path.write_bytes(
        graph.content(
            [(INPUT, ["batch", preprocessing.channels, "height", "width"])],
            (OUTPUT, ["batch", classes]),
            dict(extra),
        )
    )


def onnx_preprocessing(preprocessing: Preprocessing) -> bytes:
    """What a file does before the network, as a file of its own."""
    graph = Graph()
    seen = _append_preprocessing(graph, preprocessing)
    size = preprocessing.resolution
    return graph.content(
        [(INPUT, ["batch", preprocessing.channels, "height", "width"])],
        (seen, ["batch", preprocessing.channels, size, size]),
    )


def _append_preprocessing(graph: Graph, preprocessing: Preprocessing) -> str:
    _append_resize(graph, preprocessing.resolution)
    std = np.array(preprocessing.std, dtype=np.float32)[:, None, None]
    mean = np.array(preprocessing.mean, dtype=np.float32)[:, None, None]
    scaled = graph.node("Mul", [_RESIZED, graph.constant("scale", 1.0 / std)], "scaled")
    return graph.node("Add", [scaled, graph.constant("shift", -mean / std)], "seen")


def _append_resize(graph: Graph, resolution: int) -> None:
    """Resizing as in training: bilinear, averaging over pixels where images shrink.

    ONNX's own antialiasing weighs pixels differently. Resizing is linear along each side, so it is written as
    two products with matrices that follow from the image's size; images of the right size pass as they are.
    """
    graph.node("Shape", [INPUT], "shape")
    for name, place in (("height", 2), ("width", 3)):
        graph.node("Gather", ["shape", graph.constant(f"{name}.place", np.array(place))], name)
    wanted = graph.constant("resolution", np.array(resolution))
    same = graph.node(
        "And",
        [graph.node("Equal", [side, wanted], f"same.{side}") for side in ("height", "width")],
        "same",
    )
    kept = helper.make_graph(
        [helper.make_node("Identity", [INPUT], ["kept"])],
        "kept",
        [],
        [helper.make_tensor_value_info("kept", TensorProto.FLOAT, None)],
    )
    resizing = Graph()
    rows = _append_weights(resizing, "height", resolution)
    columns = _append_weights(resizing, "width", resolution)
    turned = resizing.node("Transpose", [columns], "columns.turned", perm=[1, 0])
    resizing.node("MatMul", [resizing.node("MatMul", [rows, INPUT], "rows.done"), turned], "done")
    changed = helper.make_graph(
        resizing.nodes,
        "changed",
        [],
        [helper.make_tensor_value_info("done", TensorProto.FLOAT, None)],
        resizing.constants,
    )
    graph.node("If", [same], _RESIZED, then_branch=kept, else_branch=changed)


def _append_weights(graph: Graph, side: str, resolution: int) -> str:
    """The matrix (resolution, length) of one side: triangles around each new pixel, as wide as it covers."""

    def of(name: str, value: Any, kind: Any = np.float32) -> str:
        return graph.constant(f"{side}.{name}", np.array(value, dtype=kind))

    def step(kind: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        return graph.node(kind, inputs, f"{side}.{name}", **attributes)

    length = step("Cast", [side], "length", to=TensorProto.FLOAT)
    scale = step("Div", [length, of("wanted", resolution)], "scale")
    support = step("Max", [scale, of("one", 1.0)], "support")
    numbers = step("Range", [of("zero", 0.0), length, of("by", 1.0)], "numbers")
    old = step("Add", [numbers, of("half", 0.5)], "old")
    new = of("new", np.arange(resolution)[:, None] + 0.5)
    distance = step("Abs", [step("Sub", [step("Mul", [new, scale], "centres"), old], "offsets")], "distance")
    reach = step("Sub", [of("full", 1.0), step("Div", [distance, support], "share")], "reach")
    weight = step("Relu", [reach], "weight")
    total = step("ReduceSum", [weight, of("axis", [1], np.int64)], "total", keepdims=1)
    return step("Div", [weight, total], "matrix")


def quantise(
    path: Path, out: Path, images: Sequence[npt.NDArray[np.float32]], extra: Mapping[str, str]
) -> None:
    """An 8-bit version of an ONNX file (static, per channel), its ranges from batches of training images
    (n, channels, height, width) in 0..1. Resizing and normalising stay in float.

    Source: Jacob et al., Quantization and Training of Neural Networks, CVPR 2018.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # its base has no types
        def __init__(self) -> None:
            self._batches: Iterator[npt.NDArray[np.float32]] = iter(images)

        def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
            batch = next(self._batches, None)
            return None if batch is None else {INPUT: batch}

    kept = [node.name for node in onnx.load(path).graph.node if not node.name.startswith("layer")]
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        made = Path(scratch) / "int8.onnx"
        quantize_static(
            path,
            made,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=kept,
        )
        quantised = onnx.load(made)
    helper.set_model_props(quantised, dict(extra))
    onnx.save(quantised, out)


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser recommends a step by which these graphs gain nothing: they hold no constant to fold."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
