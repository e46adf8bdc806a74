"""A whole installation in one file, and back: between databases of any kind.

The file is a tar of

    manifest.json       format, applied migrations, files that were gone when it was their turn
    rows/app.model      a JSON object a line, as Django serialises rows; all of one moment
    storage/…           files of the storage that rows name
    datasets/… uploads/…   what lies on the shared disk

Sessions are left out: people sign in again. So are the answers to requests that happen once, which are of use
for a day, and SECRET_KEY, which signs nothing that lasts.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import serializers
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.core.management.color import no_style
from django.db import connection, models, transaction
from django.db.migrations.recorder import MigrationRecorder

from devices.models import KernelFile
from devices.runs.execution import release_all
from devices.runs.models import Run
from search.models import ModelFile, TrainedModel

FORMAT = 1
LEFT_OUT = {"sessions.session", "accounts.oncekey"}
BATCH = 500
NAMED_FILES: tuple[tuple[Any, str], ...] = (
    (ModelFile, "file"),
    (TrainedModel, "checkpoint"),
    (KernelFile, "file"),
)


class BackupError(Exception):
    """Why a backup cannot be written or taken in; a sentence for a person."""


def write_backup(path: Path) -> dict[str, int]:
    """Writes the backup; how many rows and files it holds. The installation goes on meanwhile.

    It appears under its name when it is whole. Raises BackupError where there is a file already.
    """
    if path.exists():
        raise BackupError(f"{path} is there already. Choose another name.")
    unfinished = path.with_name(f"{path.name}.unfinished")
    with tarfile.open(unfinished, "w") as archive:
        with _one_moment():
            rows = sum(_add_rows(archive, model) for model in _models())
            names = sorted(_named_files())
            applied = _applied_migrations()
        gone = [name for name in names if not _add_file(archive, name)]
        folders = _add_folder(archive, "datasets", settings.DATASET_ROOT)
        folders += _add_folder(archive, "uploads", settings.UPLOAD_ROOT)
        manifest = {"format": FORMAT, "migrations": applied, "gone": gone}
        _add(archive, "manifest.json", io.BytesIO(json.dumps(manifest).encode()))
    unfinished.rename(path)
    return {"rows": rows, "files": len(names) - len(gone) + folders}


def restore_backup(path: Path) -> dict[str, int]:
    """Fills an empty, migrated installation; how many rows and files it got.

    Work that was under way goes on from its last step. Raises BackupError, changing nothing in the database,
    for a file that is no backup, that another version wrote, and where people or runs exist already.
    """
    if get_user_model().objects.exists() or Run.objects.exists():
        raise BackupError("This installation is in use. Restore into an empty one: another DATABASE_URL.")
    try:
        archive = tarfile.open(path)  # noqa: SIM115  (closed below)
    except (OSError, tarfile.TarError) as error:
        raise BackupError(f"{path} is no backup: {error}") from error
    with archive:
        manifest = _manifest(archive, path)
        files = sum(_restore_file(archive, member) for member in archive if member.isfile())
        with transaction.atomic():
            rows = _restore_rows(archive)
            _forget(manifest["gone"])
            release_all()
    return {"rows": rows, "files": files}


@contextmanager
def _one_moment() -> Iterator[None]:
    """All rows read inside are of one moment, and nobody who writes waits."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _models() -> list[type[models.Model]]:
    """Every model with rows of its own, those of many-to-many relations included."""
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and model._meta.label_lower not in LEFT_OUT
    ]


def _add_rows(archive: tarfile.TarFile, model: type[models.Model]) -> int:
    rows = model._base_manager.order_by("pk")
    with tempfile.TemporaryFile() as content:
        text = io.TextIOWrapper(content, encoding="utf-8")
        serializers.serialize("jsonl", rows.iterator(chunk_size=BATCH), stream=text)
        text.flush()
        _add(archive, f"rows/{model._meta.label_lower}", content)
        text.detach()
    return rows.count()


def _named_files() -> set[str]:
    return {
        name for model, field in NAMED_FILES for name in model.objects.values_list(field, flat=True) if name
    }


def _add_file(archive: tarfile.TarFile, name: str) -> bool:
    """False for a file that went meanwhile, as the checkpoint before the newest one does."""
    try:
        with default_storage.open(name, "rb") as file, tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(file, copy)
            _add(archive, f"storage/{name}", copy)
    except FileNotFoundError:
        return False
    return True


def _add_folder(archive: tarfile.TarFile, prefix: str, root: Path) -> int:
    """How many files it added: all below a folder of the shared disk."""
    paths = [path for path in sorted(Path(root).rglob("*")) if path.is_file()]
    for path in paths:
        archive.add(path, f"{prefix}/{path.relative_to(root).as_posix()}", recursive=False)
    return len(paths)


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size = content.seek(0, io.SEEK_END)
    content.seek(0)
    archive.addfile(member, content)


def _applied_migrations() -> list[list[str]]:
    return sorted([app, name] for app, name in MigrationRecorder(connection).applied_migrations())


def _manifest(archive: tarfile.TarFile, path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(_content(archive, "manifest.json").read())
    except (KeyError, ValueError):
        raise BackupError(f"{path} is no backup, or not a whole one: it has no manifest.") from None
    if manifest.get("format") != FORMAT or manifest["migrations"] != _applied_migrations():
        raise BackupError(
            "The backup is of another version. Restore it with the code that wrote it, then upgrade."
        )
    return manifest


def _content(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file


def _restore_file(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bool:
    """Puts a file where it belongs; False for what is none. Raises BackupError for one that would escape."""
    first, _, name = member.name.partition("/")
    if first not in ("storage", "datasets", "uploads"):
        return False
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise BackupError(f"The backup holds a file that would lie elsewhere: {member.name}")
    content = _content(archive, member.name)
    if first == "storage":
        if not default_storage.exists(name):
            default_storage.save(name, File(content))
        return True
    root = settings.DATASET_ROOT if first == "datasets" else settings.UPLOAD_ROOT
    place = Path(root) / name
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as file:
        shutil.copyfileobj(content, file)
    return True


def _restore_rows(archive: tarfile.TarFile) -> int:
    """Replaces what migrations put in by what the backup holds. Constraints are checked at the end."""
    known = _models()
    for model in known:
        model._base_manager.all().delete()
    count = 0
    for model in known:
        batch: list[models.Model] = []
        text = io.TextIOWrapper(_content(archive, f"rows/{model._meta.label_lower}"), encoding="utf-8")
        for found in serializers.deserialize("jsonl", text):
            batch.append(found.object)
            if len(batch) == BATCH:
                model._base_manager.bulk_create(batch)
                count, batch = count + len(batch), []
        model._base_manager.bulk_create(batch)
        count += len(batch)
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), known):
            cursor.execute(statement)
    return count


def _forget(gone: list[str]) -> None:
    """Checkpoints that were replaced during the backup: their trainings begin anew, and end the same."""
    TrainedModel.objects.filter(checkpoint__in=gone).update(checkpoint=None)
