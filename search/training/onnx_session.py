"""ONNX Runtime on the processor. Imports no torch: the web process tries models out with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def onnx_session(source: Path | bytes, threads: int) -> Any:
    """An ONNX Runtime session, from a file or its content."""
    import onnxruntime  # loads slowly, and only who runs a model needs it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    content = source if isinstance(source, bytes) else str(source)
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
