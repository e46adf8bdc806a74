"""Which form begins what, and with which settings a thing that was begun would fill it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from django import forms
from django.db.models import QuerySet

from devices.models import LatencyTable
from search.forms.datasets import DatasetForm
from search.forms.devices import CostMeasureForm, TableForm
from search.forms.predictors import PredictorForm
from search.forms.searches import ModelForm, SearchForm
from search.forms.settings_files import Chosen, label_of
from search.forms.studies import StudyForm
from search.models import CostPredictor, ImageSet, Predictor, Search, SearchLimit, Study, TrainedModel

MOST_NAME = 80


@dataclass(frozen=True, slots=True)
class Reusable:
    """One form and what it begins.

    rows: begun by it, of everybody.
    settings: a row -> value by field; what was chosen as `Chosen`.
    about: a row -> what the form stood beside, by its name in a file.
    formset: name of the form's rows, a key of `settings` too.
    apart: fields that are no settings: files.
    """

    form: Callable[..., forms.Form]
    rows: Callable[[], Any]
    settings: Callable[[Any], dict[str, Any]]
    about: Callable[[Any], dict[str, Chosen]] = field(default=lambda row: {})
    formset: str = ""
    apart: frozenset[str] = frozenset()

    def shown(self, row: Any) -> list[tuple[str, Any]]:
        """Labels and values for the page of a row; rows of the formset one by one."""
        found: list[tuple[str, Any]] = []
        for name, value in self.settings(row).items():
            if name == self.formset:
                found += [(f"Limit on {one['of'].name}", one["maximum"]) for one in value]
            else:
                found.append((label_of(cast("type[forms.Form]", self.form), name), value))
        return found


def free_name(taken: QuerySet[Any], name: str) -> str:
    """The name, or where it is taken the first of “… 2”, “… 3” that is not."""
    first, _, last = name.rpartition(" ")
    if first and last.isdecimal() and taken.filter(name=first).exists():
        name = first
    used = set(taken.filter(name__startswith=name[: MOST_NAME - 8]).values_list("name", flat=True))
    if name not in used:
        return name
    return next(text for n in range(2, len(used) + 3) if (text := f"{name[: MOST_NAME - 8]} {n}") not in used)


def _chosen(row: Any, name: str = "") -> Chosen:
    url = row.get_absolute_url() if hasattr(row, "get_absolute_url") else ""
    return Chosen(str(row.pk), name or str(row), url)


def _search(search: Search) -> dict[str, Any]:
    names = ("latency_limit_ms", "confidence", "cautious", "max_multiply_adds", "max_parameters")
    size = search.max_file_bytes
    return {
        "name": search.name,
        "predictor": _chosen(search.predictor),
        "table": _chosen(search.latency_source),
        **{name: getattr(search, name) for name in names},
        "max_file_kb": None if size is None else size / 1000,
        "networks": "one",
        "population": search.population,
        "generations": search.generations,
        "seed": search.seed,
        "limits": [
            _limit(limit) for limit in search.further_limits.select_related("table__device", "cost__device")
        ],
    }


def _limit(limit: SearchLimit) -> dict[str, Any]:
    of: LatencyTable | CostPredictor | None = limit.table or limit.cost
    prefix = "table" if limit.table else "cost"
    chosen = _chosen(of)
    return {"of": Chosen(f"{prefix}:{chosen.id}", chosen.name, chosen.url), "maximum": limit.maximum}


def _predictor(predictor: Predictor) -> dict[str, Any]:
    error = predictor.stop_error
    return {
        "name": predictor.name,
        "space": Chosen(predictor.space_id, predictor.space.name),
        "dataset": Chosen(predictor.dataset, predictor.dataset_label or predictor.dataset),
        "recipe": _recipe(predictor),
        "budget": predictor.budget,
        "initial": predictor.initial,
        "seed": predictor.seed,
        "stop_error": None if error is None else round(100 * error, 6),
        "stop_minutes": predictor.stop_minutes,
        "source": _chosen(predictor.source) if predictor.source else None,
    }


def _recipe(row: Predictor | Study | TrainedModel) -> Chosen:
    return Chosen(row.recipe_id, row.recipe_name)


def _study(study: Study) -> dict[str, Any]:
    return {
        "name": study.name,
        "predictor": _chosen(study.predictor),
        "table": _chosen(study.asked_table),
        "limits": study.limits,
        "recipe": _recipe(study),
        "seeds": len(study.seeds),
        "confidence": study.confidence,
        "population": study.population,
        "generations": study.generations,
    }


REUSABLE: Mapping[str, Reusable] = {
    "search": Reusable(
        SearchForm,
        lambda: Search.objects.select_related(
            "predictor", "table__device", "timing__device", "timing__space"
        ),
        _search,
        formset="limits",
    ),
    "predictor": Reusable(
        PredictorForm,
        lambda: Predictor.objects.filter(origin=Predictor.Origin.BUILT).select_related(
            "space", "recipe", "source"
        ),
        _predictor,
    ),
    "study": Reusable(
        StudyForm,
        lambda: Study.objects.select_related("predictor", "asked_table__device", "recipe"),
        _study,
    ),
    "model": Reusable(
        ModelForm,
        lambda: TrainedModel.objects.filter(candidate__isnull=False).select_related(
            "recipe", "candidate__search"
        ),
        lambda model: {"recipe": _recipe(model), "seed": model.seed},
        about=lambda model: {"candidate": _chosen(model.candidate)},
    ),
    "dataset": Reusable(
        DatasetForm,
        lambda: ImageSet.objects.exclude(source=ImageSet.Source.BUILT_IN),
        lambda row: {"name": row.name, "size": row.asked_size, "mirrors": row.mirrors},
        about=lambda row: {"file": Chosen(row.origin, row.origin)},
        apart=frozenset({"upload", "file", "path"}),
    ),
    "table": Reusable(
        TableForm,
        lambda: LatencyTable.objects.exclude(space_id="").select_related("device"),
        lambda table: {"space": Chosen(table.space_id, table.space_name)},
        about=lambda table: {"device": _chosen(table.device)},
    ),
    "cost": Reusable(
        CostMeasureForm,
        lambda: CostPredictor.objects.exclude(budget=None).select_related("device", "space"),
        lambda cost: {
            "quantity": cost.quantity,
            "space": Chosen(cost.space_id, cost.space.name),
            "budget": cost.budget,
        },
        about=lambda cost: {"device": _chosen(cost.device)},
    ),
}
