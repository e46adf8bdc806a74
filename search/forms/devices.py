"""Forms on a device's page: what is measured of it, or was."""

from __future__ import annotations

from typing import Any, cast

from django import forms

from search.forms.fields import RecordsField, choice_field, take_records
from search.models import CostPredictor
from search.predictors import FEWEST_MEASURED
from search.services.catalogue import measurable_spaces
from search.spaces import ENERGY_UNITS, LATENCY_UNITS, SearchSpace


class SpaceForm(forms.Form):
    """A choice among the spaces that a device can be measured for."""

    space = forms.ChoiceField(help_text="The networks that the file describes.")

    def __init__(self, *args: Any, owner: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.spaces = measurable_spaces(owner)
        choice_field(self, "space").choices = [
            (space_id, label) for space_id, (_, label) in self.spaces.items()
        ]

    def clean_space(self) -> SearchSpace:
        return self.spaces[self.cleaned_data["space"]][0]


class TableForm(SpaceForm):
    """Which space a new table of a device is for."""

    space = forms.ChoiceField(
        help_text="Every distinct operator of a small space is measured. Of a large one those that say most "
        "are, and the others are learned from them and marked."
    )


class CostForm(SpaceForm):
    """Which networks of a space, and what of them."""

    quantity = forms.ChoiceField(
        label="What", choices=CostPredictor.Quantity.choices, initial=CostPredictor.Quantity.ENERGY
    )

    field_order = ("quantity", "space")


class CostMeasureForm(CostForm):
    """Whole networks that the sampler picks and the device measures."""

    budget = forms.IntegerField(
        label="Networks",
        min_value=FEWEST_MEASURED,
        max_value=500,
        initial=24,
        help_text="How many are measured. More networks, smaller error.",
    )

    def __init__(self, *args: Any, owner: Any, **kwargs: Any) -> None:
        super().__init__(*args, owner=owner, **kwargs)
        self.fields["space"].help_text = "The networks that are measured."


class CostImportForm(CostForm):
    """Energies or latencies of whole networks, measured elsewhere."""

    meter = forms.CharField(
        max_length=120,
        help_text="What measured it: “USB power meter, 1 mW, 30 s a network, idle subtracted”.",
    )
    file = RecordsField(
        {},
        (0.0, 1e9),
        help_text="CSV: a column for every hyperparameter, and energy_mj (or _uj, _j) of one image, or "
        "latency_ms (or _us, _s) of one call.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if {"space", "quantity"} <= set(cleaned):
            energy = cleaned["quantity"] == CostPredictor.Quantity.ENERGY
            cast("RecordsField", self.fields["file"]).units = ENERGY_UNITS if energy else LATENCY_UNITS
            take_records(self, cleaned, FEWEST_MEASURED, "A predictor of costs")
        return cleaned
