"""How much a data set may hold, and what refusing one looks like."""

from __future__ import annotations

from dataclasses import dataclass

LISTED = 200
"""Problems of one kind that a report names; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what a stranger's file may ask for. Sizes in bytes."""

    files: int = 2_000_000
    unpacked: int = 64 * 2**30
    one_file: int = 64 * 2**20
    pixels: int = 50_000_000
    classes: int = 10_000
    packed: int = 16 * 2**30  # of images stored at their final size


class IngestError(ValueError):
    """The data set as a whole cannot be taken in. The message is a sentence for a person."""


class UnreadableError(ValueError):
    """One image cannot be read; the message says why in a few words."""


def amount(size: int) -> str:
    """Bytes for people: "64 MB"."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} bytes"


def short(name: str) -> str:
    """A name of at most 80 characters, for sentences."""
    return name if len(name) <= 80 else f"{name[:77]}..."
