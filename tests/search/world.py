"""A small world for tests of services and pages: a space of a few networks, cheap trainings, and the rows
that every stage leaves. Latencies and accuracies made up here stand in for measured ones in tests only."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np

from chamnet_web.accounts.models import Team
from devices.models import CalibrationPoint, Device, LatencyTable, TableEntry
from devices.runs.models import Run, Step
from devices.runs.writing import writing
from devices.services import this_machine
from devices.tables import calibrate
from search.models import Candidate, CostPredictor, Predictor, Search
from search.predictors import Proposal as Proposed
from search.services.costs import import_costs
from search.services.predictors import record_proposal, record_training, start_predictor
from search.services.problems import Cost, latency_range, load_problem
from search.services.searches import start_search
from search.services.tables import build_table
from search.spaces import ENERGY_UNITS, Architecture, SearchSpace, preset, read_records
from search.training.recipes import Recipe

Work = Callable[..., int]

TINY_RECIPE = Recipe(epochs=1, learning_rate=0.05, batch_size=32, warmup_epochs=0.2, train_images=120)
TINY_FINAL = Recipe(epochs=2, learning_rate=0.05, batch_size=32, warmup_epochs=0.2)


def tiny_space(name: str = "chamnet-mobile-small", dataset: str = "digits", **more: Any) -> SearchSpace:
    """Thirty-two networks for 8-pixel images of digits, `more` by further choices. Takes a preset's and a
    data set's name to stand in for `space_for`."""
    one = {f"stage{stage}.repeats": (1,) for stage in (2, 3, 4)}
    two = {f"stage{stage}.expansion": (2,) for stage in (2, 3, 4)}
    return preset(
        "chamnet-mobile-small",
        classes=10,
        in_channels=1,
        **one
        | two
        | {
            "resolution": (8,),
            "stem.channels": (8,),
            "stage1.channels": (8,),
            "stage1.kernel": (3,),
            "stage2.channels": (8, 16),
            "stage2.kernel": (3,),
            "stage3.channels": (16, 32),
            "stage3.kernel": (3,),
            "stage4.channels": (32, 64),
            "stage4.kernel": (3, 5),
            "head.channels": (64, 128),
        }
        | more,
    )


def roomy_space() -> SearchSpace:
    """384 networks: more than a small search scores."""
    more: dict[str, Any] = {
        "stage3.expansion": (2, 4),
        "stage4.expansion": (2, 4, 6),
        "stage3.kernel": (3, 5),
    }
    return tiny_space(**more)


def table_of(
    owner: Team,
    space: SearchSpace | None = None,
    work: Work | None = None,
    *,
    device_name: str = "",
    slower: float = 1.0,
) -> LatencyTable:
    """A finished table: measured by `work`, else made up from the operators' sizes, `slower` times so long.

    It is this machine's unless a further device is named.
    """
    device: Device = this_machine(owner)
    if device_name:
        device.pk, device.name = uuid.uuid4(), device_name
        device._state.adding = True
        device.save()
    table = build_table(device=device, space=space or tiny_space())
    if device_name:
        Device.objects.filter(pk=device.pk).update(is_this_machine=False)
    if work is not None:
        work()
    else:
        table.run.steps.all().delete()
        entries = [TableEntry(table=table, key=key, samples_us=[]) for key in table.operator_keys]
        for entry in entries:
            entry.add([slower * (5 + entry.operator.multiply_adds / 1e4)] * 5)
        TableEntry.objects.bulk_create(entries)
        sums = np.linspace(50, 500, 10)
        table.calibration = calibrate(sums, 0.8 * sums + 3 + np.arange(10) % 2).to_json()
        table.position = {"phase": "done"}
        table.save()
        CalibrationPoint.objects.bulk_create(
            CalibrationPoint(
                table=table, label=f"network {n}", summed_us=one, measured_us=0.8 * one + 3 + n % 2
            )
            for n, one in enumerate(sums)
        )
        finish(table.run)
    table.refresh_from_db()
    return table


def finish(run: Run) -> None:
    with writing(run.pk) as writer:
        writer.start()
        writer.succeed("Done.")


def begin_predictor(owner: Team, **changes: Any) -> Predictor:
    """A build of the tiny space that has not begun."""
    choices: dict[str, Any] = {
        "name": "Digits",
        "space": tiny_space(),
        "dataset": "digits",
        "recipe": "seconds",
        "budget": 9,
        "initial": 4,
        "seed": 1,
    }
    return start_predictor(owner=owner, **choices | changes)


