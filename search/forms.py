"""Forms that begin tables, predictors, searches and models."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.conf import settings
from django.db.models import QuerySet

from devices.models import LatencyTable
from search.models import Predictor, Search
from search.services.catalogue import measurable_spaces, small_presets, space_for
from search.services.searches import latency_range
from search.training import datasets
from search.training.recipes import PRESET_NOTES


def seed_field() -> forms.IntegerField:
    return forms.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        initial=0,
        help_text="The same seed and settings give the same result.",
    )


def _recipes(final: bool) -> list[tuple[str, str]]:
    return [
        (name, f"{name}: {note}") for name, note in PRESET_NOTES.items() if name.endswith("-final") == final
    ]


class TableForm(forms.Form):
    """Which space a new table of a device is for."""

    space = forms.ChoiceField(
        help_text="Every distinct operator that any network of this space needs is measured."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.spaces = measurable_spaces()
        _choice(self, "space").choices = [(space_id, label) for space_id, (_, label) in self.spaces.items()]


class PredictorForm(forms.Form):
    """What an accuracy predictor is built from."""

    name = forms.CharField(max_length=80, help_text="As you will pick it for searches.")
    space = forms.ChoiceField(help_text="The networks the predictor can judge.")
    dataset = forms.ChoiceField(
        label="Data set", help_text="Its validation part scores the samples; its test part is not touched."
    )
    recipe = forms.ChoiceField(
        help_text="How each sample is trained. Comparable samples need the same recipe."
    )
    budget = forms.IntegerField(
        min_value=4, max_value=5000, initial=40, help_text="Networks to train. More samples, smaller error."
    )
    initial = forms.IntegerField(  # type: ignore[assignment]  # the field's name, not the form's argument
        label="Initial design",
        min_value=2,
        max_value=1000,
        initial=12,
        help_text="How many of them are spread evenly (a Sobol sequence) before the predictor chooses.",
    )
    seed = seed_field()

    def __init__(self, *args: Any, owner: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner = owner
        _choice(self, "space").choices = [(name, name) for name in small_presets()]
        _choice(self, "dataset").choices = [(known.name, known.label) for known in datasets.available()]
        _choice(self, "recipe").choices = _recipes(final=False)

    def clean_name(self) -> str:
        return _unused_name(
            Predictor.objects.filter(owner=self.owner), self.cleaned_data["name"], "predictor"
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        budget, initial = cleaned.get("budget"), cleaned.get("initial")
        if budget and initial and budget < initial:
            self.add_error(
                "budget",
                f"The initial design alone trains {initial} networks. "
                f"Raise the budget to at least {initial}, or make the initial design smaller.",
            )
        if "space" in cleaned and "dataset" in cleaned:
            cleaned["space"] = space_for(cleaned["space"], cleaned["dataset"])
        return cleaned


class SearchForm(forms.Form):
    """What a search looks for. The limit must be one that the space can reach on the device."""

    name = forms.CharField(max_length=80)
    predictor = forms.ModelChoiceField(Predictor.objects.none())
    table = forms.ModelChoiceField(
        LatencyTable.objects.none(),
        label="Device and table",
        help_text="The newest table of a device comes first.",
    )
    latency_limit_ms = forms.FloatField(
        label="Latency limit", min_value=1e-6, help_text="In milliseconds. Candidates stay at or below it."
    )
    population = forms.IntegerField(min_value=4, max_value=2000, initial=96)
    generations = forms.IntegerField(min_value=1, max_value=2000, initial=100)
    seed = seed_field()

    def __init__(self, *args: Any, owner: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner = owner
        for name, rows in (("predictor", usable_predictors(owner)), ("table", usable_tables(owner))):
            field = cast("forms.ModelChoiceField[Any]", self.fields[name])
            field.queryset = rows
            if len(rows) == 1:
                field.initial, field.empty_label = rows[0].pk, None

    def clean_name(self) -> str:
        return _unused_name(Search.objects.filter(owner=self.owner), self.cleaned_data["name"], "search")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        predictor, table = cleaned.get("predictor"), cleaned.get("table")
        if predictor is None or table is None:
            return cleaned
        try:
            least, _ = latency_range(predictor.space.load(), table)
        except ValueError as error:
            self.add_error("table", str(error))
            return cleaned
        limit = cleaned.get("latency_limit_ms")
        if limit is not None and limit < least:
            self.add_error(
                "latency_limit_ms",
                f"The fastest network of this space on this device takes {least:.3g} ms. "
                f"Enter {least * 1.1:.3g} ms or more.",
            )
        return cleaned


class ModelForm(forms.Form):
    """How a candidate is trained to the end."""

    recipe = forms.ChoiceField(help_text="Longer than for samples: this network is the one you keep.")
    seed = seed_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choice(self, "recipe").choices = _recipes(final=True)


def usable_predictors(owner: Any) -> QuerySet[Predictor]:
    return Predictor.objects.owned_by(owner).usable().select_related("space")


def usable_tables(owner: Any) -> QuerySet[LatencyTable]:
    return LatencyTable.objects.owned_by(owner).usable().select_related("device")


def cost_sentence() -> str:
    """What a build will cost, before it is begun, in terms a person can multiply."""
    workers = settings.TRAIN_WORKERS
    return (
        f"{workers} networks train at a time here. A sample with the recipe “seconds” takes a few seconds "
        "on one core, one with “minutes” about a minute."
    )


def _choice(form: forms.Form, name: str) -> forms.ChoiceField:
    return cast("forms.ChoiceField", form.fields[name])


def _unused_name(rows: QuerySet[Any], name: str, what: str) -> str:
    name = name.strip()
    if rows.filter(name=name).exists():
        raise forms.ValidationError(f"You already have a {what} called “{name}”. Choose another name.")
    return name
