"""Lowered networks as ONNX files, written node by node: no framework exports them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from devices.operators import Layer, Operator
from devices.profiling.weights import patterned

OPSET, IR_VERSION = 17, 8  # old enough for the runtimes on devices

Weights = Sequence[npt.NDArray[np.float32]]


@dataclass
class Graph:
    """A network that is being written: nodes in order, and the constants they read."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Adds a node of one output, and gives its name."""
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def content(
        self,
        inputs: Sequence[tuple[str, Sequence[int | str]]],
        output: tuple[str, Sequence[int | str]],
        extra: dict[str, str] | None = None,
    ) -> bytes:
        """The file, checked; `extra` goes along as texts by name."""
        graph = helper.make_graph(
            self.nodes,
            "network",
            [_tensor(name, shape) for name, shape in inputs],
            [_tensor(*output)],
            self.constants,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="chamnet",
        )
        helper.set_model_props(model, extra or {})
        onnx.checker.check_model(model)
        found: bytes = model.SerializeToString()
        return found


def onnx_network(layers: Sequence[Layer]) -> bytes:
    """The file of a network with patterned weights. Inputs are image0, image1 of (batch, channels, size,
    size), or (batch, features); the output is the last layer's."""
    graph = Graph()
    images: dict[str, list[int | str]] = {}
    for layer in layers:
        for index in layer.inputs:
            if index < 0:
                images[f"image{-index - 1}"] = _shape(layer.operator)
    append_network(
        graph, layers, lambda number: [patterned(shape) for shape in weight_shapes(layers[number])]
    )
    last = layers[-1].operator
    flat = last.kind in ("linear", "avgpool")
    result: list[int | str] = ["batch", last.out_channels, *([] if flat else [last.out_size] * 2)]
    return graph.content(sorted(images.items()), (f"layer{len(layers) - 1}", result))


def append_network(
    graph: Graph, layers: Sequence[Layer], weights: Callable[[int], Weights], image: str | None = None
) -> str:
    """Adds the layers to a graph; the name of the last one's output.

    `weights` gives the arrays of weight_shapes for a layer's number. The images are called image0 and image1,
    or as `image` says.
    """
    for number, layer in enumerate(layers):
        sources = [f"layer{index}" if index >= 0 else image or f"image{-index - 1}" for index in layer.inputs]
        names = [
            graph.constant(f"layer{number}.weight{place}", array)
            for place, array in enumerate(weights(number))
        ]
        _append(graph, layer.operator, [*sources, *names], f"layer{number}")
    return f"layer{len(layers) - 1}"


def weight_shapes(layer: Layer) -> list[tuple[int, ...]]:
    """Shapes of a layer's weight and bias; none for layers without."""
    operator = layer.operator
    if operator.kind in ("conv", "depthwise"):
        groups = operator.in_channels if operator.kind == "depthwise" else 1
        inputs = operator.in_channels // groups
        return [(operator.out_channels, inputs, operator.kernel, operator.kernel), (operator.out_channels,)]
    if operator.kind == "linear":
        return [(operator.out_channels, operator.in_channels), (operator.out_channels,)]
    return []


def _tensor(name: str, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, list(shape))


def _shape(operator: Operator) -> list[int | str]:
    if operator.kind == "linear":
        return ["batch", operator.in_channels]
    return ["batch", operator.in_channels, operator.size, operator.size]


def _append(graph: Graph, operator: Operator, sources: list[str], name: str) -> None:
    """One operator's nodes, the last of which gives `name`."""
    plain = name if operator.activation == "none" else f"{name}.plain"
    if operator.kind in ("conv", "depthwise"):
        groups = operator.in_channels if operator.kind == "depthwise" else 1
        graph.node("Conv", sources, plain, group=groups, **_window(operator))
    elif operator.kind == "maxpool":
        graph.node("MaxPool", sources, plain, **_window(operator))
    elif operator.kind == "avgpool":
        graph.node("Flatten", [graph.node("GlobalAveragePool", sources, f"{name}.pooled")], plain)
    elif operator.kind == "linear":
        graph.node("Gemm", sources, plain, transB=1)
    else:
        graph.node("Add", sources, plain)
    if operator.activation == "relu":
        graph.node("Relu", [plain], name)
    elif operator.activation == "relu6":
        ends = [
            graph.constant(f"{name}.{end}", np.array(value, dtype=np.float32))
            for end, value in (("least", 0.0), ("most", 6.0))
        ]
        graph.node("Clip", [plain, *ends], name)


def _window(operator: Operator) -> dict[str, Any]:
    return {
        "kernel_shape": [operator.kernel] * 2,
        "strides": [operator.stride] * 2,
        "pads": [operator.kernel // 2] * 4,
    }
