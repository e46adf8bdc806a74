"""Pages about recipes."""

from __future__ import annotations

import json
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from devices.exports import Export, export_asked
from devices.listing import list_response
from devices.runs.ownership import owner_of
from search.forms.recipes import RecipeForm
from search.lists import RECIPES
from search.models import OwnRecipe, Predictor, TrainedModel, TrainingRecipe
from search.queries import own_recipe_rows
from search.services.catalogue import name_recipe
from search.training.recipes import FIELD_LABELS, PRESET_NOTES, PRESETS, Recipe, RecipeError, learning_rate

POINTS_PER_EPOCH = 20
MOST_POINTS = 600


@require_GET
def recipe_list(request: HttpRequest) -> HttpResponseBase:
    presets = [(name, recipe, PRESET_NOTES[name]) for name, recipe in PRESETS.items()]
    if "table" in request.GET and (file := export_asked(request, lambda: {"presets": _presets_file()})):
        return file
    rows = own_recipe_rows(owner_of(request))
    return list_response(request, RECIPES, rows, "search/recipes.html", presets=presets)


def _presets_file() -> Export:
    """The presets with everything that is set in them."""
    return Export(
        "preset-recipes",
        ("name", "for", *FIELD_LABELS),
        lambda: (
            (name, PRESET_NOTES[name], *(recipe.to_json()[field] for field in FIELD_LABELS))
            for name, recipe in PRESETS.items()
        ),
    )


@require_GET
def recipe_page(request: HttpRequest, recipe_id: str) -> HttpResponseBase:
    name, note, recipe = _known(request, recipe_id)
    settings = Export(f"recipe-{recipe.id}", ("setting", "value"), lambda: recipe.to_json().items())
    if (file := export_asked(request, lambda: {"settings": settings})) is not None:
        return file
    predictors = Predictor.objects.owned_by(owner_of(request)).filter(recipe=recipe.id)
    models = TrainedModel.objects.owned_by(owner_of(request)).filter(recipe=recipe.id)
    steps = max(1, min(POINTS_PER_EPOCH, MOST_POINTS // recipe.epochs))
    values = recipe.to_json()
    context = {
        "name": name,
        "note": note,
        "recipe": recipe,
        "fields": [(label, _text(field, values[field])) for field, label in FIELD_LABELS.items()],
        "predictors": predictors.select_related("run")[:50],
        "models": models.select_related("run", "candidate__search", "baseline__study")[:50],
        "text": json.dumps(values, indent=2),
        "state": {
            "epochs": recipe.epochs,
            "rates": [
                [step / steps, learning_rate(recipe, step, steps)] for step in range(recipe.epochs * steps)
            ],
        },
    }
    return render(request, "search/recipe.html", context)


@require_http_methods(["GET", "POST"])
def recipe_new(request: HttpRequest) -> HttpResponse:
    form = RecipeForm(request.POST or None, initial=_start(request), owner=owner_of(request))
    if request.method == "POST" and form.is_valid():
        return redirect(
            name_recipe(owner_of(request), form.cleaned_data["name"], form.cleaned_data["recipe"])
        )
    return render(request, "search/recipe_form.html", {"form": form}, status=422 if form.errors else 200)


def _own(request: HttpRequest) -> Any:
    return OwnRecipe.objects.owned_by(owner_of(request)).select_related("recipe")


def _known(request: HttpRequest, recipe_id: str) -> tuple[str, str, Recipe]:
    """Name, note and content of a preset, of a recipe of the team's own, or of one that its work used."""
    for name, preset in PRESETS.items():
        if recipe_id in (name, preset.id):
            return name, PRESET_NOTES[name], preset
    own = _own(request).filter(recipe=recipe_id).first()
    if own is not None:
        return own.name, "A recipe of your team's own.", own.recipe.load()
    row = get_object_or_404(TrainingRecipe, pk=recipe_id)
    owner: Any = owner_of(request)
    used = (row.predictors, row.trained_models, row.studies)
    if not any(rows.filter(owner=owner).exists() for rows in used):
        raise Http404
    try:
        return row.name, "", row.load()
    except RecipeError:
        raise Http404("Networks of this recipe were trained elsewhere.") from None


def _start(request: HttpRequest) -> dict[str, Any]:
    """What the form begins with: the recipe that is to be changed."""
    try:
        return _known(request, request.GET.get("from", "minutes"))[2].to_json()
    except Http404:
        return PRESETS["minutes"].to_json()


def _text(field: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "all" if field == "train_images" else "none"
    return f"{value:,g}" if isinstance(value, int | float) else str(value)
