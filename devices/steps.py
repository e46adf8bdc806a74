"""The steps of a table that workers do. Run in a worker's child: only here is torch imported."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache

import numpy as np

from devices import measuring
from devices.building import prepare_files
from devices.models import CalibrationPoint, LatencyTable, TableEntry
from devices.operators import Operator
from devices.profiling import OperatorBench, engine_name, network_calls, time_networks
from devices.runs.steps import ClaimedStep, StepFailedError
from devices.tables import Measurement, OperatorTable, calibrate
from devices.tables.learning import LearnedCosts
from devices.tables.plan import CHOSEN_AT_ONCE, LEARNING_TURNS
from devices.timing import Timed, describe_machine, pinned

KEPT_SLICES = 24  # whose kernels stay in memory between rounds
WRITTEN_AT_ONCE = 2000


@lru_cache(maxsize=KEPT_SLICES)
def _bench(keys: tuple[str, ...], threads: int, batch_size: int) -> OperatorBench:
    """The kernels of a slice, kept between rounds. Losing it costs time only: it is built again."""
    return OperatorBench(
        [Operator.parse(key) for key in keys], threads=threads, batch_size=batch_size, seed=0
    )


@lru_cache(maxsize=1)
def _networks(table_id: str, batch_size: int) -> list[Timed]:
    networks = LatencyTable.objects.values_list("networks", flat=True).get(pk=table_id)
    return network_calls([measuring.network_layers(packed) for packed in networks], batch_size)


def measure(step: ClaimedStep) -> None:
    """Does one assignment of a table on this machine."""
    table, device = step.run.table, step.run.table.device
    wanted = measuring.assignment(table)
    timings: dict[str, list[float]] = {}
    if wanted is not None:
        step.check(every_seconds=0)
        with pinned(device.threads):
            if wanted.kind == "networks":
                calls = _networks(str(table.pk), device.batch_size)
                found = time_networks(calls, rounds=1, seed=wanted.number)
                timings = dict(zip(wanted.names, found, strict=True))
            else:
                bench = _bench(wanted.names, device.threads, device.batch_size)
                timings = bench.round(np.random.default_rng([wanted.number, 1]))
        step.check(every_seconds=0)
    with step.commit() as writer:
        if wanted is not None and measuring.record(writer, table, wanted.number, timings):
            _describe(table)


def _describe(table: LatencyTable) -> None:
    if not table.provenance:
        table.provenance = describe_machine(engine_name(), table.device.threads)
        table.save(update_fields=["provenance"])


def prepare(step: ClaimedStep) -> None:
    """Builds the files that the agent needs for what is measured next."""
    table = step.run.table
    prepare_files(table, on_file=step.check)
    with step.commit() as writer:
        writer.event("table.prepared", {"number": table.number})


def learn(step: ClaimedStep) -> None:
    """Fits models to what was timed of a large space, and chooses what else to time."""
    table: LatencyTable = step.run.table
    measured = _measured(table)
    turn = int(table.position["learned"])
    costs = LearnedCosts.fit(measured)
    step.check(every_seconds=0)
    chosen = []
    if turn < LEARNING_TURNS:
        chosen = costs.next_operators(table.scope.operators, measured, CHOSEN_AT_ONCE, seed=turn)
    with step.commit() as writer:
        table.quality = [asdict(one) for one in costs.quality]
        table.save(update_fields=["quality"])
        worst = costs.quality[0] if costs.quality else None
        if worst:
            text = f"{len(measured)} operators timed; least well learned: {worst.label}, "
            text += f"{100 * worst.error:.1f} % off"
            writer.event("log", {"level": "info", "text": text})
        measuring.take_chosen(table, chosen)
        measuring.go_on(writer, table)


def _measured(table: LatencyTable) -> dict[Operator, float]:
    """The timed operators of our vocabulary with their minima in microseconds."""
    rows = table.rows.filter(deviation=0).values_list("key", "minimum_us")
    return {Operator.parse(key): us for key, us in rows if Operator.knows(key)}


def finish(step: ClaimedStep) -> None:
    """Learns what was not timed, fits the calibration to the whole networks and completes the table."""
    table: LatencyTable = step.run.table
    learned: list[Measurement] = []
    if not measuring.is_whole(table):
        learned = _learn_rest(table, table.scope.operators)
        step.check(every_seconds=0)
    looked_up = OperatorTable([*table.measurements(), *learned])
    networks = [measuring.network_layers(packed) for packed in table.networks]
    summed = np.array([looked_up.summed_us(layers) for layers in networks])
    uncertain = np.array([looked_up.summed_learned_us(layers) for layers in networks])
    timed = np.array([min(samples) for samples in table.network_samples_us])
    calibration = calibrate(summed, timed, uncertain) if networks else None
    with step.commit() as writer:
        store_learned(table, learned)
        table.calibration = calibration.to_json() if calibration else None
        table.position = {"phase": "done"}
        table.save(update_fields=["calibration", "quality", "position"])
        CalibrationPoint.objects.bulk_create(
            CalibrationPoint(
                table=table, label=f"network {index + 1}", summed_us=a, measured_us=b, learned_us=c
            )
            for index, (a, b, c) in enumerate(zip(summed, timed, uncertain, strict=True))
        )
        writer.event("table.calibrated", table.calibration)
        writer.progress(done=table.number + 1, total=table.number + 1)
        besides = f", {len(learned)} learned from them" if learned else ""
        writer.succeed(
            f"{len(looked_up) - len(learned)} operators measured{besides}, "
            f"calibrated on {len(networks)} networks."
        )


def interpolate(step: ClaimedStep) -> None:
    """Learns the operators that another version lacks of a space from those that it holds."""
    table: LatencyTable = step.run.table
    try:
        learned = _learn_rest(table, table.scope.operators)
    except LookupError as error:
        raise StepFailedError(f"{error} Measure the missing operators instead.") from error
    with step.commit() as writer:
        store_learned(table, learned)
        table.save(update_fields=["quality"])
        writer.progress(done=1)
        writer.succeed(f"{len(learned)} operators learned from {table.rows.filter(deviation=0).count()}.")


def _learn_rest(table: LatencyTable, scope: list[Operator]) -> list[Measurement]:
    """Learned times of what the scope holds and the table does not. Raises LookupError."""
    measured = _measured(table)
    costs = LearnedCosts.fit(measured)
    table.quality = [asdict(one) for one in costs.quality]
    return costs.measurements(operator for operator in scope if operator not in measured)


def store_learned(table: LatencyTable, learned: list[Measurement]) -> None:
    TableEntry.objects.bulk_create(
        (TableEntry(table=table, samples_us=[], **asdict(one)) for one in learned), batch_size=WRITTEN_AT_ONCE
    )
