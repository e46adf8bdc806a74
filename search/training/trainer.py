"""Training one network: deterministic by seed, interruptible between batches, resumable between epochs.

The caller prepares the process (process.prepare_process) once. Under equal settings, equal seeds give
bit-equal weights, and a training resumed from any epoch's checkpoint ends exactly as an uninterrupted one:
each epoch's random generators start from the seed and the epoch's number, so a checkpoint holds none.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from search.training.batches import PROCESSOR, Preprocess, TrainingImages, as_tensor
from search.training.datasets import Arrays, TrainingData
from search.training.networks import Network
from search.training.optimisation import MovingAverage, make_optimiser, set_learning_rate
from search.training.preprocessing import Preprocessing
from search.training.recipes import Recipe, learning_rate
from search.training.stored import LazyImages

JUDGED_AT_ONCE = 256
ENOUGH_TO_FIT = 10_000
FOR_CALIBRATION = 256


class Interrupted(Exception):
    """For a callback to raise to stop a training; it reaches the caller."""


class DivergedError(Exception):
    """A training whose numbers are no longer finite."""

    def __init__(self, epoch: int, step: int, what: str) -> None:
        self.epoch, self.step, self.what = epoch, step, what
        super().__init__(f"The {what} became infinite or not a number in epoch {epoch}, step {step}.")


@dataclass(frozen=True, slots=True)
class EpochResult:
    """A finished epoch. Loss and accuracy of validation are None in epochs that are not validated."""

    number: int  # counted from 1
    learning_rate: float  # of the last step
    loss: float  # mean over the steps, of augmented images and smoothed labels
    validation_loss: float | None
    validation_accuracy: float | None  # 0..1
    seconds: float


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A finished training: the network in evaluation mode, with the weights of its best validated epoch."""

    network: Network
    preprocessing: Preprocessing
    history: tuple[EpochResult, ...]
    best_epoch: int  # of the highest validation accuracy; the later of equals
    validation_accuracy: float  # at that epoch, 0..1

    @property
    def seconds(self) -> float:
        """Time spent in epochs, those before a resumption included."""
        return sum(epoch.seconds for epoch in self.history)


