"""Forms that begin predictors: from trainings here, or from those done elsewhere."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.conf import settings

from search.forms.fields import (
    RecordsField,
    choice_field,
    recipe_choices,
    seed_field,
    take_records,
    unused_name,
)
from search.models import Predictor
from search.predictors import all_alike
from search.queries import usable_predictors
from search.services.catalogue import small_presets, space_for
from search.services.datasets import available_datasets
from search.services.predictors import FEWEST_SAMPLES
from search.spaces import ACCURACY_UNITS, PRESETS


class NamedForm(forms.Form):
    """What every predictor needs: an unused name, a space, a data set. `clean` makes the space of the two."""

    name = forms.CharField(max_length=80, help_text="As you will pick it for searches.")
    space = forms.ChoiceField(help_text="The networks the predictor can judge.")
    dataset = forms.ChoiceField(
        label="Data set", help_text="Its validation part scores networks; its test part is not touched."
    )

    def __init__(self, *args: Any, owner: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner = owner
        choice_field(self, "space").choices = [(name, name) for name in self.presets()]
        self.datasets = {known.name: known for known in available_datasets(owner)}
        choice_field(self, "dataset").choices = [
            (known.name, known.label) for known in self.datasets.values()
        ]

    def presets(self) -> list[str]:
        """Names of the presets to choose from, those for small images first."""
        return [*small_presets(), *(name for name in PRESETS if name not in small_presets())]

    def clean_name(self) -> str:
        return unused_name(Predictor.objects.filter(owner=self.owner), self.cleaned_data["name"], "predictor")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if {"space", "dataset"} <= set(cleaned):
            cleaned["space"] = space_for(cleaned["space"], self.datasets[cleaned["dataset"]])
        return cleaned


class PredictorForm(NamedForm):
    """What an accuracy predictor is built from."""

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
    stop_error = forms.FloatField(
        label="Stop at an error of",
        required=False,
        min_value=0.01,
        max_value=50,
        help_text="Points of accuracy: enough when the cross-validated mean error is that small.",
    )
    stop_minutes = forms.IntegerField(
        label="Stop after",
        required=False,
        min_value=1,
        max_value=100_000,
        help_text="Minutes. What is trained by then makes the predictor.",
    )
    source = forms.ModelChoiceField(
        Predictor.objects.none(),
        label="Warm start from",
        required=False,
        empty_label="nothing: from its own samples alone",
        help_text="A predictor of another data set or recipe. Where the two agree, fewer samples are enough.",
    )

    def __init__(self, *args: Any, owner: Any, **kwargs: Any) -> None:
        super().__init__(*args, owner=owner, **kwargs)
        choice_field(self, "recipe").choices = recipe_choices(owner, final=False)
        cast("forms.ModelChoiceField[Any]", self.fields["source"]).queryset = usable_predictors(owner)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        budget, initial = cleaned.get("budget"), cleaned.get("initial")
        if budget and initial and budget < initial:
            self.add_error(
                "budget",
                f"The initial design alone trains {initial} networks. "
                f"Raise the budget to at least {initial}, or make the initial design smaller.",
            )
        if cleaned.get("stop_error") is not None:
            cleaned["stop_error"] /= 100.0  # points to a share
        source = cleaned.get("source")
        known = {"space", "dataset"} <= set(cleaned)
        if known and source is not None and source.space.load().genes != cleaned["space"].genes:
            self.add_error(
                "source", f"It judges networks of {source.space.name}, which have other hyperparameters."
            )
        return cleaned


class PredictorImportForm(NamedForm):
    """A predictor from architectures that were trained elsewhere."""

    origin = forms.CharField(
        label="Where it comes from",
        max_length=120,
        help_text="A paper, a cluster, a colleague: it is shown with every sample.",
    )
    file = RecordsField(
        ACCURACY_UNITS,
        (-1e-9, 1.0),
        help_text="CSV: a column for every hyperparameter, and accuracy (0 to 1) or accuracy_percent.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if {"space", "dataset"} <= set(cleaned):
            take_records(self, cleaned, FEWEST_SAMPLES, "A predictor")
        records = cleaned.get("records")
        if records is not None and all_alike(records.values):
            self.add_error("file", "All accuracies are equal, so nothing can be learned from them.")
        return cleaned


def cost_sentence() -> str:
    """What a build will cost, before it is begun, in terms a person can multiply."""
    workers = settings.TRAIN_WORKERS
    at_a_time = "1 network trains" if workers == 1 else f"{workers} networks train"
    return (
        f"{at_a_time} at a time here. A sample with the recipe “seconds” takes a few seconds on one core, "
        "one with “minutes” about a minute."
    )
