"""Loading an exported file in a fresh process, where nothing of the training is left to help it.

`python -m search.training.verification` reads a request as JSON from standard input and answers in JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from devices.profiling import bind, freeze, load, time_networks
from search.training.batches import Preprocess, as_tensor, resize
from search.training.datasets import Arrays
from search.training.export import EXTRA_FILES, sha256_of
from search.training.preprocessing import Preprocessing

TOLERANCE = 1e-4
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
    accuracy: float  # on the test images, 0..1
    latency_ms: float  # minimum
    latency_p50_ms: float
    preprocessing_ms: float  # minimum
    sha256: str


class VerificationError(Exception):
    """The file is not what was trained, or does not run; the message says in what it differs."""


def verify(
    path: Path,
    *,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    logits: npt.NDArray[np.float32],
    threads: int,
    batch_size: int,
    scratch: Path,
    timeout: float = 600,
) -> Verification:
    """Have a fresh process load the file, compare its outputs on test images and time it.

    Images are (n, height, width, channels), labels (n,), logits (n, classes) of the trained network.
    `scratch` is a directory to hand them over in, `timeout` is in seconds.

    Raises VerificationError when the file does not load and run, when any output differs by more than
    TOLERANCE, or when the test accuracy differs.
    """
    expected = scratch / "expected.npz"
    np.savez(expected, images=images, labels=labels, logits=logits)
    request = {"path": str(path), "expected": str(expected), "threads": threads, "batch_size": batch_size}
    found = Verification(**_ask_fresh_process(request, timeout))
    accuracy = _accuracy(logits, labels)
    # Written so that a difference that is not a number fails too.
    if not found.max_difference <= TOLERANCE:
        raise VerificationError(
            f"The file's outputs differ by up to {found.max_difference:.2g}; {TOLERANCE:g} is allowed."
        )
    if found.accuracy != accuracy:
        raise VerificationError(
            f"The file's test accuracy is {found.accuracy:.4%}, but the trained network's {accuracy:.4%}."
        )
    return found


def _ask_fresh_process(request: dict[str, Any], timeout: float) -> dict[str, Any]:
    try:
        answer = subprocess.run(
            [sys.executable, "-m", "search.training.verification"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=PROJECT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise VerificationError(f"The file did not finish in {timeout:g} seconds.") from None
    if answer.returncode != 0:
        last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
        raise VerificationError(f"The file does not load and run in a fresh process: {last}")
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def answer_request(request: dict[str, Any]) -> Verification:
    """The fresh process's part. Raises ValueError or RuntimeError for a file that is not as exported."""
    torch.set_num_threads(request["threads"])
    path = Path(request["path"])
    module, extra = load(path, EXTRA_FILES)
    with np.load(request["expected"], allow_pickle=False) as expected:
        arrays = Arrays(expected["images"], expected["labels"])
        logits: npt.NDArray[np.float32] = expected["logits"]
    outputs = _outputs(module, arrays)
    if outputs.shape != logits.shape or len(json.loads(extra["classes.json"])) != logits.shape[1]:
        raise ValueError(f"outputs or class names do not fit {logits.shape[1]} classes")
    preprocessing = Preprocessing.from_json(json.loads(extra["preprocessing.json"]))
    latencies, alone = _time(module, preprocessing, arrays, request["batch_size"])
    return Verification(
        max_difference=float(np.abs(outputs - logits).max()),
        accuracy=_accuracy(outputs, arrays.labels),
        latency_ms=min(latencies) / 1000.0,
        latency_p50_ms=float(np.median(latencies)) / 1000.0,
        preprocessing_ms=min(alone) / 1000.0,
        sha256=sha256_of(path),
    )


def _outputs(module: nn.Module, arrays: Arrays) -> npt.NDArray[np.float32]:
    with torch.inference_mode():
        parts: list[Tensor] = [
            module(as_tensor(arrays[start : start + JUDGED_AT_ONCE]))
            for start in range(0, len(arrays), JUDGED_AT_ONCE)
        ]
        outputs: npt.NDArray[np.float32] = torch.cat(parts).numpy()
    return outputs


def _time(
    module: nn.Module, preprocessing: Preprocessing, arrays: Arrays, batch_size: int
) -> tuple[list[float], list[float]]:
    """Timings in microseconds of the whole file, and of its preprocessing alone."""
    chosen = np.resize(np.arange(len(arrays), dtype=np.int64), batch_size)
    batch = resize(as_tensor(arrays[chosen]), preprocessing.resolution).contiguous()
    alone = freeze(Preprocess(preprocessing), batch)
    whole, part = time_networks([bind(module, (batch,)), bind(alone, (batch,))], rounds=ROUNDS, seed=0)
    return whole, part


def _accuracy(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> float:
    return float((logits.argmax(axis=1) == labels).mean())


if __name__ == "__main__":
    print(json.dumps(asdict(answer_request(json.load(sys.stdin)))))
