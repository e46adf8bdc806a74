"""Which class and part each file belongs to, by its name alone."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from search.training.ingestion.limits import LISTED, IngestError, Limits, short

TRAIN, TEST = 0, 1
"""The part of the data set an image belongs to, where its folders say so."""
_TRAIN_NAMES, _TEST_NAMES, _HELD_OUT_NAMES = (
    {"train", "training"},
    {"test", "testing"},
    {"val", "valid", "validation"},
)
_IGNORED = {"__macosx", ".ds_store", "thumbs.db", "desktop.ini"}


@dataclass(frozen=True, slots=True)
class Listing:
    """The images of a data set before one was read."""

    classes: tuple[str, ...]
    names: tuple[str, ...]
    labels: npt.NDArray[np.int64]  # (n,)
    parts: npt.NDArray[np.int8] | None  # (n,) of TRAIN and TEST, or None where the split is ours to make
    ignored: tuple[str, ...] = ()  # names with reasons, the first LISTED
    ignored_count: int = 0

    def __len__(self) -> int:
        return len(self.names)


class Ignored:
    """Files that are no images of a class: all are counted, the first LISTED named with a reason."""

    def __init__(self) -> None:
        self.count = 0
        self.listed: list[str] = []

    def add(self, said: str) -> None:
        self.count += 1
        if len(self.listed) < LISTED:
            self.listed.append(said)


def arrange(names: Iterable[str], limits: Limits, ignored: Ignored | None = None) -> Listing:
    """Which class and part each file belongs to, by its folders.

    The layouts are class/image and {train, test}/class/image, within one more folder or not. Where there is a
    validation folder but no test folder, as ImageNet has it, that is the test part; beside a test folder it
    is more to learn from. Raises IngestError when there are not two classes.
    """
    skipped = ignored if ignored is not None else Ignored()
    paths = sorted(name for name in names if not _is_junk(name))
    depth = _common_depth(paths)
    outer = {path.split("/")[depth].lower() for path in paths if path.count("/") > depth}
    split = outer & _TRAIN_NAMES and outer <= _TRAIN_NAMES | _TEST_NAMES | _HELD_OUT_NAMES and len(outer) > 1
    test_names = _TEST_NAMES if outer & _TEST_NAMES else _HELD_OUT_NAMES
    at = depth + 1 if split else depth
    kept: list[str] = []
    met: dict[str, int] = {}  # classes, numbered as they are met
    owners, parts = array("q"), array("b")  # of each file: lists would hold an object for each
    for path in paths:
        pieces = path.split("/")
        if len(pieces) < at + 2:
            skipped.add(f"{path}: not in the folder of a class")
            continue
        kept.append(path)
        owners.append(met.setdefault(pieces[at], len(met)))
        parts.append(TEST if split and pieces[depth].lower() in test_names else TRAIN)
    classes = tuple(sorted(met))
    _check_class_folders(classes, limits)
    place = {name: index for index, name in enumerate(classes)}
    return Listing(
        classes=classes,
        names=tuple(kept),
        labels=np.array([place[name] for name in met], dtype=np.int64)[np.asarray(owners)],
        parts=np.array(parts, dtype=np.int8) if split else None,
        ignored=tuple(skipped.listed),
        ignored_count=skipped.count,
    )


def _check_class_folders(classes: tuple[str, ...], limits: Limits) -> None:
    if len(classes) < 2:
        raise IngestError(
            "There must be at least two folders of images, one per class, "
            f"not {'none' if not classes else f'only “{short(classes[0])}”'}."
        )
    if len(classes) > limits.classes:
        raise IngestError(f"There are {len(classes):,} folders of classes; {limits.classes:,} are allowed.")
    check_names(classes)


def check_names(classes: Iterable[str]) -> None:
    """Raises IngestError for the name of a class that is no text, which nothing can store or show."""
    for name in classes:
        shown = name.encode(errors="replace").decode().replace("\0", "?")
        if shown != name:
            raise IngestError(f"The name of the class “{short(shown)}” is no UTF-8 text. Rename it.")


def _is_junk(name: str) -> bool:
    """What systems leave in folders and nobody means."""
    return any(piece.lower() in _IGNORED or piece.startswith("._") for piece in name.split("/"))


def _common_depth(paths: list[str]) -> int:
    """How many folders lie around everything else."""
    depth = 0
    while True:
        names = {path.split("/")[depth] if path.count("/") > depth else "" for path in paths}
        if len(names) != 1 or names == {""}:
            return depth
        depth += 1
