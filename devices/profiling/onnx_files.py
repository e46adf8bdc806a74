"""Lowered networks as ONNX files, written node by node: no framework exports them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from devices.operators import Layer, Operator
from devices.profiling.weights import patterned

OPSET, IR_VERSION = 17, 8  # old enough for the runtimes on devices


def onnx_network(layers: Sequence[Layer]) -> bytes:
    """The file of a network with patterned weights. Inputs are image0, image1 of (batch, channels, size,
    size), or (batch, features); the output is the last layer's."""
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    images: dict[str, list[int | str]] = {}
    for number, layer in enumerate(layers):
        sources = [f"layer{index}" if index >= 0 else f"image{-index - 1}" for index in layer.inputs]
        for source, index in zip(sources, layer.inputs, strict=True):
            if index < 0:
                images[source] = _shape(layer.operator)
        _append(nodes, weights, layer.operator, sources, f"layer{number}")
    last = layers[-1].operator
    flat = last.kind in ("linear", "avgpool")
    result: list[int | str] = ["batch", last.out_channels, *([] if flat else [last.out_size] * 2)]
    graph = helper.make_graph(
        nodes,
        "network",
        [_tensor(name, shape) for name, shape in sorted(images.items())],
        [_tensor(f"layer{len(layers) - 1}", result)],
        weights,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="chamnet"
    )
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _tensor(name: str, shape: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def _shape(operator: Operator) -> list[int | str]:
    if operator.kind == "linear":
        return ["batch", operator.in_channels]
    return ["batch", operator.in_channels, operator.size, operator.size]


def _append(
    nodes: list[onnx.NodeProto],
    weights: list[onnx.TensorProto],
    operator: Operator,
    sources: list[str],
    name: str,
) -> None:
    """One operator's nodes, the last of which gives `name`."""
    plain = name if operator.activation == "none" else f"{name}.plain"

    def add_weights(*shapes: tuple[int, ...]) -> list[str]:
        names = [f"{name}.weight{place}" for place in range(len(shapes))]
        for shape, each in zip(shapes, names, strict=True):
            weights.append(numpy_helper.from_array(patterned(shape), each))
        return names

    if operator.kind in ("conv", "depthwise"):
        groups = operator.in_channels if operator.kind == "depthwise" else 1
        shape = (operator.out_channels, operator.in_channels // groups, operator.kernel, operator.kernel)
        made = add_weights(shape, (operator.out_channels,))
        nodes.append(helper.make_node("Conv", [*sources, *made], [plain], group=groups, **_window(operator)))
    elif operator.kind == "maxpool":
        nodes.append(helper.make_node("MaxPool", sources, [plain], **_window(operator)))
    elif operator.kind == "avgpool":
        nodes.append(helper.make_node("GlobalAveragePool", sources, [f"{name}.pooled"]))
        nodes.append(helper.make_node("Flatten", [f"{name}.pooled"], [plain]))
    elif operator.kind == "linear":
        made = add_weights((operator.out_channels, operator.in_channels), (operator.out_channels,))
        nodes.append(helper.make_node("Gemm", [*sources, *made], [plain], transB=1))
    else:
        nodes.append(helper.make_node("Add", sources, [plain]))
    if operator.activation == "relu":
        nodes.append(helper.make_node("Relu", [plain], [name]))
    elif operator.activation == "relu6":
        ends = [f"{name}.least", f"{name}.most"]
        for each, value in zip(ends, (0.0, 6.0), strict=True):
            weights.append(numpy_helper.from_array(np.array(value, dtype=np.float32), each))
        nodes.append(helper.make_node("Clip", [plain, *ends], [name]))


def _window(operator: Operator) -> dict[str, Any]:
    return {
        "kernel_shape": [operator.kernel] * 2,
        "strides": [operator.stride] * 2,
        "pads": [operator.kernel // 2] * 4,
    }
