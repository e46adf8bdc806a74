"""Loading an exported file in a fresh process, where nothing of the training is left to help it.

`python -m search.training.verification` reads a request as JSON from standard input and answers in JSON.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from devices.profiling import bind, freeze, time_networks
from devices.profiling.torchscript import as_bytes as torchscript_bytes
from search.training.batches import Preprocess, as_tensor, resize
from search.training.datasets import Arrays
from search.training.export import sha256_of
from search.training.loading import Loaded, load_file
from search.training.onnx_export import onnx_preprocessing
from search.training.preprocessing import Preprocessing

TOLERANCE = 1e-4
LARGEST_LOSS = 0.05
"""Share of the test images that a file in 8 bits may get wrong beyond the float network."""
LEAST_AGREEMENT = 0.9
"""Share of the test images that a file in 8 bits must take for the same class."""
JUDGED_AT_ONCE = 256
ROUNDS = 12
PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Verification:
    """What a fresh process found.

    Latency is of one call on images that already have the network's resolution, normalisation included;
    `preprocessing_ms` is that normalisation alone, which no prediction of the network's latency covers.
    """

    max_difference: float  # of any logit, to the trained network's
    agreement: float  # share of the test images, 0..1, taken for the same class as by the trained network
    accuracy: float  # on the test images, 0..1
    latency_ms: float  # minimum
    latency_p50_ms: float
    preprocessing_ms: float  # minimum
    sha256: str


class VerificationError(Exception):
    """The file is not what was trained, or does not run; the message says in what it differs."""


class VerifierKilledError(Exception):
    """The process that checks a file was killed from outside, which says nothing about the file."""


def verify(
    path: Path,
    *,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    logits: npt.NDArray[np.float32],
    threads: int,
    batch_size: int,
    scratch: Path,
    file_format: str = "torchscript",
    on_wait: Callable[[], object] = lambda: None,
    timeout: float = 3600,
) -> Verification:
    """Have a fresh process load the file, compare its outputs on test images and time it.

    Images are (n, height, width, channels), labels (n,), logits (n, classes) of the trained network.
    `scratch` is a directory to hand them over in. `on_wait` is called about once a second; what it raises
    ends the process. `timeout` is in seconds.

    Raises VerificationError when the file does not load and run, when any output differs by more than
    TOLERANCE, or when the test accuracy differs by more images than are near-ties, whose first two logits
    change places within that tolerance; in 8 bits, when it decides otherwise too often.
    """
    expected = scratch / "expected.npz"
    if not expected.exists():
        np.savez(expected, images=images, labels=labels, logits=logits)
    request = {
        "path": str(path),
        "format": file_format,
        "expected": str(expected),
        "threads": threads,
        "batch_size": batch_size,
    }
    found = Verification(**_ask_fresh_process(request, timeout, on_wait))
    accuracy = _accuracy(logits, labels)
    if file_format == "onnx-int8":
        if not found.agreement >= LEAST_AGREEMENT:
            raise VerificationError(
                f"In 8 bits {found.agreement:.2%} of the test images are taken for the same class as by the "
                f"trained network; {LEAST_AGREEMENT:.0%} are asked for."
            )
        if not accuracy - found.accuracy <= LARGEST_LOSS:
            raise VerificationError(
                f"In 8 bits the test accuracy is {found.accuracy:.2%}, {accuracy - found.accuracy:.2%} below "
                f"the trained network's; {LARGEST_LOSS:.0%} is allowed."
            )
        return found
    # Written so that a difference that is not a number fails too.
    if not found.max_difference <= TOLERANCE:
        raise VerificationError(
            f"The file's outputs differ by up to {found.max_difference:.2g}; {TOLERANCE:g} is allowed."
        )
    if not abs(found.accuracy - accuracy) <= _near_ties(logits) + 0.5 / len(logits):
        raise VerificationError(
            f"The file's test accuracy is {found.accuracy:.4%}, but the trained network's {accuracy:.4%}."
        )
    return found


def _ask_fresh_process(
    request: dict[str, Any], timeout: float, on_wait: Callable[[], object]
) -> dict[str, Any]:
    command = [sys.executable, "-m", "search.training.verification"]
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, cwd=PROJECT, text=True, **pipes) as process:  # noqa: S603  (our own module)
        try:
            said, complaint = _answered(process, json.dumps(request), timeout, on_wait)
        except BaseException:
            process.kill()
            raise
    if process.returncode in (-signal.SIGKILL, -signal.SIGTERM):
        raise VerifierKilledError("the process that checks the file was killed; is there enough memory?")
    if process.returncode != 0:
        last = (complaint.strip().splitlines() or ["no message"])[-1]
        raise VerificationError(f"The file does not load and run in a fresh process: {last}")
    found: dict[str, Any] = json.loads(said)
    return found


def _answered(
    process: subprocess.Popen[str], request: str, timeout: float, on_wait: Callable[[], object]
) -> tuple[str, str]:
    """What a process has printed by its end, on both channels."""
    end = time.monotonic() + timeout
    sent: str | None = request
    while time.monotonic() < end:
        try:
            return process.communicate(sent, timeout=1.0)
        except subprocess.TimeoutExpired:
            sent = None  # it was handed over with the first call
            on_wait()
    raise VerificationError(f"The file did not finish in {timeout:g} seconds.")


def time_file(
    path: Path,
    file_format: str,
    preprocessing: Preprocessing,
    *,
    threads: int,
    batch_size: int,
    on_wait: Callable[[], object] = lambda: None,
    timeout: float = 3600,
) -> tuple[list[float], list[float]]:
    """Timings in microseconds of a file on one batch, and of its preprocessing alone, in a fresh process.

    Raises VerificationError when the file does not load and run.
    """
    request = {
        "path": str(path),
        "format": file_format,
        "preprocessing": preprocessing.to_json(),
        "threads": threads,
        "batch_size": batch_size,
    }
    found = _ask_fresh_process(request, timeout, on_wait)
    return found["whole"], found["alone"]


def preprocessing_file(preprocessing: Preprocessing, file_format: str) -> bytes:
    """What a file of the format does before the network, as a file of its own, to be timed alone."""
    if file_format == "onnx":
        return onnx_preprocessing(preprocessing)
    batch = torch.rand(1, preprocessing.channels, preprocessing.resolution, preprocessing.resolution)
    return torchscript_bytes(freeze(Preprocess(preprocessing), batch))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The fresh process's part of either request."""
    torch.set_num_threads(request["threads"])
    if "expected" in request:
        return asdict(_verified(request))
    loaded = load_file(Path(request["path"]), request["format"], request["threads"])
    preprocessing = Preprocessing.from_json(request["preprocessing"])
    size, rng = preprocessing.resolution, np.random.default_rng(0)
    images = rng.random((request["batch_size"], preprocessing.channels, size, size), dtype=np.float32)
    whole, alone = _time(loaded, preprocessing, torch.from_numpy(images))
    return {"whole": whole, "alone": alone}


