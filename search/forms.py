"""Forms that begin tables, predictors, searches and models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from io import TextIOWrapper
from typing import Any, cast

import numpy as np
from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet

from devices.models import LatencyTable
from search.models import EnergyPredictor, Predictor, Search
from search.services.catalogue import measurable_spaces, small_presets, space_for
from search.services.problems import latency_range
from search.services.searches import FurtherLimit, device_name, per_device
from search.spaces import ACCURACY_UNITS, ENERGY_UNITS, Records, RecordsError, SearchSpace, read_records
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
    source = forms.ModelChoiceField(
        Predictor.objects.none(),
        label="Warm start from",
        required=False,
        empty_label="nothing: from its own samples alone",
        help_text="A predictor of another data set or recipe. Where the two agree, fewer samples are enough.",
    )

    def __init__(self, *args: Any, owner: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner = owner
        _choice(self, "space").choices = [(name, name) for name in small_presets()]
        _choice(self, "dataset").choices = [(known.name, known.label) for known in datasets.available()]
        _choice(self, "recipe").choices = _recipes(final=False)
        cast("forms.ModelChoiceField[Any]", self.fields["source"]).queryset = usable_predictors(owner)

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
            source = cleaned.get("source")
            if source is not None and source.space.load().genes != cleaned["space"].genes:
                self.add_error(
                    "source", f"It judges networks of {source.space.name}, which have other hyperparameters."
                )
        return cleaned


class RecordsField(forms.FileField):
    """A CSV file of architectures with measured values, read against a space by `read`."""

    def __init__(self, units: Mapping[str, float], span: tuple[float, float], **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.FileInput(attrs={"accept": ".csv,text/csv"}))
        super().__init__(**kwargs)
        self.units, self.span = units, span

    def read(self, file: UploadedFile[Any], space: SearchSpace) -> Records:
        """Raises ValidationError with a sentence for every problem."""
        lowest, highest = self.span
        lines: Iterable[str] = TextIOWrapper(cast("Any", file.file), encoding="utf-8", newline="")
        try:
            return read_records(lines, space, self.units, lowest=lowest, highest=highest)
        except RecordsError as error:
            raise forms.ValidationError(error.problems) from error


class PredictorImportForm(forms.Form):
    """A predictor from architectures that were trained elsewhere."""

    name = forms.CharField(max_length=80, help_text="As you will pick it for searches.")
    space = forms.ChoiceField(help_text="The networks that the file describes.")
    dataset = forms.ChoiceField(label="Data set", help_text="What they were trained on.")
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

    def __init__(self, *args: Any, owner: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner = owner
        _choice(self, "space").choices = [(name, name) for name in small_presets()]
        _choice(self, "dataset").choices = [(known.name, known.label) for known in datasets.available()]

    def clean_name(self) -> str:
        return _unused_name(
            Predictor.objects.filter(owner=self.owner), self.cleaned_data["name"], "predictor"
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if {"space", "dataset"} <= set(cleaned):
            cleaned["space"] = space_for(cleaned["space"], cleaned["dataset"])
            _read_records(self, cleaned)
        records = cleaned.get("records")
        if records is not None and len(records.values) < 3:
            self.add_error("file", f"A predictor needs at least 3 networks, not {len(records.values)}.")
        elif records is not None and float(np.ptp(records.values)) == 0.0:
            self.add_error("file", "All accuracies are equal, so nothing can be learned from them.")
        return cleaned


class EnergyForm(forms.Form):
    """Measured energies of whole networks on a device."""

    space = forms.ChoiceField(help_text="The networks that the file describes.")
    meter = forms.CharField(
        max_length=120,
        help_text="What measured it: “USB power meter, 1 mW, 30 s a network, idle subtracted”.",
    )
    file = RecordsField(
        ENERGY_UNITS,
        (0.0, 1e9),
        help_text="CSV: a column for every hyperparameter, and energy_mj (or _uj, _j) of one image.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.spaces = measurable_spaces()
        _choice(self, "space").choices = [(space_id, label) for space_id, (_, label) in self.spaces.items()]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "space" in cleaned:
            cleaned["space"], _ = self.spaces[cleaned["space"]]
            _read_records(self, cleaned)
        records = cleaned.get("records")
        if records is not None and len(records.values) < 5:
            self.add_error(
                "file", f"An energy predictor needs at least 5 networks, not {len(records.values)}."
            )
        return cleaned


def _read_records(form: forms.Form, cleaned: dict[str, Any]) -> None:
    """Puts the records of the form's file in place of it, or what is wrong with them beside it."""
    file = cleaned.pop("file", None)
    if file is None:
        return
    try:
        cleaned["records"] = cast("RecordsField", form.fields["file"]).read(file, cleaned["space"])
    except forms.ValidationError as error:
        form.add_error("file", error)


