"""The form that begins a study."""

from __future__ import annotations

import math
import re
from typing import Any, cast

from django import forms

from devices.models import LatencyTable
from search.forms.fields import CHOOSE, choice_field, recipe_choices, unused_name
from search.forms.searches import SearchForm
from search.models import Predictor, Study
from search.queries import usable_predictors, usable_tables
from search.services.problems import latency_range

MOST_LIMITS = 12


class LimitsField(forms.CharField):
    """Latencies in milliseconds, separated by spaces or semicolons; commas separate too."""

    def clean(self, value: Any) -> Any:
        """Distinct limits, tightest first."""
        found = []
        for word in re.split(r"[\s;,]+", super().clean(value).strip()):
            try:
                number = float(word)
            except ValueError:
                raise forms.ValidationError(
                    f"“{word[:20]}” is no number. Write limits like 0.4 0.6 0.9."
                ) from None
            if not (math.isfinite(number) and number > 0):
                raise forms.ValidationError(f"A limit must be above 0 ms, not {word[:20]}.")
            found.append(number)
        if len(set(found)) > MOST_LIMITS:
            raise forms.ValidationError(f"At most {MOST_LIMITS} limits, not {len(set(found))}.")
        return sorted(set(found))


class StudyForm(forms.Form):
    """Which networks are compared, where, and how they are trained."""

    name = forms.CharField(max_length=80)
    predictor = forms.ModelChoiceField(
        Predictor.objects.none(),
        empty_label=CHOOSE,
        help_text="Its space, data set and samples are what the search knows.",
    )
    table = forms.ModelChoiceField(
        LatencyTable.objects.none(),
        label="Device and table",
        empty_label=CHOOSE,
        help_text="Both networks are limited by it.",
    )
    limits = LimitsField(
        label="Latency limits",
        max_length=200,
        help_text="In milliseconds, with spaces between. At each, two networks are trained.",
    )
    recipe = forms.ChoiceField(help_text="Both networks are trained alike.")
    seeds = forms.IntegerField(
        min_value=1,
        max_value=20,
        initial=3,
        help_text="Trainings of every network. From two on, the gain is compared with the noise.",
    )
    confidence = SearchForm.base_fields["confidence"]
    population = forms.IntegerField(min_value=4, max_value=2000, initial=96)
    generations = forms.IntegerField(min_value=1, max_value=2000, initial=100)

    def __init__(self, *args: Any, owner: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner = owner
        choice_field(self, "recipe").choices = recipe_choices(owner, final=None)
        for name, rows in (("predictor", usable_predictors(owner)), ("table", usable_tables(owner))):
            field = cast("forms.ModelChoiceField[Any]", self.fields[name])
            field.queryset = rows
            if len(rows) == 1:  # there is nothing to choose
                field.initial, field.empty_label = rows[0].pk, None

    def clean_name(self) -> str:
        return unused_name(Study.objects.filter(owner=self.owner), self.cleaned_data["name"], "study")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        predictor, table, limits = (cleaned.get(name) for name in ("predictor", "table", "limits"))
        if predictor is None or table is None:
            return cleaned
        if predictor.origin == Predictor.Origin.IMPORTED:
            self.add_error(
                "predictor",
                "Its samples were trained elsewhere, so scaled networks cannot be tried out alike.",
            )
        confidence = cleaned.get("confidence", 0.5)
        try:
            least, greatest = latency_range(predictor.space.load(), table, confidence)
        except ValueError as error:
            self.add_error("table", str(error))
            return cleaned
        if limits and limits[0] < least:
            self.add_error(
                "limits",
                f"Networks of this space take {least:.3g} to {greatest:.3g} ms on this device; "
                f"none is as fast as {limits[0]:g} ms.",
            )
        return cleaned
