"""Recipes: everything a training needs besides the architecture and the images.

A recipe is data. Its id comes from its content, so samples trained with equal recipes are comparable whoever
made them. This module imports no torch: the web process lists, validates and draws recipes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Literal, cast

Optimiser = Literal["sgd", "adamw"]
Schedule = Literal["cosine", "constant"]

_CHOICES: dict[str, tuple[str, ...]] = {"optimiser": ("sgd", "adamw"), "schedule": ("cosine", "constant")}
_FLAGS = ("flip", "mixed_precision")
# name -> (lowest, highest), both allowed
_WHOLE_NUMBERS = {
    "epochs": (1, 10_000),
    "batch_size": (2, 4096),
    "validate_every": (1, 10_000),
    "train_images": (10, 10_000_000),
}
_NUMBERS = {
    "learning_rate": (1e-6, 10.0),
    "momentum": (0.0, 0.999),
    "weight_decay": (0.0, 1.0),
    "warmup_epochs": (0.0, 10_000.0),
    "label_smoothing": (0.0, 0.9),
    "dropout": (0.0, 0.9),
    "ema": (0.0, 0.99999),
    "shift": (0.0, 0.5),
    "zoom": (0.0, 0.9),
    "rotation": (0.0, 180.0),
    "crop": (0.01, 1.0),
}
_OPTIONAL = ("train_images", "ema", "crop")
_LATER: dict[str, Any] = {"crop": None, "mixed_precision": False}
"""Fields that came later, with what they mean when left out: then they are no part of the id."""


class RecipeError(ValueError):
    """A recipe that cannot be used; `errors` maps each wrong field to what is wrong with it."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(f"{name}: {message}" for name, message in self.errors.items()))


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    `momentum` is Nesterov's for SGD and the first beta for AdamW. `ema` is the decay of a moving average of
    the weights, which is then what gets validated and kept. `shift` and `zoom` are shares of the image's
    side, `rotation` is in degrees; each is the largest change drawn, uniformly and in both directions. `crop`
    is the least share of an image's area that is shown, a different part of it each time, between 3:4 and 4:3
    (Szegedy et al., CVPR 2015, section 6). `mixed_precision` multiplies in 16 bits on graphics cards, where
    it helps, and changes nothing elsewhere.
    `train_images` trains on a stratified part of the training split. `validate_every` is in epochs; the last
    epoch always counts.

    Raises RecipeError naming every field that is out of range.
    """

    epochs: int
    learning_rate: float
    optimiser: Optimiser = "sgd"
    momentum: float = 0.9
    weight_decay: float = 1e-4
    batch_size: int = 64
    warmup_epochs: float = 1.0
    schedule: Schedule = "cosine"
    label_smoothing: float = 0.0
    dropout: float = 0.0
    ema: float | None = None
    shift: float = 0.0
    zoom: float = 0.0
    rotation: float = 0.0
    flip: bool = False
    train_images: int | None = None
    validate_every: int = 1
    crop: float | None = None
    mixed_precision: bool = False

    def __post_init__(self) -> None:
        errors = {
            field.name: message
            for field in fields(self)
            if (message := _problem(field.name, getattr(self, field.name))) is not None
        }
        if not errors and self.warmup_epochs > self.epochs:
            errors["warmup_epochs"] = f"must not be longer than the {self.epochs} epochs of the training"
        if errors:
            raise RecipeError(errors)
        for name in _NUMBERS:
            value = getattr(self, name)
            if value is not None:  # 1 and 1.0 are one recipe, so they must have one id
                object.__setattr__(self, name, float(value))

    @property
    def id(self) -> str:
        """16 hexadecimal digits derived from the content."""
        content = {
            name: value
            for name, value in self.to_json().items()
            if name not in _LATER or value != _LATER[name]
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Every field by name, as JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Recipe:
        """The recipe `to_json` described. Fields left out take their defaults.

        Raises RecipeError for unknown, missing or impossible fields.
        """
        if not isinstance(data, Mapping):
            raise RecipeError({"recipe": f"must be an object of named fields, not {type(data).__name__}"})
        known = {field.name for field in fields(cls)}
        errors = {
            str(name): f"is no field of a recipe; known are {', '.join(sorted(known))}"
            for name in data
            if name not in known
        }
        errors |= {name: "is required" for name in ("epochs", "learning_rate") if name not in data}
        if errors:
            raise RecipeError(errors)
        return cls(**cast("dict[str, Any]", dict(data)))


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """The learning rate of a step (counted from 0): linear warm-up, then half a cosine down to zero.

    Source: Loshchilov and Hutter, SGDR, 2017, equation 5 without restarts; Goyal et al., 2017, section 2.2.
    """
    total = recipe.epochs * steps_per_epoch
    warmup = recipe.warmup_epochs * steps_per_epoch
    if step < warmup:
        return recipe.learning_rate * min(1.0, (step + 1) / (warmup + 1))
    if recipe.schedule == "constant":
        return recipe.learning_rate
    done = (step - warmup) / max(1.0, total - warmup)
    return recipe.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def _problem(name: str, value: object) -> str | None:
    """What is wrong with a field's value, or None."""
    if value is None and name in _OPTIONAL:
        return None
    if name in _CHOICES:
        allowed = _CHOICES[name]
        return None if value in allowed else f"must be one of {', '.join(allowed)}, not {value!r}"
    if name in _FLAGS:
        return None if isinstance(value, bool) else f"must be true or false, not {value!r}"
    if name in _WHOLE_NUMBERS:
        low, high = _WHOLE_NUMBERS[name]
        whole = isinstance(value, int) and not isinstance(value, bool)
        if whole and low <= cast("int", value) <= high:
            return None
        return f"must be a whole number from {low} to {high}, not {value!r}"
    lowest, highest = _NUMBERS[name]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and lowest <= cast("float", value) <= highest:
        return None
    return f"must be a number from {lowest:g} to {highest:g}, not {value!r}"