class LimitForm(forms.Form):
    """One further limit: on the latency of another device, or on a device's energy."""

    of = forms.ChoiceField(label="Limit on", required=False)
    maximum = forms.FloatField(label="At most", required=False, min_value=1e-6, help_text="In ms or mJ.")

    def __init__(
        self, *args: Any, choices: Mapping[str, LatencyTable | EnergyPredictor], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.known = choices
        tables = [(key, str(one)) for key, one in choices.items() if isinstance(one, LatencyTable)]
        energies = [(key, str(one)) for key, one in choices.items() if isinstance(one, EnergyPredictor)]
        _choice(self, "of").choices = [
            ("", "nothing more"),
            ("Latency (ms)", tables),
            *([("Energy (mJ)", energies)] if energies else []),
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        of, maximum = cleaned.get("of"), cleaned.get("maximum")
        if maximum is not None and not of and "of" not in self.errors:
            self.add_error("of", "Choose what this limit is for, or clear the limit.")
        if of and maximum is None and "maximum" not in self.errors:
            self.add_error("maximum", "Enter the limit.")
        return cleaned | {"of": self.known.get(of or "")}


class BaseLimitRows(forms.BaseFormSet):  # type: ignore[type-arg]  # generic in the stubs only
    """Rows of further limits; those left empty do not count."""

    def __init__(self, data: Any, *, owner: Any) -> None:
        known: dict[str, LatencyTable | EnergyPredictor] = {
            f"table:{one.pk}": one for one in usable_tables(owner)
        }
        known |= {f"energy:{one.pk}": one for one in usable_energies(owner)}
        super().__init__(data, prefix="limits", form_kwargs={"choices": known})

    @property
    def filled(self) -> list[LimitForm]:
        return [form for form in self.forms if form.cleaned_data.get("of")]


LimitRows: Any = forms.formset_factory(
    LimitForm, formset=BaseLimitRows, extra=4, max_num=16, absolute_max=16, validate_max=True
)


def _with_management(data: Any) -> Any:
    """Form data with the counts that rows of limits need, for whoever sends none."""
    if "limits-TOTAL_FORMS" in data:
        return data
    return {"limits-TOTAL_FORMS": "0", "limits-INITIAL_FORMS": "0"}


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
    networks = forms.ChoiceField(
        label="With several devices",
        choices=[
            ("one", "one network that keeps every limit"),
            ("each", "one network for each device"),
            ("both", "both, to compare them"),
        ],
        required=False,
        help_text="Each device can have a network of its own from the same predictor.",
    )
    max_multiply_adds = forms.IntegerField(
        label="Multiply-adds", required=False, min_value=1, max_value=10**15, help_text="At most."
    )
    max_parameters = forms.IntegerField(
        label="Parameters", required=False, min_value=1, max_value=10**15, help_text="At most."
    )
    max_file_kb = forms.FloatField(
        label="File size",
        required=False,
        min_value=1,
        max_value=10**9,
        help_text="Of the TorchScript file, at most.",
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
        self.limits: BaseLimitRows = LimitRows(
            _with_management(self.data) if self.is_bound else None, owner=owner
        )

    def is_valid(self) -> bool:
        return super().is_valid() and self.limits.is_valid()

    def clean_name(self) -> str:
        return _unused_name(Search.objects.filter(owner=self.owner), self.cleaned_data["name"], "search")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        cleaned["networks"] = cleaned.get("networks") or "one"
        kilobytes = cleaned.pop("max_file_kb", None)
        cleaned["max_file_bytes"] = None if kilobytes is None else round(1000 * kilobytes)
        predictor, table = cleaned.get("predictor"), cleaned.get("table")
        if not self.limits.is_valid() or predictor is None or table is None:
            return cleaned
        space = predictor.space.load()
        if error := self._limit_error(space, table, cleaned.get("latency_limit_ms")):
            self.add_error(*error)
        cleaned["further"] = self._further(space, table)
        self._check_networks(cleaned)
        return cleaned

    def _further(self, space: SearchSpace, table: LatencyTable) -> list[FurtherLimit]:
        """The limits of the rows that are filled in; what is wrong with one stands beside it."""
        found: list[FurtherLimit] = []
        for row in self.limits.filled:
            limit = FurtherLimit(row.cleaned_data["of"], row.cleaned_data["maximum"])
            if limit.of == table or limit.of in [other.of for other in found]:
                row.add_error("of", "This has a limit already. Choose something else.")
            elif isinstance(limit.of, LatencyTable):
                if error := self._limit_error(space, limit.of, limit.maximum):
                    row.add_error("maximum" if error[0] == "latency_limit_ms" else "of", error[1])
            elif limit.of.space_id != space.id:
                row.add_error("of", f"Its energy was measured of {limit.of.space.name}, not {space.name}.")
            found.append(limit)
        return found

    def _check_networks(self, cleaned: dict[str, Any]) -> None:
        """A network per device needs two devices, a latency limit on each, and names that are free."""
        if cleaned["networks"] == "one" or self.errors:
            return
        try:
            alone = per_device(cleaned["table"], cleaned["latency_limit_ms"], cleaned["further"])
        except ValueError as error:
            self.add_error("networks", str(error))
            return
        if len(alone) < 2:
            self.add_error("networks", "There is one device only. Add a latency limit on another one below.")
        names = [device_name(cleaned["name"], table) for table, _, _ in alone]
        taken = Search.objects.filter(owner=self.owner, name__in=names).values_list("name", flat=True)
        if taken or len(set(names)) < len(names):
            self.add_error(
                "name", f"You already have a search called “{[*taken, *names][0]}”. Choose another name."
            )

    def _limit_error(
        self, space: SearchSpace, table: LatencyTable, limit: float | None
    ) -> tuple[str, str] | None:
        """Field and sentence where the table does not cover the space or the space cannot reach the limit."""
        confidence = self.cleaned_data.get("confidence", 0.5)
        try:
            least, _ = latency_range(space, table, confidence)
        except ValueError as error:
            return "table", str(error)
        if limit is None or limit >= least:
            return None
        sure = f", with {100 * confidence:.0f} % confidence" if confidence > 0.5 else ""
        return (
            "latency_limit_ms",
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


def usable_energies(owner: Any) -> QuerySet[EnergyPredictor]:
    return EnergyPredictor.objects.owned_by(owner).usable().select_related("device", "space")


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