def _verified(request: dict[str, Any]) -> Verification:
    """The fresh process's part. Raises ValueError or RuntimeError for a file that is not as exported."""
    path = Path(request["path"])
    loaded = load_file(path, request["format"], request["threads"])
    with np.load(request["expected"], allow_pickle=False) as expected:
        arrays = Arrays(expected["images"], expected["labels"])
        logits: npt.NDArray[np.float32] = expected["logits"]
    outputs = _outputs(loaded, arrays)
    if outputs.shape != logits.shape or len(json.loads(loaded.extra["classes.json"])) != logits.shape[1]:
        raise ValueError(f"outputs or class names do not fit {logits.shape[1]} classes")
    preprocessing = Preprocessing.from_json(json.loads(loaded.extra["preprocessing.json"]))
    chosen = np.resize(np.arange(len(arrays), dtype=np.int64), request["batch_size"])
    batch = resize(as_tensor(arrays[chosen]), preprocessing.resolution).contiguous()
    latencies, alone = _time(loaded, preprocessing, batch)
    return Verification(
        max_difference=float(np.abs(outputs - logits).max()),
        agreement=float((outputs.argmax(axis=1) == logits.argmax(axis=1)).mean()),
        accuracy=_accuracy(outputs, arrays.labels),
        latency_ms=min(latencies) / 1000.0,
        latency_p50_ms=float(np.median(latencies)) / 1000.0,
        preprocessing_ms=min(alone) / 1000.0,
        sha256=sha256_of(path),
    )


def _outputs(loaded: Loaded, arrays: Arrays) -> npt.NDArray[np.float32]:
    return np.concatenate(
        [
            loaded.run(as_tensor(arrays[start : start + JUDGED_AT_ONCE]).contiguous().numpy())
            for start in range(0, len(arrays), JUDGED_AT_ONCE)
        ]
    )


def _time(loaded: Loaded, preprocessing: Preprocessing, batch: Tensor) -> tuple[list[float], list[float]]:
    """Timings in microseconds of the whole file, and of torch's preprocessing alone."""
    alone = freeze(Preprocess(preprocessing), batch)
    calls = [loaded.bound(batch.numpy()), bind(alone, (batch,))]
    whole, part = time_networks(calls, rounds=ROUNDS, seed=0)
    return whole, part


def _near_ties(logits: npt.NDArray[np.float32]) -> float:
    """Share of the images of which either of two classes may come first: both logits move by TOLERANCE."""
    first_two = np.sort(logits, axis=1)[:, -2:]
    return float((np.diff(first_two, axis=1) <= 2 * TOLERANCE).mean())


def _accuracy(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> float:
    return float((logits.argmax(axis=1) == labels).mean())


if __name__ == "__main__":
    print(json.dumps(answer(json.load(sys.stdin))))
