"""The steps of taking a data set in."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from django.db import IntegrityError

from devices.runs.models import Run
from devices.runs.steps import ClaimedStep, StepFailedError
from devices.runs.writing import finite
from search.models import ImageSet
from search.services.datasets import drop_upload, limits
from search.training import datasets
from search.training.datasets import Arrays
from search.training.ingestion.limits import IngestError
from search.training.ingestion.packing import chunks, pixel_facts, previews, put_together
from search.training.ingestion.slices import Plan, plan, read_slices
from search.training.ingestion.sources import FolderSource, Source, open_source
from search.training.stored import open_set

KEY_LENGTH = 32


class _PausedError(Exception):
    """The run was paused: the step is given back."""


def read(step: ClaimedStep) -> None:
    """Lists what there is, reads every image, puts the set together; goes on where an earlier try ended."""
    row: ImageSet = step.run.dataset
    work = row.workplace
    work.mkdir(parents=True, exist_ok=True)
    try:
        _read(step, row, work)
    except _PausedError:
        step.release()
    except IngestError as error:
        shutil.rmtree(work, ignore_errors=True)
        raise StepFailedError(str(error)) from error


def _read(step: ClaimedStep, row: ImageSet, work: Path) -> None:
    path = row.upload.path if row.upload is not None else Path(row.origin)
    with step.report() as writer:
        writer.progress(message="Looking what there is")

    def on_wait() -> None:
        _check(step)

    source = open_source(path, limits(), work, _ListingProgress(step))
    try:
        planned = plan(source, row.asked_size, limits(), on_wait)
        with step.report() as writer:
            writer.progress(total=planned.images, message=f"Reading {planned.images:,} images")
            classes = len(source.listing.classes)
            writer.event("log", {"level": "info", "text": f"{planned.images:,} files in {classes} classes."})
        read_slices(source, planned, work, _ReadingProgress(step))
        _take(step, row, source, planned, work)
    finally:
        source.close()


class _ListingProgress:
    """Says how many files there are so far, each time that there are a tenth more."""

    def __init__(self, step: ClaimedStep) -> None:
        self._step, self._told = step, 0

    def __call__(self, files: int) -> None:
        _check(self._step)
        if files > 1.1 * self._told:
            self._told = files
            _say(self._step, f"{files:,} files found")


class _ReadingProgress:
    """Says how far the reading is, once every hundredth."""

    def __init__(self, step: ClaimedStep) -> None:
        self._step, self._told = step, 0

    def __call__(self, images: int) -> None:
        _check(self._step)
        total = self._step.run.total or 1
        if images - self._told >= max(total // 100, 1) or images == total:
            self._told = images
            with self._step.report() as writer:
                writer.progress(done=images)


def _check(step: ClaimedStep) -> None:
    if step.check().status == Run.Status.PAUSED:
        raise _PausedError


def _say(step: ClaimedStep, text: str) -> None:
    with step.report() as writer:
        writer.progress(message=text)


def _take(step: ClaimedStep, row: ImageSet, source: Source, planned: Plan, work: Path) -> None:
    made = work / "made"
    shutil.rmtree(made, ignore_errors=True)
    _say(step, "Putting the images together")
    root = source.root if isinstance(source, FolderSource) else None
    taken = put_together(source.listing, planned, work, made, root, lambda: _check(step))
    _write_previews(step, made)
    row.facts, row.report, row.key = taken.facts, finite(taken.report), taken.checksum[:KEY_LENGTH]
    same = ImageSet.objects.filter(owner=row.owner, key=row.key).exclude(pk=row.pk).first()
    if same is not None:
        raise IngestError(f"This is the data set “{same.name}”, image for image: it is here already.")
    _put_in_place(made, row.place)
    try:
        with step.commit() as writer:
            row.save()
            writer.progress(done=writer.run.total)
            facts = taken.facts
            images = facts["train"] + facts["validation"] + facts["test"]
            writer.succeed(
                f"{images:,} images of {len(facts['classes'])} classes, {_left_out(taken.report)}."
            )
    except IntegrityError:
        raise IngestError("The same images were taken in under another name meanwhile.") from None
    shutil.rmtree(work, ignore_errors=True)
    if row.upload is not None:
        drop_upload(row.upload)


def _put_in_place(made: Path, place: Path) -> None:
    """Under the checksum, at once; what is there already under it is the same."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.rename(made, place)
    except OSError:
        if not (place / "facts.json").exists():
            raise
        shutil.rmtree(made, ignore_errors=True)


def _left_out(report: dict[str, Any]) -> str:
    parts = [
        f"{report[name]['count']:,} {text}"
        for name, text in (
            ("unreadable", "unreadable"),
            ("duplicates", "doubled"),
            ("ignored", "beside the classes"),
        )
        if report[name]["count"]
    ]
    return f"left out: {', '.join(parts)}" if parts else "none left out"


def _write_previews(step: ClaimedStep, place: Path) -> None:
    stored = open_set(place)

    def images(rows: Any) -> Any:
        return stored.images.reader.read(rows)

    development = np.flatnonzero(~stored.test)
    found = previews(
        lambda rows: images(development[rows]),
        stored.labels[development],
        len(stored.facts["classes"]),
        lambda: _check(step),
    )
    np.save(place / "previews.npy", found)


def inspect(step: ClaimedStep) -> None:
    """Looks at the images of a built-in set, the test images excepted."""
    row: ImageSet = step.run.dataset
    known = datasets.dataset(row.origin)
    data = datasets.load_training(known, seed=0)
    parts = [data.train, data.validation]
    values = np.zeros((known.channels, 256), dtype=np.int64)
    for part in parts:
        _count(part, values)
    classes = len(known.classes)
    whole = Arrays(
        np.concatenate([part.pixels() for part in parts]), np.concatenate([part.labels for part in parts])
    )
    place = row.workplace
    place.mkdir(parents=True, exist_ok=True)
    np.save(place / "previews.npy", previews(lambda rows: whole.pixels()[rows], whole.labels, classes))
    row.facts = {
        "classes": list(known.classes),
        "size": known.image_size,
        "channels": known.channels,
        "train": known.train_images,
        "validation": known.validation_images,
        "test": known.test_images,
        "checksum": known.checksum,
        "packed": True,
    }
    side = [known.image_size] * 3
    row.report = {
        "found": known.train_images + known.validation_images + known.test_images,
        "per_class": [np.bincount(whole.labels, minlength=classes).tolist(), []],
        "widths": side,
        "heights": side,
        "given_split": False,
    } | pixel_facts(values)
    with step.commit() as writer:
        row.save()
        writer.progress(done=1)
        writer.succeed(f"{len(whole):,} images for training and validation looked at.")


def _count(arrays: Arrays, values: Any) -> None:
    """Adds how often each of the 256 values occurs per channel."""
    for rows in chunks(len(arrays)):
        pixels = arrays[rows].pixels()
        for channel in range(len(values)):
            values[channel] += np.bincount(pixels[..., channel].ravel(), minlength=256)
