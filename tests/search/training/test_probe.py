from __future__ import annotations

from search.training.probe import estimate_seconds
from search.training.trainer import train
from tests.search.training.examples import STRIPES, quick_recipe, small_layers, small_network, stripes_data


def test_the_estimate_is_of_the_size_of_the_time_that_a_training_takes() -> None:
    recipe = quick_recipe(epochs=10, validate_every=5)
    estimate = estimate_seconds(small_layers(), recipe, STRIPES)
    taken = train(small_network(), stripes_data(), recipe, seed=0).seconds
    assert taken / 5 < estimate < taken * 5


def test_a_limit_on_images_shortens_the_estimate() -> None:
    short = estimate_seconds(
        small_layers(), quick_recipe(epochs=100, train_images=16, validate_every=100), STRIPES
    )
    assert 0 < short < estimate_seconds(small_layers(), quick_recipe(epochs=1000), STRIPES)
