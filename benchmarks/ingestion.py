"""How a folder of very many images is taken in: speed, memory, progress and how long a lease must last.

    python benchmarks/ingestion.py [--files 10000] [--classes 1000] [--size 16] [--packed-mb 16000] [--json]

Makes a folder as ImageNet's is laid out (train/<class>/<number>.png) of tiny images, all different, and takes
it in as a worker does: the very step, with a database of its own, in a fresh process. Everything lies below
`--directory` (a temporary one unless given) and is removed afterwards. Sets that would take more than
`--packed-mb` stay in their folder, others are copied. The figures:

    listing             files a second that are found and sorted into classes
    reading             files a second that are read, decoded, checked and counted
    seconds             of the whole step
    peak_mb             most memory that lay in RAM at once, the interpreter and its libraries included
    idle_mb             the same before the step began
    reports             progress a watcher was told of
    longest_silence     seconds at most between two moments at which the lease was or could be renewed
                        (STEP_LEASE_SECONDS is 60); silent_after is what the page said then
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SIDE = 16  # pixels of an image
Found = dict[str, float | int | str]


def main() -> None:
    chosen = _arguments()
    with tempfile.TemporaryDirectory(prefix="ingestion-", dir=chosen.directory) as place:
        begun = time.perf_counter()
        make_folder(Path(place) / "images", chosen.files, chosen.classes)
        made = time.perf_counter() - begun
        # A fresh process: its peak of memory is that of the step.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found: Found = pool.apply(take_in, (place, chosen.size, chosen.packed_mb))
        _tell(
            {
                "files": chosen.files,
                "classes": chosen.classes,
                "size": chosen.size,
                "seconds_to_make_them": round(made, 1),
            }
            | found,
            as_json=chosen.json,
        )  # before the files are removed, which takes long


def _tell(found: Found, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found, indent=1), flush=True)
        return
    print(f"{found['files']:,} files: {found['listing']} listed and {found['reading']} read a second")
    print(f"{found['seconds']} s, {found['peak_mb']} MB at most ({found['idle_mb']} before)")
    print(f"{found['reports']} reports; silent for {found['longest_silence']} s at most", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--size", type=int, default=SIDE, help="pixels that images are stored at")
    parser.add_argument("--packed-mb", type=int, default=16_000)
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def make_folder(root: Path, files: int, classes: int) -> None:
    """train/<class>/<number>.png, the numbers dealt out to the classes in turn."""
    for one in range(classes):
        folder = root / "train" / f"n{one:08d}"
        folder.mkdir(parents=True)
        for number in range(one, files, classes):
            descriptor = os.open(folder / f"{number:08d}.png", os.O_WRONLY | os.O_CREAT, 0o600)
            os.write(descriptor, image(number))
            os.close(descriptor)


def image(number: int) -> bytes:
    """A whole PNG of SIDE x SIDE colours, the first two pixels of which are its number."""
    pixels = bytearray(b"\x00" + bytes(range(3 * SIDE))) * SIDE  # each row begins with its filter, none
    pixels[1:7] = number.to_bytes(6, "big")
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(pixels, 0)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def take_in(place: str, size: int, packed_mb: int) -> Found:
    """Runs the step on the folder below `place`; what it took."""
    os.environ["DATASET_PACKED_MB"] = str(packed_mb)
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"  # a database of its own, and no broker
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    settings.DATASET_ROOT = Path(place) / "datasets"
    step = _claimed(Path(place) / "images", size)
    from search.steps.dataset import read

    idle, begun = _peak_mb(), time.perf_counter()
    read(step)
    seconds = time.perf_counter() - begun
    step.heard("the end")
    shutil.rmtree(settings.DATASET_ROOT)
    run = step.run
    return {
        "listing": round(run.total / (step.times["listed"] - begun)),
        "reading": round(run.total / (step.times["read"] - step.times["listed"])),
        "seconds": round(seconds, 1),
        "peak_mb": round(_peak_mb()),
        "idle_mb": round(idle),
        "reports": run.events.filter(kind="progress").count(),
        "longest_silence": round(step.silence[0], 2),
        "silent_after": step.silence[1],
        "said": run.message,
    }


def _claimed(folder: Path, size: int) -> Any:
    """The step of a new data set, claimed, that notes when its lease could be renewed."""
    from django.contrib.auth import get_user_model

    from devices.runs.models import Run
    from devices.runs.steps import ClaimedStep, claim
    from devices.runs.writing import RunWriter
    from search.services.datasets import start_import

    owner = get_user_model().objects.create_user(username="benchmark", password=None).teams.get()
    row = start_import(owner=owner, name="Many", path=folder, size=size)
    taken = claim(row.run.steps.get().pk)
    if taken is None:
        raise RuntimeError("The step could not be claimed.")

    class Watched(ClaimedStep):
        def __init__(self, claimed: ClaimedStep) -> None:
            super().__init__(claimed.step, claimed.token)
            self.silence, self.times = (0.0, ""), dict[str, float]()
            self._last = time.perf_counter()

        def heard(self, where: str) -> None:
            now = time.perf_counter()
            self.silence = max(self.silence, (now - self._last, where))
            self._last = now

        def check(self, every_seconds: float = 1.0) -> Run:
            self.heard(self.run.message)
            return super().check(every_seconds)

        @contextmanager
        def report(self, *, saved: bool = False) -> Iterator[RunWriter]:
            with super().report(saved=saved) as writer:
                yield writer
            self.heard(self.run.message)
            if self.run.total and "listed" not in self.times:
                self.times["listed"] = time.perf_counter()
            if self.run.total and self.run.done == self.run.total and "read" not in self.times:
                self.times["read"] = time.perf_counter()

    return Watched(taken)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
