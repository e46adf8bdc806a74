"""What the database and the files hold, and what of it the settings let go."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.files.storage import default_storage
from django.utils import timezone

from devices.models import KernelFile
from devices.runs.models import Event, Notice, Run, Step
from devices.runs.retention import old_histories, old_notices, removable_events, shorten_old_histories
from search.models import ImageSet, ModelFile, TrainedModel, Upload
from search.services.datasets import ABANDONED_AFTER, drop_upload

ORPHANED_AFTER = timedelta(days=1)
"""Files without a row may be of a step at work for so long."""
FOLDERS = ("models", "checkpoints", "kernels", "health")


@dataclass(frozen=True, slots=True)
class Holding:
    """Things of one kind: how many, their bytes (None for rows), and what of them may go."""

    kind: str
    count: int
    size_bytes: int | None
    removable: int
    removable_bytes: int | None


@dataclass(frozen=True, slots=True)
class _File:
    """A file or folder that may go, and what removes it."""

    size_bytes: int
    remove: Callable[[], object]


def holdings() -> list[Holding]:
    """Everything that grows, by kind."""
    old = removable_events().filter(run__in=old_histories(settings.RETAIN_EVENTS_DAYS))
    notices = old_notices(settings.RETAIN_EVENTS_DAYS)
    keys = _request_keys()
    return [
        Holding("runs", Run.objects.count(), None, 0, None),
        Holding("steps", Step.objects.count(), None, 0, None),
        Holding("events", Event.objects.count(), None, old.count(), None),
        Holding("notices", Notice.objects.count(), None, notices.count(), None),
        Holding("request keys", keys.count(), None, keys.forgotten().count(), None),
        *(
            _holding(kind, list(sizes), list(removable))
            for kind, sizes, removable in (
                ("models", _sizes("models"), ()),
                ("checkpoints", _sizes("checkpoints"), _old_checkpoints()),
                ("kernel files", _sizes("kernels"), _old_kernels()),
                ("uploads", _folder_sizes(settings.UPLOAD_ROOT), _old_uploads()),
                ("data sets", _folder_sizes(settings.DATASET_ROOT), ()),
                ("files without a row", (one.size_bytes for one in _orphans()), _orphans()),
            )
        ),
    ]


def prune() -> dict[str, int]:
    """Removes what may go; how many of each kind went."""
    gone = {
        "events": shorten_old_histories(settings.RETAIN_EVENTS_DAYS),
        "notices": old_notices(settings.RETAIN_EVENTS_DAYS).delete()[0],
        "request keys": _request_keys().forgotten().delete()[0],
    }
    for kind, found in (
        ("checkpoints", _old_checkpoints()),
        ("kernel files", _old_kernels()),
        ("uploads", _old_uploads()),
        ("files without a row", _orphans()),
    ):
        files = list(found)
        for file in files:
            file.remove()
        gone[kind] = len(files)
    return gone


def _request_keys() -> Any:
    """What requests that happen once are known by; this room knows only that they can be forgotten."""
    return apps.get_model("accounts.OnceKey")._default_manager.all()


def _holding(kind: str, sizes: list[int], removable: list[_File]) -> Holding:
    return Holding(kind, len(sizes), sum(sizes), len(removable), sum(one.size_bytes for one in removable))


def _old_checkpoints() -> Iterator[_File]:
    """Of trainings that are over: nothing goes on from them."""
    days = settings.RETAIN_CHECKPOINTS_DAYS
    if days == 0:
        return
    rows = TrainedModel.objects.filter(
        run__status__in=Run.FINAL, run__finished_at__lt=timezone.now() - timedelta(days=days)
    )
    for row in rows.exclude(checkpoint__isnull=True).exclude(checkpoint="").iterator():
        yield _File(_size(str(row.checkpoint.name)), partial(_drop_checkpoint, row))


def _drop_checkpoint(row: TrainedModel) -> None:
    """The row first: a file without a row is removed the next time, the reverse would be missed."""
    name = str(row.checkpoint.name)
    if TrainedModel.objects.filter(pk=row.pk, run__status__in=Run.FINAL, checkpoint=name).update(
        checkpoint=None
    ):
        default_storage.delete(name)


def _old_kernels() -> Iterator[_File]:
    """Files for agents that no work of today needs: they are built again when they are wanted."""
    days = settings.RETAIN_KERNELS_DAYS
    if days == 0 or Run.objects.unfinished().exists():
        return
    for row in KernelFile.objects.iterator():
        if _modified(str(row.file.name)) < timezone.now() - timedelta(days=days):
            yield _File(row.size, partial(_drop_kernel, row))


def _drop_kernel(row: KernelFile) -> None:
    row.delete()
    if not KernelFile.objects.filter(sha256=row.sha256).exists():
        default_storage.delete(str(row.file.name))


def _old_uploads() -> Iterator[_File]:
    """What was begun, left, and made into no data set."""
    for row in Upload.objects.filter(image_set=None, created_at__lt=timezone.now() - ABANDONED_AFTER):
        yield _File(_path_size(row.path), partial(drop_upload, row))


def _orphans() -> Iterator[_File]:
    """What a killed step or a lost row left behind, once it is old enough to belong to nothing at work."""
    before = timezone.now() - ORPHANED_AFTER
    known = _known_names()
    for name in (name for folder in FOLDERS for name in _names(folder)):
        if name not in known and _modified(name) < before:
            yield _File(_size(name), partial(default_storage.delete, name))
    for path in _orphaned_paths():
        if datetime.fromtimestamp(path.stat().st_mtime, timezone.get_current_timezone()) < before:
            yield _File(_path_size(path), partial(_remove_path, path))


def _known_names() -> set[str]:
    rows: tuple[tuple[Any, str], ...] = (
        (ModelFile, "file"),
        (TrainedModel, "checkpoint"),
        (KernelFile, "file"),
    )
    return {name for model, field in rows for name in model.objects.values_list(field, flat=True) if name}


def _orphaned_paths() -> Iterator[Path]:
    uploads = {str(pk) for pk in Upload.objects.values_list("pk", flat=True)}
    sets = list(ImageSet.objects.all())
    places = {row.workplace.name for row in sets} | {row.place.name for row in sets}
    for root, kept in ((settings.UPLOAD_ROOT, uploads), (settings.DATASET_ROOT, places)):
        yield from (path for path in _children(root) if path.name not in kept)


def _names(folder: str) -> Iterator[str]:
    """Every file below a folder of the storage."""
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    yield from (f"{folder}/{name}" for name in files if name)
    for name in folders:
        yield from _names(f"{folder}/{name}")


def _sizes(folder: str) -> Iterator[int]:
    return (_size(name) for name in _names(folder))


def _size(name: str) -> int:
    """Bytes; 0 for a file that went meanwhile."""
    try:
        return default_storage.size(name)
    except FileNotFoundError:
        return 0


def _modified(name: str) -> datetime:
    """When it was written; now for a file that is gone, which is nobody's to remove."""
    try:
        return default_storage.get_modified_time(name)
    except FileNotFoundError:
        return timezone.now()


def _folder_sizes(root: Path) -> Iterable[int]:
    return (_path_size(path) for path in _children(root))


def _children(root: Path) -> list[Path]:
    return sorted(Path(root).iterdir()) if Path(root).exists() else []


def _path_size(path: Path) -> int:
    if path.is_dir():
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return path.stat().st_size if path.exists() else 0


def _remove_path(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
