"""Settings of a whole process, made once by a worker's child before it trains."""

from __future__ import annotations

import ctypes
import sys

import torch

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # glibc's malloc.h


def prepare_process(threads: int = 1) -> None:
    """Fix torch's threads, which bit-equal results need equal, and let the allocator keep freed memory."""
    torch.set_num_threads(threads)
    _keep_freed_memory()


def training_device(worker: int = 0) -> torch.device:
    """Where worker number `worker` trains: a graphics card of its own as far as there are any, else the
    processor."""
    if torch.cuda.is_available():
        return torch.device("cuda", worker % torch.cuda.device_count())
    return torch.device("cpu")


def _keep_freed_memory() -> None:
    """Stop glibc from returning each activation to the system only to fault its pages in again.

    A training step of a small network otherwise spends about a quarter of its time in page faults. Other C
    libraries have no such switch and are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)  # the largest that glibc accepts
        mallopt(_M_TRIM_THRESHOLD, 512 * 2**20)
        mallopt(_M_TOP_PAD, 64 * 2**20)
