"""An account with a lot in it. Everything is made up; only its amount is of interest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from django.utils import timezone

from devices.models import CalibrationPoint, Device, LatencyTable, TableEntry
from devices.runs.models import Run
from search.models import (
    Candidate,
    CostPredictor,
    ImageSet,
    OwnRecipe,
    Predictor,
    Proposal,
    QualityPoint,
    Sample,
    Search,
    Space,
    Study,
    TrainedModel,
    TrainingRecipe,
)
from search.services.catalogue import remember_space
from search.spaces import preset
from search.training.recipes import Recipe

AT_ONCE = 1000
STATUSES = ("succeeded", "succeeded", "succeeded", "failed", "cancelled", "running", "queued")


@dataclass(frozen=True, slots=True)
class Amounts:
    """How many there are to be of each; further runs make up the rest of `runs`."""

    runs: int = 10_000
    searches: int = 2000
    predictors: int = 1000
    entries: int = 100_000
    samples: int = 5000
    devices: int = 40
    tables: int = 400
    models: int = 500
    others: int = 100


@dataclass(frozen=True, slots=True)
class Filled:
    """What has the most of everything."""

    table: LatencyTable
    predictor: Predictor
    search: Search
    device: Device


class Filling:
    """Fills one person's account. `name` keeps what is added twice apart."""

    def __init__(self, owner: Any, amounts: Amounts, name: str = "") -> None:
        self.owner, self.amounts, self.name = owner, amounts, name
        self.now = timezone.now()
        self.random = np.random.default_rng(0)
        self.space: Space = remember_space(preset("chamnet-mobile-small", classes=10, in_channels=1))
        recipe = Recipe(epochs=2, learning_rate=0.1)
        self.recipe, _ = TrainingRecipe.objects.get_or_create(
            id=recipe.id, defaults={"name": "minutes", "definition": recipe.to_json()}
        )

    def fill(self) -> Filled:
        amounts = self.amounts
        devices = self._devices()
        tables = self._tables(devices)
        predictors = self._predictors()
        searches = self._searches(predictors, tables)
        self._models(searches)
        self._others(devices, predictors, tables)
        made = Run.objects.filter(owner=self.owner).count()
        self._runs("probe", max(0, amounts.runs - made))
        self._entries(tables[0])
        self._samples(predictors[0])
        return Filled(tables[0], predictors[0], searches[0], devices[0])

    def _runs(self, kind: str, count: int) -> list[Run]:
        """Runs of every status, the first one finished."""
        rows = []
        for number in range(count):
            status = "succeeded" if number == 0 else STATUSES[number % len(STATUSES)]
            begun = self.now - timedelta(minutes=7 * number + 20)
            ended = begun + timedelta(seconds=40 + number % 500) if status in Run.FINAL else None
            rows.append(
                Run(
                    owner=self.owner,
                    kind=kind,
                    title=f"{kind} {self.name}{number}",
                    status=status,
                    created_at=begun,
                    started_at=None if status == "queued" else begun,
                    finished_at=ended,
                    done=number % 50,
                    total=50,
                    message="Step by step.",
                    reason="The loss became infinite in epoch 1, step 3." if status == "failed" else "",
                )
            )
        return Run.objects.bulk_create(rows, batch_size=AT_ONCE)

    def _devices(self) -> list[Device]:
        return Device.objects.bulk_create(
            Device(
                owner=self.owner,
                name=f"Device {self.name}{number}",
                kind=Device.Kind.MOBILE_CPU,
                engine=Device.Engine.ONNX_RUNTIME,
                data_type="float32",
                threads=1 + number % 4,
                batch_size=1,
            )
            for number in range(self.amounts.devices)
        )

    def _tables(self, devices: list[Device]) -> list[LatencyTable]:
        runs = self._runs("table", self.amounts.tables)
        keys = [f"key {number}" for number in range(1000)]
        return LatencyTable.objects.bulk_create(
            LatencyTable(
                device=devices[number % len(devices)],
                run=run,
                version=1 + number // len(devices),
                space_id=self.space.pk,
                space_name=self.space.name,
                operator_keys=keys,
                operator_count=self.amounts.entries if number == 0 else len(keys),
                networks=[],
                calibration={"scale": 1.0, "offset_us": 0.0, "networks": 8, "residual": 0.02}
                | {"error_before": 0.1, "error_after": 0.02 + number / 1e4},
                provenance={"engine": "ONNX Runtime 1.20.0"},
                created_at=run.created_at,
            )
            for number, run in enumerate(runs)
        )

    def _entries(self, table: LatencyTable) -> None:
        def rows() -> Iterator[TableEntry]:
            for number in range(self.amounts.entries):
                time_us = 5 + number % 997 + number / 1e5
                yield TableEntry(
                    table=table,
                    key=f"conv,k=3,s=1,c={number % 512},o={number},x=14",
                    samples_us=[round(time_us + step / 10, 4) for step in range(10)],
                    repeats=10,
                    minimum_us=time_us,
                    p10_us=time_us + 0.1,
                    p50_us=time_us + 0.4,
                    p90_us=time_us + 0.9,
                    deviation=0.1 if number % 3 == 0 else 0.0,
                )

        _in_pieces(TableEntry, rows())
        CalibrationPoint.objects.bulk_create(
            CalibrationPoint(table=table, label=f"network {n}", summed_us=90.0 + n, measured_us=99.0 + n)
            for n in range(16)
        )

    def _predictors(self) -> list[Predictor]:
        runs = self._runs("predictor", self.amounts.predictors)
        measures = dict.fromkeys(("rmse", "spearman", "kendall", "coverage_50", "coverage_90"), 0.9)
        held_out = [[0.9, 0.9 + number / 1e5, 0.01] for number in range(self.amounts.samples)]
        return Predictor.objects.bulk_create(
            (
                Predictor(
                    owner=self.owner,
                    run=run,
                    name=f"Predictor {self.name}{number}",
                    space=self.space,
                    dataset="digits",
                    dataset_label="Handwritten digits",
                    recipe=self.recipe,
                    seed=0,
                    budget=self.amounts.samples if number == 0 else 100,
                    initial=10,
                    in_flight=2,
                    quality=measures
                    | {"mae": 0.01 + number / 1e5, "coverage_95": 0.95, "reliability": [[0.9, 0.9]]}
                    | {"scatter": held_out if number == 0 else held_out[:100]},
                    created_at=run.created_at,
                )
                for number, run in enumerate(runs)
            ),
            batch_size=100,
        )

    def _samples(self, predictor: Predictor) -> None:
        genes = self.space.load().sample(self.random, self.amounts.samples)
        samples = Sample.objects.bulk_create(
            (
                Sample(
                    owner=self.owner,
                    space=self.space,
                    dataset="digits",
                    recipe=self.recipe,
                    seed=number,
                    architecture_id=f"{self.name}{number:x}",
                    genes=[int(gene) for gene in row],
                    status=Sample.Status.FAILED if number % 50 == 3 else Sample.Status.SUCCEEDED,
                    accuracy=None if number % 50 == 3 else float(0.99 - 0.3 * self.random.random()),
                    seconds=12.5,
                    reason="The loss became infinite." if number % 50 == 3 else "",
                )
                for number, row in enumerate(genes)
            ),
            batch_size=AT_ONCE,
        )
        Proposal.objects.bulk_create(
            (
                Proposal(
                    predictor=predictor,
                    index=number,
                    sample=sample,
                    chosen_for="exploitation" if number % 2 else "exploration",
                    reason="Its predicted accuracy is the highest of 4096 networks, but not at all certain.",
                    predicted=0.9,
                    deviation=0.02,
                )
                for number, sample in enumerate(samples)
            ),
            batch_size=AT_ONCE,
        )
        QualityPoint.objects.bulk_create(
            QualityPoint(predictor=predictor, samples=n, rmse=0.02, mae=0.01, spearman=0.9, kendall=0.8)
            for n in range(10, self.amounts.samples)
        )

    def _searches(self, predictors: list[Predictor], tables: list[LatencyTable]) -> list[Search]:
        runs = self._runs("search", self.amounts.searches)
        front = [{"accuracy": 0.9, "cost_ms": number / 10, "genes": [0] * 20} for number in range(40)]
        searches = Search.objects.bulk_create(
            (
                Search(
                    owner=self.owner,
                    run=run,
                    name=f"Search {self.name}{number}",
                    predictor=predictors[number % len(predictors)],
                    table=tables[number % len(tables)],
                    latency_limit_ms=1.0 + number,
                    population=100,
                    generations=50,
                    seed=0,
                    front=front,
                    created_at=run.created_at,
                )
                for number, run in enumerate(runs)
            ),
            batch_size=AT_ONCE,
        )
        Candidate.objects.bulk_create(
            (
                Candidate(
                    search=search,
                    rank=rank,
                    architecture_id=f"{rank}",
                    genes=[0] * 20,
                    accuracy=0.9 + number / 1e5,
                    accuracy_low=0.8,
                    accuracy_high=0.95,
                    latency_ms=1.0,
                    latency_low_ms=0.9,
                    latency_high_ms=1.1,
                    meets_limit=0.9,
                    multiply_adds=10**6,
                    parameters=10**5,
                    on_front=True,
                )
                for number, search in enumerate(searches)
                for rank in range(1, 4)
            ),
            batch_size=AT_ONCE,
        )
        return searches

    def _models(self, searches: list[Search]) -> None:
        runs = self._runs("model", self.amounts.models)
        candidates = list(Candidate.objects.filter(search__in=searches[:50], rank=1))
        matrix = [[100 if row == column else 1 for column in range(100)] for row in range(100)]
        TrainedModel.objects.bulk_create(
            (
                TrainedModel(
                    owner=self.owner,
                    run=run,
                    candidate=candidates[number % len(candidates)],
                    recipe=self.recipe,
                    seed=number,
                    test_accuracy=0.9,
                    test_images=1000,
                    latency_ms=1.0,
                    results=matrix,
                    created_at=run.created_at,
                )
                for number, run in enumerate(runs)
            ),
            batch_size=100,
        )

    def _others(self, devices: list[Device], predictors: list[Predictor], tables: list[LatencyTable]) -> None:
        count = self.amounts.others
        CostPredictor.objects.bulk_create(
            CostPredictor(
                owner=self.owner,
                run=run,
                device=devices[0],
                space=self.space,
                version=number + 1,
                meter="A meter",
                measurements=[[[0] * 20, 1.0]] * 50,
                quality={"error": 0.1, "baseline_error": 0.2, "scatter": [[1.0, 1.0, 0.9, 1.1]] * 50},
            )
            for number, run in enumerate(self._runs("cost_predictor", count))
        )
        Study.objects.bulk_create(
            Study(
                owner=self.owner,
                run=run,
                name=f"Study {self.name}{number}",
                predictor=predictors[0],
                asked_table=tables[0],
                recipe=self.recipe,
                limits=[1.0, 2.0],
                seeds=[0, 1],
                confidence=0.9,
                population=10,
                generations=10,
            )
            for number, run in enumerate(self._runs("study", count))
        )
        facts = {"classes": [f"class {n}" for n in range(100)], "train": 9000, "validation": 900}
        ImageSet.objects.bulk_create(
            ImageSet(
                owner=self.owner,
                run=run,
                name=f"Data set {self.name}{number}",
                source=ImageSet.Source.UPLOAD,
                origin="images.zip",
                key=f"images-{self.name}{number}",
                facts=facts | {"test": 900, "size": 32, "channels": 3, "checksum": f"{number:064x}"},
                report={"per_class": [[90] * 100, [9] * 100]},
            )
            for number, run in enumerate(self._runs("dataset", count))
        )
        recipes = [Recipe(epochs=number + 3, learning_rate=0.1) for number in range(count)]
        known = TrainingRecipe.objects.bulk_create(
            (TrainingRecipe(id=one.id, name="own", definition=one.to_json()) for one in recipes),
            ignore_conflicts=True,
        )
        OwnRecipe.objects.bulk_create(
            (
                OwnRecipe(owner=self.owner, name=f"Recipe {self.name}{number}", recipe_id=row.pk)
                for number, row in enumerate(known)
            ),
            ignore_conflicts=True,
        )


def _in_pieces(model: Any, rows: Iterable[Any]) -> None:
    """Inserts rows that are too many to be held at once."""
    piece: list[Any] = []
    for row in rows:
        piece.append(row)
        if len(piece) == AT_ONCE:
            model.objects.bulk_create(piece)
            piece = []
    model.objects.bulk_create(piece)
