"""Data sets: the built-in ones, and those that people bring."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from devices.runs.models import Run, Step
from devices.runs.services import start_run
from search.models import ImageSet, Predictor, Upload
from search.training import datasets
from search.training.datasets import DATASETS, Dataset
from search.training.ingestion.limits import Limits, amount

MOST_UNFINISHED = 5
ABANDONED_AFTER = timedelta(days=7)
CHUNK = 4 * 2**20
"""Bytes a browser sends at once."""


class UploadError(ValueError):
    """Why an upload is refused; the message is a sentence for a person."""


def dataset_of(owner: Any, key: str) -> Dataset:
    """The data set that a predictor of this owner names. Raises ValueError for one that is not there."""
    if key in DATASETS:
        return DATASETS[key]
    row = ImageSet.objects.owned_by(owner).filter(key=key).first()
    if row is None:
        raise ValueError("The data set is gone. Bring it again under any name: it goes by its content.")
    known: Dataset = row.load()
    return known


def available_datasets(owner: Any) -> list[Dataset]:
    """What networks can be trained on here: built-in sets whose files are there, then the owner's own."""
    own = ImageSet.objects.owned_by(owner).usable().exclude(source=ImageSet.Source.BUILT_IN)
    return [*datasets.available(), *(row.load() for row in own)]


def limits() -> Limits:
    """What a data set may hold, from the settings."""
    return Limits(
        files=settings.DATASET_FILES,
        unpacked=settings.DATASET_UNPACKED_MB * 10**6,
        pixels=settings.DATASET_PIXELS,
        classes=settings.DATASET_CLASSES,
        packed=settings.DATASET_PACKED_MB * 10**6,
    )


@transaction.atomic
def find_or_begin_upload(owner: Any, name: str, size: int) -> tuple[Upload, bool]:
    """The upload of the same file that was begun before, else a new one; and whether it is new.

    Raises UploadError as `begin_upload`.
    """
    same = Upload.objects.owned_by(owner).filter(image_set=None, name=_short(name), size=size).first()
    return (same, False) if same else (begin_upload(owner, name, size), True)


def begin_upload(owner: Any, name: str, size: int) -> Upload:
    """A place for a file of `size` bytes; what was begun and left a week ago makes room.

    Raises UploadError for what would be refused later anyway.
    """
    for old in Upload.objects.owned_by(owner).filter(
        image_set=None, created_at__lt=timezone.now() - ABANDONED_AFTER
    ):
        drop_upload(old)
    if not name.lower().endswith((".zip", ".npz")):
        raise UploadError("Choose a .zip of one folder per class, or .npz arrays.")
    most = settings.DATASET_UPLOAD_MB * 10**6
    if not 0 < size <= most:
        raise UploadError(
            f"The file is {amount(size)}; up to {amount(most)} can be uploaded. An administrator can "
            "register a folder that lies on the server."
        )
    if Upload.objects.owned_by(owner).filter(image_set=None).count() >= MOST_UNFINISHED:
        raise UploadError("You have several unfinished uploads. Go on with one of them, or remove one.")
    root = Path(settings.UPLOAD_ROOT)
    root.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(root).free < 2 * size:
        raise UploadError(f"There is not enough room on the server for {amount(size)}.")
    upload = Upload.objects.create(owner=owner, name=_short(name), size=size)
    upload.path.touch(mode=0o600)
    return upload


def _short(name: str) -> str:
    """A file's name as it is kept, without its folder."""
    return Path(name).name[:200]


def take_chunk(upload: Upload, offset: int, content: bytes) -> int:
    """Appends what a browser sent; how many bytes there are now. A chunk sent twice counts once.

    Raises UploadError for one that leaves a gap or goes beyond the announced size.
    """
    if offset + len(content) <= upload.received:
        return upload.received
    if offset != upload.received or offset + len(content) > upload.size or len(content) > CHUNK:
        raise UploadError(f"Go on at byte {upload.received}, with at most {CHUNK} bytes.")
    with upload.path.open("r+b") as file:
        file.seek(offset)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    # Of two browsers that send the same file, one is first; the bytes are the same.
    Upload.objects.filter(pk=upload.pk, received=offset).update(received=offset + len(content))
    upload.refresh_from_db()
    return upload.received


