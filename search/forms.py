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
from search.spaces import SearchSpace
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
        if cleaned.get("stop_error") is not None:
            cleaned["stop_error"] /= 100.0  # points to a share
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
    confidence = forms.TypedChoiceField(
        label="Confidence",
        choices=[
            (0.5, "as predicted (even odds)"),
            (0.8, "met with 80 % confidence"),
            (0.9, "met with 90 % confidence"),
            (0.95, "met with 95 % confidence"),
        ],
        coerce=float,
        empty_value=0.5,  # type: ignore[arg-type]  # what coerce gives
        required=False,
        initial=0.9,
        help_text="How sure a latency limit is to be kept, from the table's calibration.",
    )
    cautious = forms.BooleanField(
        label="Prefer accuracy that is sure",
        required=False,
        help_text="Ranks by the lower end of the 90 % interval instead of the expected accuracy.",
    )
    other_table = forms.ModelChoiceField(
        LatencyTable.objects.none(),
        label="Also on",
        required=False,
        empty_label="no other device",
        help_text="A second device that the same network must suit.",
    )
    other_limit_ms = forms.FloatField(label="Latency limit there", required=False, min_value=1e-6)
    max_multiply_adds = forms.IntegerField(
        label="Multiply-adds", required=False, min_value=1, max_value=10**15, help_text="At most."
    )
    max_parameters = forms.IntegerField(
        label="Parameters", required=False, min_value=1, max_value=10**15, help_text="At most."
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
            if len(rows) == 1:  # there is nothing to choose
                field.initial, field.empty_label = rows[0].pk, None
        cast("forms.ModelChoiceField[Any]", self.fields["other_table"]).queryset = usable_tables(owner)

    def clean_name(self) -> str:
        return _unused_name(Search.objects.filter(owner=self.owner), self.cleaned_data["name"], "search")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        predictor, table = cleaned.get("predictor"), cleaned.get("table")
        if predictor is None or table is None:
            return cleaned
        space = predictor.space.load()
        self._check_limit(space, table, "table", "latency_limit_ms")
        self._check_other(space)
        other, limit = cleaned.pop("other_table", None), cleaned.pop("other_limit_ms", None)
        return cleaned | {"further": [(other, limit)] if other is not None else []}

    def _check_other(self, space: SearchSpace) -> None:
        table, limit = self.cleaned_data.get("other_table"), self.cleaned_data.get("other_limit_ms")
        if table is None and limit is not None:
            self.add_error("other_table", "Choose the device that this limit is for, or clear the limit.")
        elif table is not None and table == self.cleaned_data.get("table"):
            self.add_error("other_table", "This device is chosen above already. Choose another one.")
        elif table is not None and limit is None and "other_limit_ms" not in self.errors:
            self.add_error("other_limit_ms", "Enter the limit in milliseconds on that device.")
        elif table is not None:
            self._check_limit(space, table, "other_table", "other_limit_ms")

    def _check_limit(
        self, space: SearchSpace, table: LatencyTable, table_field: str, limit_field: str
    ) -> None:
        """Adds an error where the table does not cover the space or the space cannot reach the limit."""
        try:
            confidence = self.cleaned_data.get("confidence", 0.5)
            least, _ = latency_range(space, table, confidence)
        except ValueError as error:
            self.add_error(table_field, str(error))
            return
        limit = self.cleaned_data.get(limit_field)
        if limit is not None and limit < least:
            sure = f", with {100 * confidence:.0f} % confidence" if confidence > 0.5 else ""
            self.add_error(
                limit_field,
                f"The fastest network of this space on this device takes {least:.3g} ms{sure}. "
                f"Enter {least * 1.1:.3g} ms or more.",
            )


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
    at_a_time = "1 network trains" if workers == 1 else f"{workers} networks train"
    return (
        f"{at_a_time} at a time here. A sample with the recipe “seconds” takes a few seconds on one core, "
        "one with “minutes” about a minute."
    )


def _choice(form: forms.Form, name: str) -> forms.ChoiceField:
    return cast("forms.ChoiceField", form.fields[name])


def _unused_name(rows: QuerySet[Any], name: str, what: str) -> str:
    name = name.strip()
    if rows.filter(name=name).exists():
        raise forms.ValidationError(f"You already have a {what} called “{name}”. Choose another name.")
    return name
