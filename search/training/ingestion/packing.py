"""Putting the slices of a data set together: what comes out is a directory that `search.training.stored`
opens.

Whatever takes long calls `on_wait` every now and then; what that raises ends the work.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from search.training.ingestion.limits import LISTED, IngestError
from search.training.ingestion.listing import TEST, TRAIN, Listing
from search.training.ingestion.slices import RAW, Pixels, Plan, Slices, Wait, load_slices
from search.training.splits import TEST_SEED, stratified_order

FEWEST_PER_CLASS = 5
TEST_SHARE = 0.2
VALIDATION_SHARE, MOST_VALIDATION = 0.2, 10_000
PREVIEWS, PREVIEW_SIZE = 8, 48
BINS = 16
_AT_ONCE = 2**22
"""Bytes of images that are copied at once."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A data set that was taken in: what it is, and what was seen on the way, both as JSON types."""

    checksum: str
    facts: dict[str, Any]
    report: dict[str, Any]


def put_together(
    listing: Listing,
    planned: Plan,
    work: Path,
    out: Path,
    root: Path | None = None,
    on_wait: Wait = lambda: None,
) -> Taken:
    """Makes the directory `out` of everything that was read.

    Unreadable images are left out, and of images that are the same to the pixel all but one; one that is in
    both parts stays in the test part. `root` is where the images of a set lie that is not packed.
    Raises IngestError when too little is left of a class.
    """
    read = load_slices(work, planned, on_wait)
    kept, doubles = _distinct(listing, read)
    on_wait()
    labels = listing.labels[kept]
    _check_classes(listing, labels)
    test = _test_part(listing, labels, kept)
    channels = 1 if bool(read.grey[kept].all()) else 3
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "labels.npy", labels)
    np.save(out / "test.npy", test)
    values = read.values
    if planned.packed:
        values = _write_images(work, out, kept, planned, channels, on_wait)
    else:
        np.save(out / "names.npy", _as_bytes(listing, kept))
    on_wait()
    development = int((~test).sum())
    facts = {
        "classes": list(listing.classes),
        "size": planned.size,
        "channels": channels,
        "validation": min(round(VALIDATION_SHARE * development), MOST_VALIDATION),
        "train": development - min(round(VALIDATION_SHARE * development), MOST_VALIDATION),
        "test": int(test.sum()),
        "packed": planned.packed,
        "root": None if planned.packed or root is None else str(root),
    }
    facts["checksum"] = checksum = _checksum(facts, read.digests[kept], labels, test)
    (out / "facts.json").write_text(json.dumps(facts))
    report = _report(listing, planned, read, kept, test, values[:channels]) | doubles
    return Taken(checksum, facts, report)


def _as_bytes(listing: Listing, kept: npt.NDArray[np.int64]) -> npt.NDArray[np.bytes_]:
    """Names of the files that stay, as the system writes them."""
    longest = max(len(os.fsencode(listing.names[row])) for row in kept)
    names = (os.fsencode(listing.names[row]) for row in kept)
    return np.fromiter(names, dtype=f"S{longest}", count=len(kept))


def _distinct(listing: Listing, read: Slices) -> tuple[npt.NDArray[np.int64], dict[str, Any]]:
    """Rows of the images that stay, in their order, and what is said of the others."""
    rows = np.flatnonzero(read.good)
    parts = listing.parts if listing.parts is not None else np.zeros(len(listing), dtype=np.int8)
    first = rows[np.argsort(-parts[rows], kind="stable")]  # the test part keeps its images
    suspects = first[_share_beginnings(read.digests, first)]
    keys = np.ascontiguousarray(read.digests[suspects]).view("V32").ravel()
    _, chosen, belongs = np.unique(keys, return_index=True, return_inverse=True)
    keeper = suspects[chosen][belongs]
    same = np.flatnonzero(keeper != suspects)
    same = same[np.argsort(suspects[same])]
    dropped, instead = suspects[same], keeper[same]
    stays = read.good.copy()
    stays[dropped] = False

    def told(which: npt.NDArray[np.bool_]) -> dict[str, Any]:
        pairs = zip(dropped[which][:LISTED].tolist(), instead[which][:LISTED].tolist(), strict=True)
        names = [[listing.names[one], listing.names[other]] for one, other in pairs]
        return {"count": int(which.sum()), "listed": names}

    return np.flatnonzero(stays), {
        "duplicates": told(np.ones(len(dropped), dtype=bool)),
        "overlap": told((parts[dropped] == TRAIN) & (parts[instead] == TEST)),
        "conflicts": told(listing.labels[dropped] != listing.labels[instead]),
    }


