"""Trying a model out on one image, with ONNX Runtime: no torch in the web process."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from search.models import ModelFile, TrainedModel
from search.training.ingestion.decoding import decode
from search.training.ingestion.limits import UnreadableError
from search.training.onnx_session import onnx_session

MOST_BYTES = 20 * 10**6
MOST_PIXELS = 25_000_000
LONGEST_SIDE = 1024
SHOWN = 5


class TryError(ValueError):
    """Why an image cannot be classified; the message is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A class with its probability."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The likeliest classes, best first, and how long the network took."""

    guesses: tuple[Guess, ...]
    milliseconds: float


def classify(model: TrainedModel, content: bytes) -> Answer:
    """What a model takes an image for. Raises TryError."""
    file = model.files.filter(format=ModelFile.Format.ONNX, problem="").first()
    if file is None or model.preprocessing is None:
        raise TryError("This model has no ONNX file to try it with.")
    try:
        image = decode(content, MOST_PIXELS)
    except UnreadableError as error:
        raise TryError(f"This is not an image that can be read: {error}.") from None
    session, classes = _session(file.file.name, file.sha256)
    images = _as_input(image, int(model.preprocessing["channels"]))
    begun = time.perf_counter()
    logits = session.run(None, {session.get_inputs()[0].name: images})[0][0]
    milliseconds = 1000.0 * (time.perf_counter() - begun)
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    best = np.argsort(-shares, kind="stable")[:SHOWN]
    guesses = tuple(Guess(classes[place], float(shares[place])) for place in best.tolist())
    return Answer(guesses, milliseconds)


def _as_input(image: Image.Image, channels: int) -> Any:
    """The middle square of an image as (1, channels, side, side) in 0..1, cut as the data set's were."""
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    square = image.crop((left, top, left + side, top + side))
    if side > LONGEST_SIDE:
        square = square.resize((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BOX)
    plain = square.convert("L" if channels == 1 else "RGB")
    pixels = np.asarray(plain, dtype=np.float32) / np.float32(255)
    return pixels[None, None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]


@lru_cache(maxsize=4)
def _session(name: str, sha256: str) -> tuple[Any, list[str]]:
    """A session of a stored file and its classes' names; files go by their content, so it may be kept."""
    with ModelFile._meta.get_field("file").storage.open(name) as content:
        session = onnx_session(content.read(), threads=1)
    return session, json.loads(session.get_modelmeta().custom_metadata_map["classes.json"])