def drop_upload(upload: Upload) -> None:
    """Forgets a file that was uploaded, or in part."""
    upload.path.unlink(missing_ok=True)
    upload.delete()


@transaction.atomic
def start_import(
    *,
    owner: Any,
    name: str,
    upload: Upload | None = None,
    path: Path | None = None,
    size: int | None = None,
    mirrors: bool = False,
) -> ImageSet:
    """Begins to take a data set in: a file that was uploaded, or what lies at a path of the server."""
    run = start_run(
        owner=owner,
        kind="dataset",
        title=f"Data set “{name}”",
        first_step="dataset.read",
        queue=Step.Queue.LIGHT,
    )
    return ImageSet.objects.create(
        owner=owner,
        run=run,
        name=name,
        source=ImageSet.Source.UPLOAD if upload else ImageSet.Source.SERVER,
        origin=upload.name if upload else str(path),
        upload=upload,
        asked_size=size,
        mirrors=mirrors,
    )


@transaction.atomic
def inspect_built_in(owner: Any, name: str) -> ImageSet:
    """Begins to look at the images of a built-in set, or finds where that was done.

    Raises ValueError for an unknown set.
    """
    known = datasets.dataset(name)
    rows = ImageSet.objects.owned_by(owner).filter(source=ImageSet.Source.BUILT_IN, origin=name)
    row: ImageSet | None = rows.exclude(run__status__in=[Run.Status.FAILED, Run.Status.CANCELLED]).first()
    if row is not None:
        return row
    rows.delete()
    run = start_run(
        owner=owner,
        kind="dataset",
        title=f"Data set “{known.label}”",
        first_step="dataset.inspect",
        queue=Step.Queue.LIGHT,
        total=1,
    )
    taken = ImageSet.objects.owned_by(owner).filter(name=known.label).exists()
    return ImageSet.objects.create(
        owner=owner,
        run=run,
        name=f"{known.label} (built in)" if taken else known.label,
        source=ImageSet.Source.BUILT_IN,
        origin=name,
        mirrors=known.mirrors,
    )


def used_by(row: ImageSet) -> list[Predictor]:
    """The predictors whose samples were trained on it."""
    if row.key is None:
        return []
    return list(Predictor.objects.owned_by(row.owner).filter(dataset=row.key))


def remove(row: ImageSet) -> None:
    """Deletes a data set with its files. Raises ValueError while something needs it."""
    if not row.run.is_final:
        raise ValueError("It is still being read. Cancel that first.")
    if users := used_by(row):
        raise ValueError(f"The predictor “{users[0].name}” was trained on it, so it stays.")
    place, workplace = row.place, row.workplace
    shared = row.key is not None and ImageSet.objects.filter(key=row.key).exclude(pk=row.pk).exists()
    upload = row.upload
    row.run.delete()
    if upload is not None:
        drop_upload(upload)
    for directory in (workplace, *([] if shared else [place])):
        shutil.rmtree(directory, ignore_errors=True)


def upload_of(owner: Any, upload_id: str | UUID) -> Upload | None:
    """An upload of the owner's that no data set was made of yet."""
    try:
        return Upload.objects.owned_by(owner).filter(pk=upload_id, image_set=None).first()
    except (ValueError, TypeError):
        return None


def server_path(text: str) -> Path:
    """A path that an administrator may register: absolute, below one of DATASET_FOLDERS where there are any.

    Raises ValueError with a sentence.
    """
    path = Path(text)
    if not path.is_absolute():
        raise ValueError("Enter the whole path, from the root.")
    real = path.resolve()
    roots = [Path(root).resolve() for root in settings.DATASET_FOLDERS]
    if not any(real.is_relative_to(root) for root in roots):
        allowed = ", ".join(map(str, roots)) or "none: DATASET_FOLDERS is not set"
        raise ValueError(f"Folders that can be registered here lie below {allowed}.")
    if not real.exists():
        raise ValueError(f"There is nothing at {real}.")
    return real