_SECONDS = Recipe(
    epochs=5,
    learning_rate=0.1,
    batch_size=32,
    warmup_epochs=1,
    weight_decay=5e-4,
    label_smoothing=0.1,
    shift=0.1,
    validate_every=5,
)
_MINUTES = Recipe(
    epochs=6,
    learning_rate=0.1,
    batch_size=64,
    warmup_epochs=1,
    weight_decay=2e-4,
    label_smoothing=0.1,
    shift=0.07,
    train_images=12_000,
    validate_every=6,
)

PRESETS: Mapping[str, Recipe] = MappingProxyType(
    {
        "seconds": _SECONDS,
        "seconds-final": Recipe(
            epochs=40,
            learning_rate=0.1,
            batch_size=32,
            warmup_epochs=3,
            weight_decay=5e-4,
            label_smoothing=0.1,
            shift=0.1,
            zoom=0.1,
            rotation=10,
            ema=0.99,
        ),
        "minutes": _MINUTES,
        "minutes-final": Recipe(
            epochs=30,
            learning_rate=0.1,
            batch_size=64,
            warmup_epochs=2,
            weight_decay=2e-4,
            label_smoothing=0.1,
            shift=0.07,
            ema=0.999,
        ),
        "imagenet": Recipe(
            epochs=12,
            learning_rate=0.2,
            batch_size=128,
            warmup_epochs=1,
            weight_decay=4e-5,
            label_smoothing=0.1,
            crop=0.35,
            validate_every=12,
            train_images=100_000,
            mixed_precision=True,
        ),
        "imagenet-final": Recipe(
            epochs=150,
            learning_rate=0.4,
            batch_size=256,
            warmup_epochs=5,
            weight_decay=4e-5,
            label_smoothing=0.1,
            dropout=0.2,
            ema=0.9999,
            crop=0.2,
            mixed_precision=True,
        ),
    }
)
"""Recipes by name. A preset without "-final" trains samples; the one with it trains the chosen network.

None mirrors images: `suited` does, where a mirrored image is still of its class.
"""

PRESET_NOTES: Mapping[str, str] = MappingProxyType(
    {
        "seconds": "Samples of small images such as digits: a few seconds each on one core.",
        "seconds-final": "The final model for small images such as digits: under a minute on one core.",
        "minutes": "Samples of data sets such as Fashion-MNIST, on part of the images: about a minute each.",
        "minutes-final": "The final model for data sets such as Fashion-MNIST, on all images: up to an hour.",
        "imagenet": "Samples of photographs of 96 pixels and more: for graphics cards, hours each on a core.",
        "imagenet-final": "The final model for ImageNet and the like: days on a graphics card.",
    }
)
"""One sentence for people about each preset."""

FIELD_LABELS: Mapping[str, str] = MappingProxyType(
    {
        "epochs": "Epochs",
        "optimiser": "Optimiser",
        "learning_rate": "Learning rate",
        "schedule": "Schedule",
        "warmup_epochs": "Warm-up (epochs)",
        "momentum": "Momentum",
        "weight_decay": "Weight decay",
        "batch_size": "Batch size",
        "label_smoothing": "Label smoothing",
        "dropout": "Dropout before the classifier",
        "ema": "Averaged weights (decay)",
        "shift": "Shift (share of the side)",
        "zoom": "Zoom (share)",
        "rotation": "Rotation (degrees)",
        "crop": "Random crop (least share of the area)",
        "flip": "Mirrored at random",
        "train_images": "Training images",
        "validate_every": "Validated every (epochs)",
        "mixed_precision": "16 bits on graphics cards",
    }
)
"""What people call the fields, in the order in which they are read."""


def suited(recipe: Recipe, *, mirrors: bool) -> Recipe:
    """The recipe with the augmentation that suits a data set: mirrored where that keeps images' classes."""
    return replace(recipe, flip=True) if mirrors else recipe
