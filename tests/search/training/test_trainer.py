from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from search.training.networks import Network, build_network
from search.training.process import training_device
from search.training.trainer import (
    DivergedError,
    EpochResult,
    Interrupted,
    Trainer,
    TrainingResult,
    predict_logits,
    train,
)
from tests.search.training.examples import quick_recipe, small_layers, small_network, stripes_data

EVERYTHING = {"dropout": 0.2, "ema": 0.8, "shift": 0.1, "zoom": 0.1, "rotation": 5, "label_smoothing": 0.1}


def weights(network: nn.Module) -> list[bytes]:
    return [tensor.numpy().tobytes() for tensor in network.state_dict().values()]


def untimed(history: tuple[EpochResult, ...]) -> list[EpochResult]:
    return [replace(epoch, seconds=0.0) for epoch in history]


def assert_identical(result: TrainingResult, expected: TrainingResult) -> None:
    assert untimed(result.history) == untimed(expected.history)
    assert weights(result.network) == weights(expected.network)
    assert result.validation_accuracy == expected.validation_accuracy


def through_a_file(checkpoint: dict[str, Any]) -> dict[str, Any]:
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    buffer.seek(0)
    loaded: dict[str, Any] = torch.load(buffer, weights_only=True)
    return loaded


@pytest.mark.parametrize("optimiser", [{}, {"optimiser": "adamw", "learning_rate": 0.01}])
@pytest.mark.parametrize("space", ["chamnet-mobile-small", "chamnet-res-small"])
def test_a_small_network_learns_stripes(space: str, optimiser: dict[str, Any]) -> None:
    network = build_network(small_layers(space), seed=0)
    result = train(network, stripes_data(), quick_recipe(epochs=6, **optimiser), seed=0)
    assert result.validation_accuracy > 0.9
    assert result.history[-1].loss < result.history[0].loss


def test_the_same_seed_trains_the_same_network_to_the_bit_and_another_seed_another() -> None:
    recipe, results = quick_recipe(**EVERYTHING), []
    with torch.random.fork_rng(devices=[]):
        for state, seed in enumerate((4, 4, 5)):
            torch.manual_seed(state)  # what others drew from the global generator must not matter
            results.append(train(small_network(dropout=0.2), stripes_data(), recipe, seed=seed))
    first, again, other = results
    assert_identical(again, first)
    assert weights(other.network) != weights(first.network)


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_training_resumed_after_any_epoch_ends_as_the_uninterrupted_one(
    optimiser: str, channels: int
) -> None:
    recipe = quick_recipe(optimiser=optimiser, learning_rate=0.05, **EVERYTHING)
    layers = small_layers("chamnet-res-small", channels=channels)
    data = stripes_data()
    if channels == 3:
        colours = [
            replace(part, images=part.images.repeat(3, axis=3)) for part in (data.train, data.validation)
        ]
        data = replace(
            data, dataset=replace(data.dataset, channels=3), train=colours[0], validation=colours[1]
        )

    def fresh(seed: int) -> Trainer:
        return Trainer(build_network(layers, 0.2, seed=seed), data, recipe, seed=1)

    whole, checkpoints = fresh(0), []
    while not whole.done:
        checkpoints.append(through_a_file(whole.checkpoint()))
        whole.epoch()
    expected = whole.result()
    for checkpoint in checkpoints[1:]:
        resumed = fresh(seed=9)
        resumed.restore(checkpoint)
        while not resumed.done:
            resumed.epoch()
        assert_identical(resumed.result(), expected)


def test_a_training_stopped_between_batches_is_taken_up_again_from_its_last_epoch() -> None:
    recipe, data = quick_recipe(**EVERYTHING), stripes_data()
    expected = train(small_network(dropout=0.2), data, recipe, seed=0)
    trainer = Trainer(small_network(dropout=0.2), data, recipe, seed=0)
    trainer.epoch()
    checkpoint = trainer.checkpoint()

    def stop() -> None:
        if trainer.position == (2, 3):
            raise Interrupted

    with pytest.raises(Interrupted):
        trainer.epoch(stop)
    trainer.restore(checkpoint)
    while not trainer.done:
        trainer.epoch()
    assert_identical(trainer.result(), expected)


def test_a_finished_trainings_checkpoint_gives_the_result_again() -> None:
    recipe, data = quick_recipe(), stripes_data()
    trainer = Trainer(small_network(), data, recipe, seed=0)
    while not trainer.done:
        trainer.epoch()
    checkpoint = through_a_file(trainer.checkpoint())
    again = Trainer(small_network(seed=3), data, recipe, seed=0)
    again.restore(checkpoint)
    assert_identical(again.result(), trainer.result())


def test_callbacks_hear_of_every_step_and_every_epoch() -> None:
    steps: list[int] = []
    epochs: list[int] = []
    recipe = quick_recipe()
    result = train(
        small_network(),
        stripes_data(),
        recipe,
        seed=0,
        on_batch=lambda: steps.append(1),
        on_epoch=lambda epoch: epochs.append(epoch.number),
    )
    assert len(steps) == 3 * (6 + 1)  # six steps an epoch, and the one batch that is judged
    assert epochs == [1, 2, 3] == [epoch.number for epoch in result.history]
    assert result.seconds == sum(epoch.seconds for epoch in result.history) > 0


def test_a_loss_that_is_not_finite_ends_the_training_with_its_place() -> None:
    network = small_network()
    with torch.no_grad():
        network.modules_by_layer["classifier"].get_parameter("0.bias").fill_(float("inf"))
    with pytest.raises(
        DivergedError, match="training loss became infinite or not a number in epoch 1, step 1"
    ):
        train(network, stripes_data(), quick_recipe(), seed=0)


