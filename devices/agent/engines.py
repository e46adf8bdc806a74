"""What executes the files: torch or ONNX Runtime, whichever the device has and the server asks for."""

from __future__ import annotations

import io
import random
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from devices.timing import Timed


class Engine(Protocol):
    """Makes a call without arguments of a file's content."""

    name: str  # with its version

    def bind(self, content: bytes, shapes: Sequence[Sequence[int]]) -> Timed:
        """A call of the network on random images of these shapes (batch included), kept alive by it."""

    def measuring(self) -> AbstractContextManager[Any]:
        """What calls are made in."""


class EngineMissingError(Exception):
    """The device lacks the library that its engine needs."""


def engine(kind: str, threads: int) -> Engine:
    """The engine that a device is registered with. Raises EngineMissingError, saying what to install."""
    known: dict[str, Callable[[int], Engine]] = {"torchscript": TorchEngine, "onnxruntime": OnnxEngine}
    made = known.get(kind)
    if made is None:
        raise EngineMissingError(f"This agent cannot measure the engine “{kind}”.")
    try:
        return made(threads)
    except ImportError as error:
        library = {"torchscript": "torch", "onnxruntime": "onnxruntime"}[kind]
        raise EngineMissingError(f"Install {library} for this Python first: pip install {library}") from error


class TorchEngine:
    """Frozen TorchScript, images in channels_last as the server's own workers have them."""

    def __init__(self, threads: int) -> None:
        import torch

        self._torch = torch
        torch.set_num_threads(threads)
        self.name = f"TorchScript, torch {torch.__version__}"

    def bind(self, content: bytes, shapes: Sequence[Sequence[int]]) -> Timed:
        torch = self._torch
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*torch.jit.*")
            module = torch.jit.load(io.BytesIO(content), map_location="cpu")
        images = [torch.rand(tuple(shape)) for shape in shapes]
        inputs = [
            one.contiguous(memory_format=torch.channels_last) if one.dim() == 4 else one for one in images
        ]
        return lambda: module(*inputs)

    def measuring(self) -> AbstractContextManager[Any]:
        return self._torch.inference_mode()


class OnnxEngine:
    """ONNX Runtime on the processor."""

    def __init__(self, threads: int) -> None:
        import numpy
        import onnxruntime

        self._numpy, self._runtime, self._threads = numpy, onnxruntime, threads
        self._random = numpy.random.default_rng(random.getrandbits(32))
        self.name = f"ONNX Runtime {onnxruntime.__version__}"

    def bind(self, content: bytes, shapes: Sequence[Sequence[int]]) -> Timed:
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self._threads, 1
        options.log_severity_level = 3
        session = self._runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        feeds = {
            known.name: self._random.random(tuple(shape), dtype=self._numpy.float32)
            for known, shape in zip(session.get_inputs(), shapes, strict=True)
        }
        return lambda: session.run(None, feeds)

    def measuring(self) -> AbstractContextManager[Any]:
        return nullcontext()
