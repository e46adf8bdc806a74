"""Loading exported files, each as its user would: from the file alone."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from torch import nn

from devices.operators import Layer, Operator
from devices.profiling import bind, load
from devices.timing import Timed
from search.training.batches import Preprocess
from search.training.export import EXTRA_FILES, WEIGHTS_TEXTS
from search.training.networks import build_network, fold
from search.training.onnx_export import INPUT
from search.training.onnx_session import onnx_session
from search.training.preprocessing import Preprocessing

Images = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Loaded:
    """A file that was loaded: logits (n, classes) of images (n, channels, height, width), its texts, and how
    a call on one batch is timed."""

    run: Callable[[Images], npt.NDArray[np.float32]]
    extra: dict[str, str]
    bound: Callable[[Images], Timed]


def load_file(path: Path, file_format: str, threads: int) -> Loaded:
    """Loads a file of a format. Raises what its library raises for a file that is not one."""
    return _LOADERS[file_format](path, threads)


def _torchscript(path: Path, threads: int) -> Loaded:
    module, extra = load(path, EXTRA_FILES)
    return _of_module(module, extra)


def _program(path: Path, threads: int) -> Loaded:
    texts: dict[str, Any] = dict.fromkeys(EXTRA_FILES, "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.load(path, extra_files=texts)
    return _of_module(program.module(), texts)


def _weights(path: Path, threads: int) -> Loaded:
    with safe_open(path, framework="pt") as file:
        extra: dict[str, str] = json.loads(file.metadata()[WEIGHTS_TEXTS])
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a mapping)
    layers = [
        Layer(name, Operator.parse(key), tuple(inputs))
        for name, key, inputs in json.loads(extra["layers.json"])
    ]
    network = build_network(layers, seed=0)
    network.load_state_dict(state)
    preprocessing = Preprocessing.from_json(json.loads(extra["preprocessing.json"]))
    return _of_module(nn.Sequential(Preprocess(preprocessing), fold(network)).eval(), extra)


def _of_module(module: nn.Module, extra: dict[str, str]) -> Loaded:
    def run(images: Images) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            found: npt.NDArray[np.float32] = module(torch.from_numpy(images)).numpy()
        return found

    return Loaded(run, extra, lambda images: bind(module, (torch.from_numpy(images),)))


def _onnx(path: Path, threads: int) -> Loaded:
    session = onnx_session(path, threads)

    def run(images: Images) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = session.run(None, {INPUT: images})[0]
        return found

    def bound(images: Images) -> Timed:
        feeds = {INPUT: images}
        return lambda: session.run(None, feeds)

    return Loaded(run, dict(session.get_modelmeta().custom_metadata_map), bound)


_LOADERS: dict[str, Callable[[Path, int], Loaded]] = {
    "torchscript": _torchscript,
    "pt2": _program,
    "safetensors": _weights,
    "onnx": _onnx,
    "onnx-int8": _onnx,
}