def _share_beginnings(digests: Pixels, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which rows have a digest that begins like another's: few but doubles, and whole digests of few are
    cheap to compare."""
    beginnings = np.ascontiguousarray(digests[:, :8]).view(np.int64).ravel()[rows]
    _, group, sizes = np.unique(beginnings, return_inverse=True, return_counts=True)
    shared: npt.NDArray[np.bool_] = sizes[group] > 1
    return shared


def _check_classes(listing: Listing, labels: npt.NDArray[np.int64]) -> None:
    counts = np.bincount(labels, minlength=len(listing.classes))
    least = int(counts.argmin())
    if counts[least] < FEWEST_PER_CLASS:
        raise IngestError(
            f"The class “{listing.classes[least][:80]}” has {counts[least]} readable, distinct images; every "
            f"class needs at least {FEWEST_PER_CLASS}."
        )


def _test_part(
    listing: Listing, labels: npt.NDArray[np.int64], kept: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Which images (n,) test final models: the set's own test part, else a fixed fifth of each class."""
    test = np.zeros(len(kept), dtype=bool)
    if listing.parts is not None:
        test[:] = listing.parts[kept] == TEST
        missing = set(range(len(listing.classes))) - set(labels[~test].tolist())
        if missing:
            raise IngestError(
                f"The class “{listing.classes[min(missing)][:80]}” has no images to learn from."
            )
        if test.any():
            return test
    order = stratified_order(labels, np.random.default_rng(TEST_SEED))
    test[order[: round(TEST_SHARE * len(order))]] = True
    return test


def _write_images(
    work: Path, out: Path, kept: npt.NDArray[np.int64], planned: Plan, channels: int, on_wait: Wait
) -> npt.NDArray[np.int64]:
    """Copies the images that stay; how often each of the 256 values occurs per channel (3, 256)."""
    shape = (planned.size, planned.size, 3)
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(kept), *shape[:2], channels)}
    values = np.zeros((3, 256), dtype=np.int64)
    with (out / "images.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for some in chunks(planned.images, max(1, _AT_ONCE // (3 * planned.size**2))):
            first, end = np.searchsorted(kept, (some.start, some.stop))
            read = np.fromfile(
                work / RAW,
                dtype=np.uint8,
                count=(some.stop - some.start) * int(np.prod(shape)),
                offset=some.start * int(np.prod(shape)),
            ).reshape(-1, *shape)
            part = read[kept[first:end] - some.start][..., :channels]
            file.write(part.tobytes())
            for channel in range(channels):
                values[channel] += np.bincount(part[..., channel].ravel(), minlength=256)
            os.fsync(file.fileno())  # so that little is left to wait for at the end
            on_wait()
    return values


def _checksum(
    facts: dict[str, Any], digests: Pixels, labels: npt.NDArray[np.int64], test: npt.NDArray[np.bool_]
) -> str:
    """SHA-256 over what the set is: classes, size, every image before it was resized, labels and split."""
    said = {name: facts[name] for name in ("classes", "size", "channels", "validation")}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for part in (digests, labels.astype("<i8"), test):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _report(
    listing: Listing,
    planned: Plan,
    read: Slices,
    kept: npt.NDArray[np.int64],
    test: npt.NDArray[np.bool_],
    values: npt.NDArray[np.int64],
) -> dict[str, Any]:
    sizes = read.sizes[kept]
    labels, classes = listing.labels[kept], len(listing.classes)
    return {
        "found": planned.images,
        "kept": len(kept),
        "unreadable": {"count": int((~read.good).sum()), "listed": read.problems[:LISTED]},
        "ignored": {"count": listing.ignored_count, "listed": list(listing.ignored)},
        "given_split": listing.parts is not None and TEST in listing.parts,
        "per_class": [
            np.bincount(labels[~test], minlength=classes).tolist(),
            np.bincount(labels[test], minlength=classes).tolist(),
        ],
        "widths": _spread(sizes[:, 0]),
        "heights": _spread(sizes[:, 1]),
    } | pixel_facts(values)


def pixel_facts(values: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Mean, deviation and a histogram of BINS bins per channel, from counts of values (channels, 256)."""
    grey = np.arange(256) / 255.0
    totals = values.sum(axis=1)
    mean = values @ grey / totals
    deviation = np.sqrt(np.maximum(values @ grey**2 / totals - mean**2, 0.0))
    histogram = values.reshape(len(values), BINS, 256 // BINS).sum(axis=2) / totals[:, None]
    return {
        "mean": mean.round(4).tolist(),
        "deviation": deviation.round(4).tolist(),
        "histogram": histogram.round(5).tolist(),
    }


def _spread(lengths: npt.NDArray[np.int32]) -> list[int]:
    return [int(lengths.min()), int(np.median(lengths)), int(lengths.max())]


def previews(
    images: Callable[[npt.NDArray[np.int64]], Pixels],
    labels: npt.NDArray[np.int64],
    classes: int,
    on_wait: Wait = lambda: None,
) -> Pixels:
    """PREVIEWS images of each class, spread over it, at most PREVIEW_SIZE wide: (classes, 8, p, p, channels).

    `images` gives images by their rows; of a class with fewer the rest stays black.
    """
    grouped = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[grouped], np.arange(classes + 1))
    rows = [_spread_rows(grouped[start:end]) for start, end in pairwise(ends.tolist())]
    sample = images(rows[0][:1])
    step = max(1, -(-sample.shape[1] // PREVIEW_SIZE))
    side, channels = len(range(0, sample.shape[1], step)), sample.shape[3]
    found = np.zeros((classes, PREVIEWS, side, side, channels), dtype=np.uint8)
    for one, chosen in enumerate(rows):
        found[one, : len(chosen)] = images(chosen)[:, ::step, ::step]
        on_wait()
    return found


def _spread_rows(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    places = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), PREVIEWS)).astype(np.int64))
    chosen: npt.NDArray[np.int64] = rows[places]
    return chosen


def chunks(count: int, at_once: int = 1000) -> Iterator[slice]:
    """Slices that cover `count` rows."""
    return (slice(start, min(start + at_once, count)) for start in range(0, count, at_once))