def predictor_of(
    owner: Team, work: Work, *, name: str = "Digits", samples: int = 12, space: SearchSpace | None = None
) -> Predictor:
    """A predictor fitted to made-up accuracies that grow with the logarithm of the multiply-adds."""
    space = space or tiny_space()
    predictor = begin_predictor(owner, name=name, space=space, budget=samples, seed=0)
    predictor.run.steps.all().delete()
    genes = np.unique(space.sample(np.random.default_rng(0), 400), axis=0)
    chosen = np.random.default_rng(1).permutation(genes)[:samples]
    with writing(predictor.run_id) as writer:
        for row in chosen:
            values = tuple(int(gene) for gene in row)
            proposal = record_proposal(
                writer, predictor, space, Proposed(values, "sobol", "Spread evenly.", None, None)
            )
            size = math.log(Architecture(space, values).multiply_adds)
            accuracy = min(0.5 + 0.03 * size, 0.95 + 0.001 * size)  # below 1 for large networks, too
            losses = [round(2.3 * (1 - accuracy) ** (epoch / 5), 4) for epoch in range(6)]
            result = {"status": "succeeded", "accuracy": accuracy, "seconds": 1.5, "losses": losses}
            record_training(writer, proposal, result)
    predictor.run.steps.all().delete()
    with writing(predictor.run_id) as writer:
        writer.then("predictor.fit", "predictor.fit", Step.Queue.LIGHT)
    work()
    predictor.refresh_from_db()
    return predictor


def search_of(
    owner: Team, predictor: Predictor, table: LatencyTable | CostPredictor, work: Work, **changes: Any
) -> Search:
    """A finished search at the middle of the range that the space spans."""
    least, greatest = latency_range(predictor.space.load(), table)
    choices: dict[str, Any] = {
        "name": "Half way",
        "latency_limit_ms": (least + greatest) / 2,
        "population": 16,
        "generations": 12,
        "seed": 0,
    }
    search = start_search(owner=owner, predictor=predictor, table=table, **choices | changes)
    work()
    search.refresh_from_db()
    return search


def best_of(search: Search) -> Candidate:
    return search.candidates.get(rank=1)


def crowd(search: Search, count: int) -> None:
    """Replaces a search's candidates by so many random networks of its space, predicted as a search does."""
    problem, space = load_problem(search), search.predictor.space.load()
    genes = space.sample(np.random.default_rng(0), count)
    accuracy, (low, high) = problem.accuracy(genes), problem.accuracy_intervals(genes)
    kept = np.all([cost.chances(genes) >= search.confidence for cost in problem.all_costs], axis=0)
    order = np.lexsort((-accuracy, ~kept))
    genes, accuracy, low, high = genes[order], accuracy[order], low[order], high[order]
    limits = [_limited(cost, genes) for cost in problem.all_costs]
    counts = [
        space.compile(lambda one, name=name: float(getattr(one, name)))(genes)  # type: ignore[misc]
        for name in ("multiply_adds", "parameters")
    ]
    latency = np.array([limit["value"] for limit in limits[0]])
    fastest = np.lexsort((-accuracy, latency))
    reached = np.maximum.accumulate(accuracy[fastest])
    on_front = np.zeros(count, dtype=bool)
    on_front[fastest] = np.diff(reached, prepend=-np.inf) > 0
    search.candidates.all().delete()
    Candidate.objects.bulk_create(
        (
            Candidate(
                search=search, rank=1 + n, architecture_id=f"{n:016x}", genes=row, on_front=bool(on_front[n]),
                accuracy=accuracy[n], accuracy_low=low[n], accuracy_high=high[n],
                latency_ms=limits[0][n]["value"], latency_low_ms=limits[0][n]["low"],
                latency_high_ms=limits[0][n]["high"], meets_limit=limits[0][n]["chance"],
                multiply_adds=int(counts[0][n]), parameters=int(counts[1][n]),
                file_bytes=4 * int(counts[1][n]) + 50_000, limits=[limit[n] for limit in limits],
            )
            for n, row in enumerate(genes.tolist())
        ),
        batch_size=2000,
    )  # fmt: skip


def _limited(cost: Cost, genes: Any) -> list[dict[str, Any]]:
    low, high = cost.intervals(genes)
    columns = zip(cost.quantiles(genes, 0.5), low, high, cost.chances(genes), strict=True)
    facts = {"name": cost.limit.name, "unit": cost.limit.unit, "maximum": cost.limit.maximum}
    names = ("value", "low", "high", "chance")
    return [facts | dict(zip(names, map(float, column), strict=True)) for column in columns]


def csv_of(space: SearchSpace, column: str, value: Callable[[Architecture], float], count: int = 12) -> str:
    """A CSV file of distinct networks with a made-up value of each."""
    genes = np.unique(space.sample(np.random.default_rng(2), 400), axis=0)
    chosen = np.random.default_rng(3).permutation(genes)[:count]
    names = [gene.name for gene in space.genes]
    lines = [",".join([*names, column])]
    for row in chosen:
        architecture = Architecture(space, tuple(int(gene) for gene in row))
        values = [str(architecture.values[name]) for name in names]
        lines.append(",".join([*values, f"{value(architecture):.6g}"]))
    return "\n".join(lines) + "\n"


def energy_of(
    owner: Team, device: Device, work: Work, *, space: SearchSpace | None = None, count: int = 12
) -> CostPredictor:
    """A predictor fitted to made-up energies that grow with the root of the multiply-adds."""
    space = space or tiny_space()
    text = csv_of(space, "energy_mj", lambda one: math.sqrt(one.multiply_adds), count)
    records = read_records(text.splitlines(), space, ENERGY_UNITS, lowest=0.0, highest=1e9)
    energy = import_costs(
        owner=owner, device=device, space=space, records=records, meter="A meter that a test made up"
    )
    work()
    energy.refresh_from_db()
    return energy
