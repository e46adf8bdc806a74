"""Fields and checks that several forms share."""

from __future__ import annotations

from collections.abc import Mapping
from io import TextIOWrapper
from typing import Any, cast

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet

from search.models import OwnRecipe, TrainingRecipe
from search.spaces import Records, RecordsError, SearchSpace, read_records
from search.training.recipes import PRESET_NOTES

CHOOSE = "Choose one"  # what a list says before anything of it is chosen


def seed_field() -> forms.IntegerField:
    return forms.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        initial=0,
        help_text="The same seed and settings give the same result.",
    )


def recipe_choices(owner: Any, final: bool | None) -> list[Any]:
    """Presets for samples or for final models, or both for None, and the recipes of the owner's own."""
    presets = [
        (name, f"{name}: {note}")
        for name, note in PRESET_NOTES.items()
        if final is None or name.endswith("-final") == final
    ]
    own = [(row.recipe_id, row.name) for row in OwnRecipe.objects.owned_by(owner)]
    return [*presets, *([("Your own", own)] if own else [])]


def recipe_value(owner: Any, recipe: TrainingRecipe) -> str:
    """What stands for a recipe among `recipe_choices`: a preset's name, the id of an owner's own."""
    own = OwnRecipe.objects.owned_by(owner).filter(recipe=recipe).exists()
    return str(recipe.pk) if own or recipe.name not in PRESET_NOTES else recipe.name


class RecordsField(forms.FileField):
    """A CSV file of architectures with measured values, read against a space by `read`."""

    def __init__(self, units: Mapping[str, float], span: tuple[float, float], **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.FileInput(attrs={"accept": ".csv,text/csv"}))
        super().__init__(**kwargs)
        self.units, self.span = units, span

    def read(self, file: UploadedFile[Any], space: SearchSpace) -> Records:
        """Raises ValidationError with a sentence for every problem."""
        lowest, highest = self.span
        lines = TextIOWrapper(cast("Any", file.file), encoding="utf-8", newline="")
        try:
            return read_records(lines, space, self.units, lowest=lowest, highest=highest)
        except RecordsError as error:
            raise forms.ValidationError(error.problems) from error


def take_records(form: forms.Form, cleaned: dict[str, Any], fewest: int, whose: str) -> None:
    """Puts the records of the form's file in place of it, or what is wrong with them beside it.

    `whose` begins the sentence that asks for at least `fewest` networks.
    """
    file = cleaned.pop("file", None)
    if file is None:
        return
    try:
        records = cast("RecordsField", form.fields["file"]).read(file, cleaned["space"])
    except forms.ValidationError as error:
        form.add_error("file", error)
        return
    if len(records.values) < fewest:
        form.add_error("file", f"{whose} needs at least {fewest} networks, not {len(records.values)}.")
    else:
        cleaned["records"] = records


def choice_field(form: forms.Form, name: str) -> forms.ChoiceField:
    return cast("forms.ChoiceField", form.fields[name])


def flat_choices(form: forms.Form, name: str) -> list[tuple[str, str]]:
    """Values and labels that a field offers, whatever groups they stand in."""
    found: list[tuple[str, str]] = []
    for value, label in cast("Any", choice_field(form, name).choices):
        found += label if isinstance(label, list | tuple) else [(value, label)]
    return found


def unused_name(rows: QuerySet[Any], name: str, what: str) -> str:
    name = name.strip()
    if rows.filter(name=name).exists():
        raise forms.ValidationError(f"Your team already has a {what} called “{name}”. Choose another name.")
    return name
