from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.training.recipes import PRESET_NOTES, PRESETS, Recipe, RecipeError, learning_rate, suited

OTHER: dict[str, Any] = {
    "epochs": 9,
    "learning_rate": 0.02,
    "optimiser": "adamw",
    "momentum": 0.8,
    "weight_decay": 0.5,
    "batch_size": 8,
    "warmup_epochs": 2,
    "schedule": "constant",
    "label_smoothing": 0.2,
    "dropout": 0.3,
    "ema": 0.9,
    "shift": 0.2,
    "zoom": 0.2,
    "rotation": 5,
    "flip": True,
    "train_images": 500,
    "validate_every": 3,
    "crop": 0.5,
    "mixed_precision": True,
}
WRONG: list[tuple[str, object]] = [
    ("epochs", 0),
    ("epochs", 2.5),
    ("epochs", True),
    ("learning_rate", float("nan")),
    ("learning_rate", "fast"),
    ("optimiser", "lion"),
    ("batch_size", 1),
    ("label_smoothing", 1.0),
    ("shift", -0.1),
    ("flip", 1),
    ("ema", 1.5),
    ("train_images", 3),
    ("warmup_epochs", 6),
    ("crop", 0.0),
    ("mixed_precision", "yes"),
]


def test_a_recipe_survives_json() -> None:
    for recipe in (*PRESETS.values(), Recipe(**OTHER)):
        again = Recipe.from_json(json.loads(json.dumps(recipe.to_json())))
        assert again == recipe
        assert again.id == recipe.id


@pytest.mark.parametrize("field", [field.name for field in fields(Recipe)])
def test_every_field_is_part_of_the_id(field: str) -> None:
    recipe = Recipe(epochs=5, learning_rate=0.1)
    assert replace(recipe, **{field: OTHER[field]}).id != recipe.id


def test_equal_content_has_one_id_however_numbers_are_written() -> None:
    assert Recipe(epochs=5, learning_rate=1).id == Recipe(epochs=5, learning_rate=1.0).id
    assert len(Recipe(epochs=5, learning_rate=1).id) == 16


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_an_impossible_value_is_refused_beside_its_field(field: str, value: object) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_json({"epochs": 5, "learning_rate": 0.1, field: value})
    assert list(caught.value.errors) == [field]
    assert "must" in caught.value.errors[field]


def test_all_wrong_fields_are_named_at_once() -> None:
    with pytest.raises(
        RecipeError, match="epochs: must be a whole number from 1 to 10000, not 0; learning_rate"
    ):
        Recipe(epochs=0, learning_rate=-1)


def test_unknown_and_missing_fields_are_refused() -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_json({"epochs": 5, "colour": "blue"})
    assert set(caught.value.errors) == {"colour", "learning_rate"}
    with pytest.raises(RecipeError, match="must be an object"):
        Recipe.from_json([1])  # type: ignore[arg-type]


def test_every_preset_has_a_note_and_a_final_variant() -> None:
    assert set(PRESET_NOTES) == set(PRESETS)
    assert {f"{name}-final" for name in PRESETS if not name.endswith("-final")} < set(PRESETS)


@given(
    epochs=st.integers(1, 50),
    steps=st.integers(1, 200),
    warmup=st.floats(0, 1),
    rate=st.floats(1e-4, 1.0),
)
def test_the_learning_rate_rises_to_its_value_and_falls_towards_zero(
    epochs: int, steps: int, warmup: float, rate: float
) -> None:
    recipe = Recipe(epochs=epochs, learning_rate=rate, warmup_epochs=warmup)
    rates = [learning_rate(recipe, step, steps) for step in range(epochs * steps)]
    peak = rates.index(max(rates))
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert all(0 < value <= rate for value in rates)


def test_a_constant_schedule_stays_after_warming_up() -> None:
    recipe = Recipe(epochs=3, learning_rate=0.2, warmup_epochs=1, schedule="constant")
    rates = [learning_rate(recipe, step, 4) for step in range(12)]
    assert rates[:4] == pytest.approx([0.04, 0.08, 0.12, 0.16])
    assert rates[4:] == [0.2] * 8


def test_fields_that_came_later_leave_older_ids_as_they_were() -> None:
    # Samples in databases go by these ids.
    assert PRESETS["seconds"].id == "e018bdbf63dd577a"
    assert PRESETS["minutes-final"].id == "e48a9cde67ae2d53"


def test_only_where_a_mirrored_image_keeps_its_class_is_the_recipe_another() -> None:
    recipe = PRESETS["minutes"]
    assert suited(recipe, mirrors=False) == recipe
    assert suited(recipe, mirrors=True) == replace(recipe, flip=True)
