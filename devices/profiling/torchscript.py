"""Every call to TorchScript, which is deprecated upstream: one file to replace, one warnings filter."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from devices.operators import Layer
from devices.profiling.kernels import InferenceNetwork, channels_last, example_inputs, with_pattern


@contextmanager
def _deprecation_known() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*", category=DeprecationWarning)
        yield


def engine_name() -> str:
    """What executes frozen modules, with its version."""
    return f"TorchScript, torch {torch.__version__}"


def freeze(module: nn.Module, *example: Tensor, check: bool = True) -> torch.jit.ScriptModule:
    """Traces a module in evaluation mode on example inputs and freezes it.

    `check` compares the trace with the module by running both, which takes four times as long as tracing.
    """
    module.eval()
    with _deprecation_known(), torch.inference_mode():
        traced = torch.jit.trace(module, example, check_trace=check)
        frozen: torch.jit.ScriptModule = torch.jit.freeze(traced)
        return frozen


def save(module: torch.jit.ScriptModule, path: Path, extra: Mapping[str, str]) -> None:
    """Writes a frozen module with extra files of text, by name."""
    with _deprecation_known():
        torch.jit.save(module, str(path), _extra_files={name: text.encode() for name, text in extra.items()})


def torchscript_network(layers: Sequence[Layer]) -> bytes:
    """The file of a lowered network with patterned weights; its images are in channels_last."""
    example = example_inputs(layers[0].operator, 1, torch.Generator().manual_seed(0))
    return as_bytes(
        freeze(channels_last(with_pattern(InferenceNetwork(layers).eval())), *example, check=False)
    )


def as_bytes(module: torch.jit.ScriptModule) -> bytes:
    """The content of a frozen module's file."""
    buffer = io.BytesIO()
    with _deprecation_known():
        torch.jit.save(module, buffer)
    return buffer.getvalue()


def load(path: Path, extra_names: tuple[str, ...] = ()) -> tuple[torch.jit.ScriptModule, dict[str, str]]:
    """Reads a module and its extra files. Raises RuntimeError for a file that is not TorchScript."""
    found: dict[str, str | bytes] = dict.fromkeys(extra_names, "")
    with _deprecation_known():
        module: torch.jit.ScriptModule = torch.jit.load(str(path), map_location="cpu", _extra_files=found)
    texts = {name: text.decode() if isinstance(text, bytes) else text for name, text in found.items()}
    return module, texts