def test_outputs_that_are_not_finite_end_the_training_too() -> None:
    network = small_network()
    norm = next(module for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    assert norm.running_var is not None
    norm.running_var.fill_(float("nan"))  # unused while training, so that only validation can see it
    with pytest.raises(DivergedError) as caught:
        train(network, stripes_data(), quick_recipe(), seed=0)
    assert (caught.value.epoch, caught.value.step) == (1, 6)
    assert "validation images" in caught.value.what


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 2}, "seed"),
        ({"recipe": quick_recipe(epochs=4)}, "recipe"),
        ({"network": small_network(**{"head.channels": 128})}, "network"),
        ({"size": 12}, "images"),
    ],
)
def test_the_checkpoint_of_another_training_is_refused(change: dict[str, Any], named: str) -> None:
    mine: dict[str, Any] = {"network": small_network(), "recipe": quick_recipe(), "seed": 1}
    checkpoint = Trainer(data=stripes_data(), **mine).checkpoint()
    with pytest.raises(ValueError, match=f"another training: not the same {named}"):
        Trainer(data=stripes_data(), **(mine | change)).restore(checkpoint)


def test_the_weights_of_the_best_validated_epoch_are_kept() -> None:
    data = stripes_data()
    trainer = Trainer(small_network(), data, quick_recipe(), seed=0)
    trainer.epoch()
    trainer.epoch()
    with torch.no_grad():  # an accident that the last epoch cannot mend
        trainer.network.modules_by_layer["classifier"].get_parameter("0.bias")[0] = 1000.0
    trainer.epoch()
    result = trainer.result()
    validated = [epoch.validation_accuracy or 0.0 for epoch in result.history]
    assert validated[2] < result.validation_accuracy
    assert result.validation_accuracy == max(validated) == validated[result.best_epoch - 1]
    outputs = predict_logits(result.network, result.preprocessing, data.validation)
    assert (outputs.argmax(1).numpy() == data.validation.labels).mean() == result.validation_accuracy


def test_validation_happens_as_often_as_the_recipe_says_and_after_the_last_epoch() -> None:
    result = train(small_network(), stripes_data(), quick_recipe(epochs=5, validate_every=2), seed=0)
    validated = [epoch.number for epoch in result.history if epoch.validation_accuracy is not None]
    assert validated == [2, 4, 5]


def test_a_training_leaves_torchs_global_generator_alone() -> None:
    before = torch.get_rng_state()
    train(small_network(dropout=0.2), stripes_data(), quick_recipe(), seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_network_can_be_trained_at_another_resolution_than_its_own() -> None:
    result = train(small_network(), stripes_data(), quick_recipe(epochs=1), seed=0, size=12)
    assert result.preprocessing.resolution == 12


def test_there_is_no_result_before_the_end() -> None:
    trainer = Trainer(small_network(), stripes_data(), quick_recipe(), seed=0)
    trainer.epoch()
    with pytest.raises(ValueError, match="Only 1 of 3 epochs"):
        trainer.result()


def test_a_network_that_does_not_fit_the_data_is_refused() -> None:
    data = stripes_data()
    two = replace(data, dataset=replace(data.dataset, classes=("a", "b")))
    colour = replace(data, dataset=replace(data.dataset, channels=3))
    for wrong, message in (
        (two, "has 3 classes, but Stripes 2"),
        (colour, "takes 1 channels; Stripes has 3"),
    ):
        with pytest.raises(ValueError, match=message):
            Trainer(small_network(), wrong, quick_recipe(), seed=0)


def test_logits_come_in_the_order_of_the_images_whatever_the_number() -> None:
    data = stripes_data()
    trainer = Trainer(small_network(), data, quick_recipe(epochs=1), seed=0)
    trainer.epoch()
    many = data.train[np.arange(600) % 96]
    network: Network = trainer.result().network
    outputs = predict_logits(network, trainer.preprocessing, many)
    assert outputs.shape == (600, 3)
    torch.testing.assert_close(outputs[:96], outputs[96:192], atol=1e-5, rtol=1e-5)


def test_workers_share_graphics_cards_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    assert training_device(3) == torch.device("cpu") or torch.cuda.is_available()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(training_device(worker)) for worker in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]


def test_sixteen_bits_change_nothing_on_the_processor() -> None:
    losses = [
        train(small_network(), stripes_data(), quick_recipe(mixed_precision=half), seed=0).history[-1].loss
        for half in (False, True)
    ]
    assert losses[0] == losses[1]


def test_on_a_card_the_loss_is_scaled_and_multiplied_in_sixteen_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a card would do, on the processor: the trainer believes that it has one."""
    seen: list[torch.dtype] = []
    trainer = Trainer(small_network(), stripes_data(), quick_recipe(mixed_precision=True), seed=0)
    monkeypatch.setattr(trainer, "_halved", True)
    monkeypatch.setattr(trainer, "_scaler", torch.amp.GradScaler("cpu"))
    classifier = list(trainer.network.modules_by_layer.values())[-1]
    classifier.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    first = trainer.epoch()
    assert set(seen) - {torch.float32} == {torch.bfloat16}  # of the steps; judging is in float
    while not trainer.done:
        last = trainer.epoch()
    assert last.loss < first.loss
    again = Trainer(small_network(), stripes_data(), quick_recipe(mixed_precision=True), seed=0)
    again._scaler = torch.amp.GradScaler("cpu")
    again.restore(trainer.checkpoint())
    assert again._scaler.get_scale() == trainer._scaler.get_scale()
