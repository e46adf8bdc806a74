"""The model card: what a file's user has to know, in Markdown. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from devices.operators import Layer

MOST_IN_MATRIX = 20
"""Classes up to which a card shows the whole matrix of confusions."""

_SNIPPET = """import json
import sys

import numpy as np
import torch

extra = {{"classes.json": "", "preprocessing.json": ""}}
model = torch.jit.load({file!r}, _extra_files=extra)
classes = json.loads(extra["classes.json"])
channels = json.loads(extra["preprocessing.json"])["channels"]

# An image: height x width x channels, bytes, of any size (the model resizes and normalises).
if len(sys.argv) > 1:
    from PIL import Image

    picture = Image.open(sys.argv[1]).convert("L" if channels == 1 else "RGB")
    image = np.asarray(picture).reshape(picture.height, picture.width, channels)
else:
    image = np.zeros((64, 64, channels), dtype=np.uint8)

batch = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
with torch.inference_mode():
    probabilities = model(batch).softmax(dim=1)[0]
best = int(probabilities.argmax())
print(f"{{classes[best]}}: {{float(probabilities[best]):.1%}}")
"""


def usage_snippet(file: str = "model.pt") -> str:
    """A Python program that loads the exported file and classifies an image."""
    return _SNIPPET.format(file=file)


def model_card(
    title: str,
    sections: Mapping[str, Sequence[tuple[str, object]]],
    *,
    layers: Sequence[Layer] = (),
    classes: Sequence[Mapping[str, Any]] = (),
    file: str = "model.pt",
) -> str:
    """A card of tables of facts, results per class, confusions, the network's layers, and the program that
    uses the file. Of each class `classes` has name, images, recall, precision and `row`: how often it was
    taken for each class."""
    parts = [f"# {title}"]
    for heading, facts in sections.items():
        parts.append(f"## {heading}\n\n" + _table(("", ""), facts))
    if classes:
        parts.append("## Classes\n\n" + _classes_table(classes))
        if len(classes) <= MOST_IN_MATRIX:
            head = ("True class", *(one["name"] for one in classes))
            rows = [(one["name"], *one["row"]) for one in classes]
            parts.append("## Taken for (columns), of each class (rows)\n\n" + _table(head, rows))
    if layers:
        parts.append("## Layers\n\n" + _layers_table(layers))
    parts.append(f"## Use\n\n```python\n{usage_snippet(file)}```")
    return "\n\n".join(parts) + "\n"


def _classes_table(classes: Sequence[Mapping[str, Any]]) -> str:
    def share(value: float | None) -> str:
        return "–" if value is None else f"{100 * value:.1f} %"

    rows = [
        (one["name"], one["images"], share(one["recall"]), share(one["precision"]), one["confused"])
        for one in classes
    ]
    return _table(("Class", "Test images", "Recall", "Precision", "Most often taken for"), rows)


def _layers_table(layers: Sequence[Layer]) -> str:
    rows: list[tuple[str, ...]] = [
        (
            layer.name,
            operator.kind,
            f"{operator.in_channels} × {operator.size} × {operator.size}",
            f"{operator.out_channels} × {operator.out_size} × {operator.out_size}",
            f"{operator.kernel}, {operator.stride}",
            operator.activation,
            f"{operator.parameters:,}",
            f"{operator.multiply_adds:,}",
        )
        for layer in layers
        for operator in [layer.operator]
    ]
    total = [
        sum(getattr(layer.operator, name) for layer in layers) for name in ("parameters", "multiply_adds")
    ]
    rows.append(("total", "", "", "", "", "", f"{total[0]:,}", f"{total[1]:,}"))
    head = ("Layer", "Kind", "Input", "Output", "Kernel, stride", "Activation", "Parameters", "Multiply-adds")
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(content: object) -> str:
    """Text that cannot break out of its cell, whatever a person called their device."""
    return " ".join(str(content).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
