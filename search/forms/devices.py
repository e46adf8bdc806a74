"""Forms on a device's page: what is measured of it, or was."""

from __future__ import annotations

from typing import Any

from django import forms

from search.forms.fields import RecordsField, choice_field, take_records
from search.predictors import FEWEST_MEASURED
from search.services.catalogue import measurable_spaces
from search.spaces import ENERGY_UNITS


class SpaceForm(forms.Form):
    """A choice among the spaces that a device can be measured for."""

    space = forms.ChoiceField(help_text="The networks that the file describes.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.spaces = measurable_spaces()
        choice_field(self, "space").choices = [
            (space_id, label) for space_id, (_, label) in self.spaces.items()
        ]


class TableForm(SpaceForm):
    """Which space a new table of a device is for."""

    space = forms.ChoiceField(
        help_text="Every distinct operator of a small space is measured. Of a large one those that say most "
        "are, and the others are learned from them and marked."
    )


class EnergyForm(SpaceForm):
    """Measured energies of whole networks on a device."""

    meter = forms.CharField(
        max_length=120,
        help_text="What measured it: “USB power meter, 1 mW, 30 s a network, idle subtracted”.",
    )
    file = RecordsField(
        ENERGY_UNITS,
        (0.0, 1e9),
        help_text="CSV: a column for every hyperparameter, and energy_mj (or _uj, _j) of one image.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "space" in cleaned:
            cleaned["space"], _ = self.spaces[cleaned["space"]]
            take_records(self, cleaned, FEWEST_MEASURED, "An energy predictor")
        return cleaned