class Trainer:
    """A training in progress, one epoch at a time.

    The network is trained in place, at its own resolution unless `size` (pixels) says another, on `device`;
    its result and checkpoints lie on the processor. Where a recipe asks for it, a graphics card multiplies in
    16 bits, with the loss scaled so that small gradients survive (Micikevicius et al., ICLR 2018).

    Raises ValueError when network and data do not belong together.
    """

    def __init__(
        self,
        network: Network,
        data: TrainingData,
        recipe: Recipe,
        *,
        seed: int,
        size: int | None = None,
        device: torch.device = PROCESSOR,
    ) -> None:
        _check(network, data)
        network.to(device)
        self.network, self.recipe, self.device = network, recipe, device
        self.preprocessing = Preprocessing.fit(_some(data.train).images, size or network.resolution)
        self.history: tuple[EpochResult, ...] = ()
        self.best_epoch = 0
        self.position = (0, 0)  # the epoch and the step that were last finished, counted from 1
        self._data, self._seed = data, seed
        self._images = TrainingImages(data.train, self.preprocessing, recipe, device)
        self._halved = recipe.mixed_precision and device.type == "cuda"
        self._scaler = torch.amp.GradScaler(device.type, enabled=self._halved)
        self._optimiser = make_optimiser(network, recipe)
        self._average = MovingAverage(network, recipe.ema) if recipe.ema else None
        self._best: dict[str, Tensor] = {}

    @property
    def done(self) -> bool:
        """Whether every epoch of the recipe is trained."""
        return len(self.history) >= self.recipe.epochs

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self._images.steps

    @property
    def best_accuracy(self) -> float:
        """The highest validation accuracy so far, 0..1; 0 before the first."""
        return self.history[self.best_epoch - 1].validation_accuracy or 0.0 if self.best_epoch else 0.0

    def epoch(self, on_batch: Callable[[], object] | None = None) -> EpochResult:
        """One pass over the training images, and validation when it is due.

        `on_batch` is called after each step and each batch that is judged; what it raises ends the epoch,
        which then must be trained again from the last checkpoint.

        Raises DivergedError when the loss or the outputs stop being finite.
        """
        begun = perf_counter()
        number = len(self.history) + 1
        rng = np.random.default_rng([self._seed, number])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**63)))  # dropout draws from torch's generator
            loss, rate = self._pass(number, rng, on_batch)
        validation_loss, accuracy = self._validate(number, on_batch)
        result = EpochResult(number, rate, loss, validation_loss, accuracy, perf_counter() - begun)
        if accuracy is not None and accuracy >= self.best_accuracy:
            self.best_epoch, self._best = number, _copy(self._judged.state_dict())
        self.history = (*self.history, result)
        return result

    def _pass(
        self, epoch: int, rng: np.random.Generator, on_batch: Callable[[], object] | None
    ) -> tuple[float, float]:
        """Mean loss of the epoch's steps, and the last step's learning rate."""
        self.network.train()
        total, rate = 0.0, 0.0
        for step, (images, labels) in enumerate(self._images.epoch(rng), start=1):
            finished = (epoch - 1) * self.steps + step - 1
            rate = learning_rate(self.recipe, finished, self.steps)
            set_learning_rate(self._optimiser, rate)
            loss = self._step(images, labels)
            if not math.isfinite(loss):
                raise DivergedError(epoch, step, "training loss")
            if self._average is not None:
                self._average.update(finished)
            total += loss
            self.position = (epoch, step)
            if on_batch is not None:
                on_batch()
        return total / self.steps, rate

    def _step(self, images: Tensor, labels: Tensor) -> float:
        """Change the weights by one batch; its loss before the change."""
        self._optimiser.zero_grad()
        with torch.autocast(self.device.type, enabled=self._halved):
            outputs = self.network(images)
        loss = functional.cross_entropy(outputs.float(), labels, label_smoothing=self.recipe.label_smoothing)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.step(self._optimiser)
        self._scaler.update()
        return loss.item()

    def _validate(
        self, epoch: int, on_batch: Callable[[], object] | None
    ) -> tuple[float | None, float | None]:
        """Loss and accuracy on the validation images, or None when the epoch is not validated."""
        if epoch % self.recipe.validate_every and epoch != self.recipe.epochs:
            return None, None
        outputs = predict_logits(self._judged, self.preprocessing, self._data.validation, on_batch)
        labels = torch.from_numpy(self._data.validation.labels.copy())
        loss = functional.cross_entropy(outputs, labels).item()
        if not math.isfinite(loss):
            raise DivergedError(epoch, self.steps, "network's output on validation images")
        return loss, (outputs.argmax(1) == labels).double().mean().item()

    @property
    def _judged(self) -> nn.Module:
        """The network that is validated and kept: the average where there is one."""
        return self.network if self._average is None else self._average.network

    def checkpoint(self) -> dict[str, Any]:
        """A copy of everything needed to continue, of tensors and plain values: what `torch.save` writes and
        `torch.load(..., weights_only=True)` reads.
        """
        return {
            "of": self._identity(),
            "history": [asdict(epoch) for epoch in self.history],
            "network": _copy(self.network.state_dict()),
            "optimiser": _copy(self._optimiser.state_dict()),
            "average": None if self._average is None else _copy(self._average.network.state_dict()),
            "scaler": _copy(self._scaler.state_dict()),
            "best_epoch": self.best_epoch,
            "best": _copy(self._best),
        }

    def restore(self, checkpoint: dict[str, Any]) -> None:
        """Continue from a checkpoint of this very training. Raises ValueError for another's."""
        mine = self._identity()
        theirs = checkpoint.get("of", {})
        differing = [name for name in mine if theirs.get(name) != mine[name]]
        if differing:
            raise ValueError(f"This checkpoint is of another training: not the same {', '.join(differing)}.")
        self.network.load_state_dict(checkpoint["network"])
        self._optimiser.load_state_dict(_copy(checkpoint["optimiser"]))
        if self._average is not None:
            self._average.network.load_state_dict(checkpoint["average"])
        self._scaler.load_state_dict(checkpoint.get("scaler", {}) or self._scaler.state_dict())
        self.history = tuple(EpochResult(**epoch) for epoch in checkpoint["history"])
        self.best_epoch, self._best = checkpoint["best_epoch"], _copy(checkpoint["best"])

    def result(self) -> TrainingResult:
        """The finished training. Raises ValueError before its end."""
        if not self.done:
            raise ValueError(f"Only {len(self.history)} of {self.recipe.epochs} epochs are trained.")
        self.network.load_state_dict(self._best)
        self.network.to(PROCESSOR).eval()
        return TrainingResult(
            self.network, self.preprocessing, self.history, self.best_epoch, self.best_accuracy
        )

    def calibration_images(self) -> list[npt.NDArray[np.float32]]:
        """Batches of training images (n, channels, height, width) in 0..1, to take ranges from."""
        some = _spread(self._data.train, FOR_CALIBRATION)
        batches = [some[start : start + 32] for start in range(0, len(some), 32)]
        return [as_tensor(batch).contiguous().numpy() for batch in batches]

    def _identity(self) -> dict[str, Any]:
        """What makes two trainings the same training."""
        layers = "\n".join(f"{layer.operator.key} {layer.inputs}" for layer in self.network.layers)
        sizes = f"{len(self._data.train)} {len(self._data.validation)}"
        return {
            "network": hashlib.sha256(layers.encode()).hexdigest()[:16],
            "images": f"{self._data.dataset.checksum[:16]} {sizes} {self.preprocessing.resolution}",
            "recipe": self.recipe.id,
            "seed": self._seed,
        }


