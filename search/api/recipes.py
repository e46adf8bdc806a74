"""Recipes: everything that training needs besides the network and the data."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status

from devices.api.answers import Line, Page, Refused, Window, checked, page_of
from devices.runs.ownership import owner_of
from search.forms.recipes import RecipeForm
from search.models import OwnRecipe
from search.services.catalogue import name_recipe
from search.training.recipes import FIELD_LABELS, PRESET_NOTES, PRESETS, Recipe

router = Router(tags=["recipes"])


class RecipeFacts(Schema):
    """A recipe: a preset or one of the team's own. Its id comes from its content."""

    id: str
    key: str = Field(description="How it is named where a recipe is asked for.")
    name: str
    note: str
    is_preset: bool
    values: dict[str, Any]


class NewRecipe(Schema):
    """A recipe under a name; what is not given is as in the preset “minutes”."""

    name: Line
    start: Literal[tuple(PRESETS)] = Field(  # type: ignore[valid-type]  # the presets' names
        default="minutes", description="The preset that gives what is not given."
    )
    values: dict[str, Any] = Field(default={}, description=f"Any of {', '.join(FIELD_LABELS)}.")


@router.get("", response=Page[RecipeFacts])
def list_recipes(request: HttpRequest, window: Query[Window]) -> Any:
    """List recipes: presets, then the team's own."""
    return page_of(request, _known(request), window)


@router.post("", response={201: RecipeFacts})
def make_recipe(request: HttpRequest, data: NewRecipe) -> Any:
    """Make a recipe."""
    unknown = sorted(set(data.values) - set(FIELD_LABELS))
    if unknown:
        raise Refused(
            422, f"A recipe has no “{unknown[0][:40]}”.", [f"{one[:40]}: unknown" for one in unknown]
        )
    values = PRESETS[data.start].to_json() | data.values
    form = RecipeForm({"name": data.name} | _plain(values), owner=owner_of(request))
    chosen = checked(form)
    own = name_recipe(owner_of(request), chosen["name"], chosen["recipe"])
    return Status(201, _facts(own.name, "A recipe of your own.", own.recipe.load(), is_preset=False))


@router.get("/{recipe_id}", response=RecipeFacts)
def get_recipe(request: HttpRequest, recipe_id: str) -> Any:
    """Get a recipe by its id, or a preset by its name."""
    for one in _known(request):
        if recipe_id == one["id"] or (one["is_preset"] and recipe_id == one["name"]):
            return one
    raise Refused(404, "There is no such recipe.")


def _known(request: HttpRequest) -> list[dict[str, Any]]:
    presets = [_facts(name, PRESET_NOTES[name], recipe, is_preset=True) for name, recipe in PRESETS.items()]
    own = OwnRecipe.objects.owned_by(owner_of(request)).select_related("recipe")
    return presets + [
        _facts(row.name, "A recipe of your own.", row.recipe.load(), is_preset=False) for row in own
    ]


def _facts(name: str, note: str, recipe: Recipe, *, is_preset: bool) -> dict[str, Any]:
    return {
        "id": recipe.id,
        "key": name if is_preset else recipe.id,
        "name": name,
        "note": note,
        "is_preset": is_preset,
        "values": recipe.to_json(),
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Values as a form takes them: nothing nested, and nothing where there is none."""
    return {
        name: value if isinstance(value, bool) else str(value)[:100]
        for name, value in values.items()
        if value is not None
    }
