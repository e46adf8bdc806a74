"""Every call to TorchScript, which is deprecated upstream: one file to replace, one warnings filter."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn


@contextmanager
def _deprecation_known() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*", category=DeprecationWarning)
        yield


def freeze(module: nn.Module, *example: Tensor) -> torch.jit.ScriptModule:
    """Traces a module in evaluation mode on example inputs, freezes it and runs it until it is specialised.

    The trace is checked against the module by running both.
    """
    module.eval()
    with _deprecation_known(), torch.inference_mode():
        traced = torch.jit.trace(module, example)
        frozen: torch.jit.ScriptModule = torch.jit.freeze(traced)
        return frozen


def save(module: torch.jit.ScriptModule, path: Path, extra: Mapping[str, str]) -> None:
    """Writes a frozen module with extra files of text, by name."""
    with _deprecation_known():
        torch.jit.save(module, str(path), _extra_files={name: text.encode() for name, text in extra.items()})


def load(path: Path, extra_names: tuple[str, ...] = ()) -> tuple[torch.jit.ScriptModule, dict[str, str]]:
    """Reads a module and its extra files. Raises RuntimeError for a file that is not TorchScript."""
    found: dict[str, str | bytes] = dict.fromkeys(extra_names, "")
    with _deprecation_known():
        module: torch.jit.ScriptModule = torch.jit.load(str(path), map_location="cpu", _extra_files=found)
    texts = {name: text.decode() if isinstance(text, bytes) else text for name, text in found.items()}
    return module, texts
