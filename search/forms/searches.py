"""Forms that begin searches, and the final training of what they found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from django import forms

from devices.models import LatencyTable
from search.forms.fields import CHOOSE, choice_field, recipe_choices, seed_field, unused_name
from search.models import CostPredictor, Predictor, PublishedSet, Search
from search.queries import usable_costs, usable_predictors, usable_tables, usable_timings
from search.services.problems import latency_range
from search.services.searches import FurtherLimit, device_name, per_device
from search.spaces import SearchSpace
from search.spaces.published import MOST_BYTES, PublishedError, SeveralLatenciesError, read_published


def _is_energy(one: LatencyTable | CostPredictor) -> bool:
    return isinstance(one, CostPredictor) and one.quantity == CostPredictor.Quantity.ENERGY


class LatencySourceField(forms.ChoiceField):
    """A table or a latency predictor over whole networks, by its id."""

    def offer(self, tables: Iterable[LatencyTable], timings: Iterable[CostPredictor]) -> None:
        """Sets what can be chosen; with one thing only there is nothing to choose."""
        groups = [(one.pk, one) for one in tables], [(one.pk, one) for one in timings]
        self.known: dict[str, LatencyTable | CostPredictor] = {str(pk): one for g in groups for pk, one in g}
        tables_, timings_ = [[(str(pk), str(one)) for pk, one in group] for group in groups]
        self.choices = [*tables_, *([("From whole networks", timings_)] if timings_ else [])]
        if len(self.known) == 1:
            self.initial = next(iter(self.known))
        else:
            self.choices = [("", CHOOSE), *self.choices]

    def clean(self, value: Any) -> LatencyTable | CostPredictor:
        return self.known[super().clean(str(value) if value else value)]


class LimitForm(forms.Form):
    """One further limit: on the latency of another device, or on a device's energy."""

    of = forms.ChoiceField(label="Limit on", required=False)
    maximum = forms.FloatField(label="At most", required=False, min_value=1e-6, help_text="In ms or mJ.")

    def __init__(
        self, *args: Any, choices: Mapping[str, LatencyTable | CostPredictor], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.known = choices
        latencies = [(key, str(one)) for key, one in choices.items() if not _is_energy(one)]
        energies = [(key, str(one)) for key, one in choices.items() if _is_energy(one)]
        choice_field(self, "of").choices = [
            ("", "nothing more"),
            ("Latency (ms)", latencies),
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


def _other_space(one: LatencyTable | CostPredictor, space: SearchSpace) -> str:
    measured_of = one.space_name if isinstance(one, LatencyTable) else one.space.name
    return f"It was measured of networks of {measured_of}, not {space.name}."


class BaseLimitRows(forms.BaseFormSet):  # type: ignore[type-arg]  # generic in the stubs only
    """Rows of further limits; those left empty do not count."""

    def __init__(self, data: Any, *, owner: Any, initial: Any = None) -> None:
        known: dict[str, LatencyTable | CostPredictor] = {
            f"table:{one.pk}": one for one in usable_tables(owner)
        }
        known |= {f"cost:{one.pk}": one for one in usable_costs(owner)}
        super().__init__(data, prefix="limits", initial=initial, form_kwargs={"choices": known})

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
    predictor = forms.ModelChoiceField(Predictor.objects.none(), empty_label=CHOOSE)
    table = LatencySourceField(
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
        help_text="How sure limits of latency and energy are to be kept.",
    )
    cautious = forms.BooleanField(
        label="Prefer accuracy that is sure",
        required=False,
        help_text="Ranks by the lower end of the 90 % interval instead of the predicted accuracy.",
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
        field, rows = cast("forms.ModelChoiceField[Any]", self.fields["predictor"]), usable_predictors(owner)
        field.queryset = rows
        if len(rows) == 1:  # there is nothing to choose
            field.initial, field.empty_label = rows[0].pk, None
        cast("LatencySourceField", self.fields["table"]).offer(usable_tables(owner), usable_timings(owner))
        self.limits: BaseLimitRows = LimitRows(
            _with_management(self.data) if self.is_bound else None,
            owner=owner,
            initial=self.initial.get("limits"),
        )

    def clean_name(self) -> str:
        return unused_name(Search.objects.filter(owner=self.owner), self.cleaned_data["name"], "search")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        cleaned["networks"] = cleaned.get("networks") or "one"
        kilobytes = cleaned.pop("max_file_kb", None)
        cleaned["max_file_bytes"] = None if kilobytes is None else round(1000 * kilobytes)
        predictor, table = cleaned.get("predictor"), cleaned.get("table")
        if self.limits.is_valid() and predictor is not None and table is not None:
            space = predictor.space.load()
            if error := self._limit_error(space, table, cleaned.get("latency_limit_ms")):
                self.add_error(*error)
            cleaned["further"] = self._further(space, table)
            self._check_networks(cleaned)
        if self.limits.total_error_count():
            self.add_error(None, "Nothing was started yet: look at what stands beside the further limits.")
        return cleaned

    def _further(self, space: SearchSpace, table: LatencyTable | CostPredictor) -> list[FurtherLimit]:
        """The limits of the rows that are filled in; what is wrong with one stands beside it."""
        found: list[FurtherLimit] = []
        for row in self.limits.filled:
            limit = FurtherLimit(row.cleaned_data["of"], row.cleaned_data["maximum"])
            if limit.of == table or limit.of in [other.of for other in found]:
                row.add_error("of", "This has a limit already. Choose something else.")
            elif limit.is_latency:
                if error := self._limit_error(space, limit.of, limit.maximum):
                    row.add_error("maximum" if error[0] == "latency_limit_ms" else "of", error[1])
            elif limit.of.space_id != space.id:
                row.add_error("of", _other_space(limit.of, space))
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
                "name", f"Your team already has a search called “{[*taken, *names][0]}”. Choose another name."
            )

    def _limit_error(
        self, space: SearchSpace, table: LatencyTable | CostPredictor, limit: float | None
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

    def __init__(self, *args: Any, owner: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice_field(self, "recipe").choices = recipe_choices(owner, final=True)


class LicenceForm(forms.Form):
    """Under which licence a model is handed on."""

    licence = forms.CharField(
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"list": "licences", "placeholder": "not stated"}),
        help_text="A name such as Apache-2.0 or CC-BY-4.0; it stands on the card.",
    )


class PublishedForm(forms.Form):
    """A CSV file of networks that others published."""

    name = forms.CharField(max_length=80, label="What it is called", help_text="It stands in the legend.")
    file = forms.FileField(
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        help_text="CSV with a column accuracy or top1, and one of latencies that ends in _ms, _us or _s.",
    )
    latency = forms.CharField(
        required=False, max_length=80, label="Column of the latency", help_text="Where there are several."
    )

    def __init__(self, *args: Any, owner: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner = owner

    def clean_name(self) -> str:
        return unused_name(
            PublishedSet.objects.filter(owner=self.owner), self.cleaned_data["name"], "list of networks"
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        file = cleaned.pop("file", None)
        if file is None:
            return cleaned
        if file.size > MOST_BYTES:
            self.add_error("file", f"The file is larger than {MOST_BYTES // 10**6} MB.")
            return cleaned
        try:
            lines = file.read().decode("utf-8-sig").splitlines()
            cleaned["networks"] = read_published(lines, cleaned.pop("latency", "").strip())
        except UnicodeDecodeError:
            self.add_error("file", "This is no text file.")
        except SeveralLatenciesError as error:
            self.add_error("latency", str(error))
        except PublishedError as error:
            self.add_error("file", str(error))
        return cleaned
