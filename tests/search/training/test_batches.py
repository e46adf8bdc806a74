from __future__ import annotations

import numpy as np
import pytest
import torch

from search.training.batches import Preprocess, TrainingImages, as_tensor, augment, resize
from search.training.datasets import Arrays
from search.training.preprocessing import Preprocessing
from tests.search.training.examples import quick_recipe, stripes


def images(count: int = 6, *, channels: int = 1, size: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, channels, size, size, generator=generator)


def test_training_images_come_out_with_mean_zero_and_deviation_one() -> None:
    arrays = stripes(300, seed=0, channels=3)
    seen = Preprocess(Preprocessing.fit(arrays.images, 8))(as_tensor(arrays))
    assert seen.mean((0, 2, 3)).tolist() == pytest.approx([0, 0, 0], abs=1e-4)
    assert seen.std((0, 2, 3)).tolist() == pytest.approx([1, 1, 1], abs=1e-3)


def test_a_channel_without_content_stays_finite() -> None:
    preprocessing = Preprocessing.fit(np.full((4, 8, 8, 1), 255, dtype=np.uint8), 8)
    assert preprocessing.std == (1.0,)
    assert Preprocess(preprocessing)(torch.ones(1, 1, 8, 8)).abs().max() == 0


def test_preprocessing_survives_json_and_names_what_is_missing() -> None:
    preprocessing = Preprocessing.fit(stripes(6, seed=0).images, 12)
    assert Preprocessing.from_json(preprocessing.to_json()) == preprocessing
    with pytest.raises(ValueError, match="'mean' is missing"):
        Preprocessing.from_json({"image_size": 8, "resolution": 8, "channels": 1})


def test_images_of_any_size_are_resized_to_the_networks_resolution() -> None:
    preprocess = Preprocess(Preprocessing(8, 12, 3, (0.5,) * 3, (0.5,) * 3))
    for size in (5, 12, 64):
        assert preprocess(images(channels=3, size=size)).shape == (6, 3, 12, 12)


def test_shrinking_averages_over_pixels() -> None:
    checkers = torch.from_numpy(np.indices((16, 16)).sum(0) % 2).float()[None, None]
    assert resize(checkers, 4)[..., 1:-1, 1:-1].std() < 0.05


def test_an_epoch_trains_on_every_image_once_but_for_a_rest_that_fills_no_batch() -> None:
    arrays = Arrays(
        np.arange(50, dtype=np.uint8).repeat(64).reshape(50, 8, 8, 1), np.arange(50, dtype=np.int64)
    )
    identity = Preprocessing(8, 8, 1, (0.0,), (1.0,))
    batches = list(TrainingImages(arrays, identity, quick_recipe()).epoch(np.random.default_rng(0)))
    assert [len(labels) for _, labels in batches] == [16, 16, 16]
    labels = torch.cat([labels for _, labels in batches])
    assert len(set(labels.tolist())) == 48
    pixels = torch.cat([images for images, _ in batches])[:, 0, 0, 0] * 255
    assert pixels.round().long().tolist() == labels.tolist()


def test_what_is_trained_on_is_what_is_judged_but_for_the_rounding_of_resized_pixels() -> None:
    arrays = stripes(16, seed=0)
    preprocessing = Preprocessing.fit(arrays.images, 12)
    (batch,) = list(TrainingImages(arrays, preprocessing, quick_recipe()).epoch(np.random.default_rng(0)))
    judged = Preprocess(preprocessing)(as_tensor(arrays))
    order = np.random.default_rng(0).permutation(16)
    torch.testing.assert_close(batch[0], judged[order], atol=0.51 / 255 / preprocessing.std[0], rtol=0)


def test_a_recipe_without_augmentation_leaves_images_as_they_are() -> None:
    batch = images()
    assert augment(batch, quick_recipe(), np.random.default_rng(0)) is batch


@pytest.mark.parametrize("change", [{"shift": 0.2}, {"zoom": 0.3}, {"rotation": 30}])
def test_augmentation_changes_each_image_of_a_batch_in_its_own_way(change: dict[str, float]) -> None:
    batch = images(1).expand(6, 1, 8, 8).contiguous()
    changed = augment(batch, quick_recipe(**change), np.random.default_rng(0))
    assert len({image.numpy().tobytes() for image in changed}) == 6
    assert batch.min() <= changed.min()
    assert changed.max() <= batch.max()


def test_a_flip_mirrors_about_half_of_the_images_and_nothing_else() -> None:
    batch = images(40, channels=3)
    changed = augment(batch, quick_recipe(flip=True), np.random.default_rng(0))
    same = torch.isclose(changed, batch, atol=1e-5).flatten(1).all(1)
    mirrored = torch.isclose(changed, batch.flip(3), atol=1e-5).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 10 < mirrored.sum() < 30


def test_a_shift_of_one_pixel_moves_the_image_by_at_most_one_pixel() -> None:
    batch = torch.zeros(200, 1, 8, 8)
    batch[:, :, 4, 4] = 1.0
    moved = augment(batch, quick_recipe(shift=1 / 8), np.random.default_rng(0))
    assert moved[:, :, 3:6, 3:6].sum((1, 2, 3)).tolist() == pytest.approx([1.0] * 200, abs=1e-4)
    assert moved[:, :, 4, 4].std() > 0.1


def test_a_crop_shows_a_part_of_the_image_enlarged() -> None:
    ramp = torch.linspace(0, 1, 32).expand(400, 1, 32, 32).contiguous(memory_format=torch.channels_last)
    recipe = quick_recipe(crop=0.25)
    seen = augment(ramp, recipe, np.random.default_rng(0))
    spans = (seen.amax(dim=(1, 2, 3)) - seen.amin(dim=(1, 2, 3))).numpy()
    # A window of a quarter to all of the area, 3:4 to 4:3, is 0.43 to 1 of the side wide.
    assert spans.min() > 0.38
    assert spans.max() <= 1.0
    assert np.quantile(spans, [0.05, 0.95]) == pytest.approx([0.5, 0.95], abs=0.1)
    places = seen.mean(dim=(1, 2, 3)).numpy()
    assert places.min() < 0.35
    assert places.max() > 0.65
