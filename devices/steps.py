"""The steps of measuring a table. Run in a worker's child: only here is torch imported."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache

import numpy as np
import torch
from django.db.models import F

from devices.models import CalibrationPoint, LatencyTable, TableEntry
from devices.operators import Operator
from devices.profiling import (
    OperatorBench,
    bind,
    build_inference_network,
    describe_machine,
    example_inputs,
    freeze,
    time_networks,
)
from devices.runs.models import Step
from devices.runs.steps import ClaimedStep
from devices.services import ROUNDS, SETTLING_TURNS, SLICE, slices, unpack_network
from devices.tables import OperatorTable, calibrate

NETWORK_ROUNDS = 8
SPREAD = 0.05  # of the tenth percentile above the minimum, as a share, from which an operator is unsteady


@lru_cache(maxsize=16)
def _bench(keys: tuple[str, ...], threads: int, batch_size: int) -> OperatorBench:
    """The kernels of a slice, kept between rounds. Losing it costs time only: it is built again."""
    return OperatorBench(
        [Operator.parse(key) for key in keys], threads=threads, batch_size=batch_size, seed=0
    )


def measure_slice(step: ClaimedStep) -> None:
    """Goes once round one slice of the operators, then hands on to the next slice, or the next round."""
    table = step.run.table
    number = int(step.payload["number"])
    count = slices(len(table.operator_keys))
    round_number, turn = divmod(number, count)
    order = np.random.default_rng([round_number, len(table.operator_keys)]).permutation(count)
    # Each slice takes every count-th key, so that one slice holds operators of all kinds and sizes.
    keys = tuple(table.operator_keys[int(order[turn]) :: count])
    bench = _bench(keys, table.device.threads, table.device.batch_size)
    step.check(every_seconds=0)
    timings = bench.round(np.random.default_rng([number, 1]))
    step.check(every_seconds=0)
    with step.commit() as writer:
        if not table.provenance:
            table.provenance = describe_machine()
            table.save(update_fields=["provenance"])
        _store(table, timings)
        covered = table.entries.count()
        writer.progress(
            done=number + 1,
            message=(
                f"Round {round_number + 1} of {ROUNDS}: "
                f"{covered} of {len(table.operator_keys)} operators measured"
            ),
        )
        writer.event("table.slice", {"measured": covered, "total": len(table.operator_keys)})
        if number + 1 < count * ROUNDS:
            writer.then("table.slice", f"table.slice:{number + 1}", Step.Queue.LIGHT, {"number": number + 1})
        else:
            writer.then("table.settle", "table.settle:0", Step.Queue.LIGHT, {"turn": 0})


def measure_unsettled(step: ClaimedStep) -> None:
    """Visits the operators again whose minimum cannot be trusted yet, the worst first; networks follow."""
    table = step.run.table
    turn = int(step.payload["turn"])
    keys = unsettled(table) if turn < SETTLING_TURNS else ()
    if not keys:
        with step.commit() as writer:
            writer.then("table.calibrate", "table.calibrate", Step.Queue.LIGHT)
        return
    step.check(every_seconds=0)
    bench = OperatorBench(
        [Operator.parse(key) for key in keys],
        threads=table.device.threads,
        batch_size=table.device.batch_size,
        seed=0,
    )
    timings = bench.round(np.random.default_rng([turn, 2]))
    step.check(every_seconds=0)
    with step.commit() as writer:
        _store(table, timings)
        operators = "operator" if len(keys) == 1 else "operators"
        writer.progress(
            done=writer.run.done + 1, message=f"Measuring {len(keys)} unsteady {operators} once more"
        )
        writer.then("table.settle", f"table.settle:{turn + 1}", Step.Queue.LIGHT, {"turn": turn + 1})


def unsettled(table: LatencyTable) -> tuple[str, ...]:
    """Keys of at most a slice of operators whose tenth percentile lies far above the minimum, worst first.

    Where the machine was quiet often enough the low timings agree; a minimum that stands alone was luck, or
    all the others were disturbed.
    """
    spread = F("p10_us") / F("minimum_us")
    rows = table.entries.annotate(spread=spread).filter(spread__gt=1.0 + SPREAD).order_by("-spread", "key")
    return tuple(rows.values_list("key", flat=True)[:SLICE])


def measure_networks(step: ClaimedStep) -> None:
    """Times whole networks, fits the calibration to them and completes the table."""
    table = step.run.table
    device = table.device
    torch.set_num_threads(device.threads)
    networks = [unpack_network(packed) for packed in table.networks]
    looked_up = OperatorTable(entry.measurement for entry in table.entries.all())
    summed = np.array([looked_up.summed_us(layers) for layers in networks])
    with step.report() as writer:
        writer.progress(message=f"Timing {len(networks)} whole networks")
    calls = []
    for index, layers in enumerate(networks):
        images = example_inputs(layers[0].operator, device.batch_size, torch.Generator().manual_seed(index))
        calls.append(bind(freeze(build_inference_network(layers, seed=index), *images), images))
        step.check()
    timings = time_networks(calls, rounds=NETWORK_ROUNDS, rng=np.random.default_rng(0), on_round=step.check)
    measured = np.array([min(samples) for samples in timings])
    calibration = calibrate(summed, measured)
    with step.commit() as writer:
        table.calibration = asdict(calibration)
        table.save(update_fields=["calibration"])
        CalibrationPoint.objects.bulk_create(
            CalibrationPoint(table=table, label=f"network {index + 1}", summed_us=a, measured_us=b)
            for index, (a, b) in enumerate(zip(summed, measured, strict=True))
        )
        writer.event("table.calibrated", table.calibration)
        writer.progress(done=writer.run.total)
        writer.succeed(f"{len(looked_up)} operators measured, calibrated on {len(networks)} networks.")


def _store(table: LatencyTable, timings: dict[str, list[float]]) -> None:
    """Adds a round's timings to the entries of their operators."""
    known = {entry.key: entry for entry in table.entries.filter(key__in=timings)}
    entries = [known.get(key) or TableEntry(table=table, key=key, samples_us=[]) for key in timings]
    for entry in entries:
        entry.add(timings[entry.key])
    fresh = [entry for entry in entries if entry.pk is None]
    TableEntry.objects.bulk_update(
        [entry for entry in entries if entry.pk is not None],
        ["samples_us", "repeats", "minimum_us", "p10_us", "p50_us", "p90_us"],
        batch_size=50,
    )
    TableEntry.objects.bulk_create(fresh)