def train(
    network: Network,
    data: TrainingData,
    recipe: Recipe,
    *,
    seed: int,
    size: int | None = None,
    device: torch.device = PROCESSOR,
    on_batch: Callable[[], object] | None = None,
    on_epoch: Callable[[EpochResult], object] | None = None,
) -> TrainingResult:
    """A whole training at once. What a callback raises reaches the caller. Raises as `Trainer` does."""
    trainer = Trainer(network, data, recipe, seed=seed, size=size, device=device)
    while not trainer.done:
        epoch = trainer.epoch(on_batch)
        if on_epoch is not None:
            on_epoch(epoch)
    return trainer.result()


def predict_logits(
    network: nn.Module,
    preprocessing: Preprocessing,
    arrays: Arrays,
    on_batch: Callable[[], object] | None = None,
) -> Tensor:
    """What a network in evaluation mode says about images, (n, classes), in their order.

    `on_batch` is called after each batch; what it raises ends the judging.
    """
    network.eval()
    place = next((tensor.device for tensor in network.parameters()), PROCESSOR)
    preprocess = Preprocess(preprocessing).to(place)
    parts = []
    with torch.inference_mode():
        for start in range(0, len(arrays), JUDGED_AT_ONCE):
            images = as_tensor(arrays[start : start + JUDGED_AT_ONCE]).to(place)
            parts.append(network(preprocess(images)).cpu())
            if on_batch is not None:
                on_batch()
        return torch.cat(parts)


def _some(arrays: Arrays) -> Arrays:
    """The images whose mean and deviation stand for all: all of them, or as many spread over a lazy set."""
    return _spread(arrays, ENOUGH_TO_FIT) if isinstance(arrays.images, LazyImages) else arrays


def _spread(arrays: Arrays, most: int) -> Arrays:
    if len(arrays) <= most:
        return arrays
    return arrays[np.linspace(0, len(arrays) - 1, most).astype(np.int64)]


def _check(network: Network, data: TrainingData) -> None:
    """Raise ValueError when the network does not fit the data."""
    known = data.dataset
    if network.classes != len(known.classes):
        raise ValueError(
            f"The network has {network.classes} classes, but {known.label} {len(known.classes)}."
        )
    if network.channels != known.channels:
        raise ValueError(
            f"The network takes {network.channels} channels; {known.label} has {known.channels}."
        )


def _copy(state: Any) -> Any:
    """A state with tensors of its own on the processor, strides kept, at any depth of dicts, lists."""
    if isinstance(state, Tensor):
        return state.detach().to(PROCESSOR, copy=True)
    if isinstance(state, dict):
        return {key: _copy(value) for key, value in state.items()}
    if isinstance(state, list):
        return [_copy(value) for value in state]
    return state
