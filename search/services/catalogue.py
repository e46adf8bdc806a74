"""The spaces, data sets and recipes a person can choose from."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Any

from search.models import OwnRecipe, Space, TrainingRecipe
from search.services.datasets import available_datasets
from search.spaces import PRESETS, Records, SearchSpace, preset
from search.training import datasets
from search.training.datasets import Dataset
from search.training.recipes import PRESETS as RECIPES
from search.training.recipes import Recipe, suited


def space_for(preset_name: str, known: str | Dataset) -> SearchSpace:
    """A preset space with the data set's classes and channels. Raises ValueError for unknown names."""
    dataset = datasets.dataset(known) if isinstance(known, str) else known
    return _preset(preset_name, len(dataset.classes), dataset.channels)


@lru_cache(maxsize=256)
def _preset(name: str, classes: int, channels: int) -> SearchSpace:
    """Made once for all data sets of as many classes and channels: a large space is costly to make."""
    return preset(name, classes=classes, in_channels=channels)


def small_presets() -> list[str]:
    """Names of the presets whose every operator can be measured."""
    return [name for name in PRESETS if name.endswith("-small")]


def measurable_spaces(owner: Any) -> dict[str, tuple[SearchSpace, str]]:
    """Spaces a table can be built for, by id, each with a label naming the data sets it fits.

    The large presets also come as they are: for colour images of a thousand classes.
    """
    found: dict[str, tuple[SearchSpace, str]] = {}
    for name in sorted(PRESETS, key=lambda one: not one.endswith("-small")):
        fits: dict[str, tuple[SearchSpace, list[str]]] = {}
        if name not in small_presets():
            space = preset(name)
            fits[space.id] = (space, [f"{space.classes} classes in colour"])
        for dataset in available_datasets(owner):
            space = space_for(name, dataset)
            fits.setdefault(space.id, (space, []))[1].append(dataset.label)
        for space_id, (space, labels) in fits.items():
            found[space_id] = (space, f"{name} for {' and '.join(labels)}")
    return found


def remember_space(space: SearchSpace) -> Space:
    """The row of a space, made when it is new."""
    row, _ = Space.objects.get_or_create(
        id=space.id, defaults={"name": space.name, "definition": space.to_json()}
    )
    return row


def imported_recipe(origin: str, records: Records) -> TrainingRecipe:
    """Stands for the unknown recipe of trainings done elsewhere: one row for the same records and origin."""
    definition = {"imported": origin, "genes": records.genes.tolist(), "accuracies": records.values.tolist()}
    content = json.dumps(definition, sort_keys=True).encode()
    row, _ = TrainingRecipe.objects.get_or_create(
        id=hashlib.sha256(content).hexdigest()[:16],
        defaults={"name": "imported", "definition": {"imported": origin}},
    )
    return row


def remember_recipe(name: str, known: Dataset | None = None) -> TrainingRecipe:
    """The row of a preset recipe, suited to the data set, made when it is new; or of a recipe's id.

    Raises KeyError for what is neither.
    """
    if name in RECIPES:
        recipe = suited(RECIPES[name], mirrors=known is not None and known.mirrors)
        preset_row = _recipe_row(name, recipe)
        if preset_row.name == neutral_name(recipe):  # somebody made the same one before it was a preset's
            preset_row.name = name
            preset_row.save(update_fields=["name"])
        return preset_row
    row = TrainingRecipe.objects.filter(pk=name).first()
    if row is None:
        raise KeyError(name)
    return row


def known_recipes(owner: Any, known: Dataset) -> dict[str, Recipe]:
    """By the names that forms have for them: presets suited to the data set, and the owner's own."""
    own = OwnRecipe.objects.owned_by(owner).select_related("recipe")
    presets = {name: suited(recipe, mirrors=known.mirrors) for name, recipe in RECIPES.items()}
    return presets | {row.recipe_id: row.recipe.load() for row in own}


def name_recipe(owner: Any, name: str, recipe: Recipe) -> OwnRecipe:
    """A recipe under an owner's own name for it, which nobody else sees."""
    return OwnRecipe.objects.create(owner=owner, name=name, recipe=_recipe_row(neutral_name(recipe), recipe))


def neutral_name(recipe: Recipe) -> str:
    """What a recipe is called that is no preset's: everyone who makes the same one shares its row."""
    return f"recipe {recipe.id[:8]}"


def _recipe_row(name: str, recipe: Recipe) -> TrainingRecipe:
    row, _ = TrainingRecipe.objects.get_or_create(
        id=recipe.id, defaults={"name": name, "definition": recipe.to_json()}
    )
    return row
