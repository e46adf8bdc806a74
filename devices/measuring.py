"""What of a table is measured next, and what becomes of the timings.

A table's row says where its measuring stands, so that a worker of this installation and an agent on the
device go the same way: both take the assignment, measure it and hand the timings in under its number. A
number counts once: timings for one that has passed are left aside, so a batch sent twice, or by a worker that
lost its lease, does no harm.

    operators   rounds over the operators chosen so far, or those chosen last; an assignment is one visit to
                each of a slice of them
    learning    (nobody measures) models are fitted to a large space's timed operators and choose further ones
    settling    operators whose minimum cannot be trusted yet are visited again
    networks    rounds over whole networks
    finishing   (nobody measures) the rest of a large space is learned, and the calibration fitted
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from django.db.models import F

from devices.models import LatencyTable, TableEntry
from devices.operators import Layer, Operator
from devices.runs.models import Step
from devices.runs.writing import RunWriter
from devices.tables.plan import CHOSEN_AT_ONCE, FIRST_ROUNDS, LEARNING_TURNS, NETWORK_ROUNDS, ROUNDS

SLICE = 100  # operators an assignment goes round
SETTLING_TURNS = 4  # times that the operators whose timings spread the most are visited again
SPREAD = 0.05  # of the tenth percentile above the minimum, as a share, from which an operator is unsteady
LONGEST_US = 6e7


@dataclass(frozen=True, slots=True)
class Assignment:
    """What to measure once: operators by their keys, or whole networks by their places in the table."""

    number: int
    kind: Literal["operators", "networks"]
    names: tuple[str, ...]


def slices(operator_count: int) -> int:
    """Into how many assignments a round over that many operators is cut."""
    return -(-operator_count // SLICE)


def begin(table: LatencyTable) -> None:
    """Sets a new table to its first assignment. Does not save."""
    table.number = 0
    if not table.operator_keys:
        table.position = {"phase": "networks", "turn": 0}
    elif is_whole(table):
        table.position = {"phase": "operators", "first": 0, "rounds": ROUNDS, "turn": 0, "learned": -1}
    else:
        table.position = {"phase": "operators", "first": 0, "rounds": FIRST_ROUNDS, "turn": 0, "learned": 0}


def is_whole(table: LatencyTable) -> bool:
    """Whether every operator is timed or taken over, and none learned."""
    return not hasattr(table, "scope")


def assignment(table: LatencyTable) -> Assignment | None:
    """What is measured next; None while nobody is to measure."""
    position = table.position
    if position["phase"] == "operators":
        keys = table.operator_keys[position["first"] :]
        count = slices(len(keys))
        round_number, turn = divmod(position["turn"], count)
        order = Random(round_number).sample(range(count), count)  # noqa: S311  (an order, no secret)
        # Each slice takes every count-th key, so that one slice holds operators of all kinds and sizes.
        return Assignment(table.number, "operators", tuple(keys[order[turn] :: count]))
    if position["phase"] == "settling":
        return Assignment(table.number, "operators", unsettled(table))
    if position["phase"] == "networks":
        names = tuple(str(index) for index in range(len(table.networks)))
        return Assignment(table.number, "networks", names)
    return None


def record(
    writer: RunWriter, table: LatencyTable, number: int, timings: Mapping[str, Sequence[float]]
) -> bool:
    """Takes an assignment's timings in microseconds in and goes on; False when its number has passed.

    Call it while holding the table's run. Raises ValueError for timings that are not those asked for.
    """
    table.refresh_from_db()
    wanted = assignment(table)
    if number < table.number or (wanted is None and number == table.number):
        return False
    if wanted is None or number > table.number:
        raise ValueError(f"Assignment {number} is not known: {table.number} is next.")
    check(wanted, timings)
    if wanted.kind == "networks":
        samples = table.network_samples_us or [[] for _ in table.networks]
        table.network_samples_us = [
            [*known, *(round(us, 3) for us in timings[str(index)])] for index, known in enumerate(samples)
        ]
    else:
        store(table, timings)
    _advance(table)
    go_on(writer, table)
    return True


def check(wanted: Assignment, timings: Mapping[str, Sequence[float]]) -> None:
    """Raises ValueError unless there are possible timings of exactly what was asked for."""
    if set(timings) != set(wanted.names):
        raise ValueError(f"Expected timings of the {len(wanted.names)} names of assignment {wanted.number}.")
    for name, samples in timings.items():
        if not samples or not all(0 < us < LONGEST_US for us in samples):
            raise ValueError(f"{name}: timings must be microseconds above 0 and below {LONGEST_US:g}.")


def go_on(writer: RunWriter, table: LatencyTable) -> None:
    """Saves where the table stands, tells watchers, and adds the step that is next, if a worker does it."""
    phase = table.position["phase"]
    table.save(update_fields=["number", "position", "network_samples_us", "operator_keys"])
    message, covered = _message(table), table.entries.filter(deviation=0).count()
    writer.progress(done=table.number, total=table.number + remaining(table), message=message)
    writer.event("table.slice", {"measured": covered, "total": table.operator_count})
    if phase == "learning":
        writer.then("table.learn", f"table.learn:{table.number}", Step.Queue.LIGHT)
    elif phase == "finishing":
        writer.then("table.finish", "table.finish", Step.Queue.LIGHT)
    elif table.source == LatencyTable.Source.WORKER:
        writer.then("table.measure", f"table.measure:{table.number}", Step.Queue.LIGHT)
    elif phase == "operators" and table.position["turn"] == 0:
        writer.then("table.prepare", f"table.prepare:{table.number}", Step.Queue.LIGHT)


def take_chosen(table: LatencyTable, chosen: Sequence[Operator]) -> None:
    """Goes on after learning: with rounds over what was chosen, or with the remaining rounds over all."""
    turn = table.position["learned"] + 1
    table.number += 1
    if chosen:
        first, table.operator_keys = (
            len(table.operator_keys),
            [*table.operator_keys, *(o.key for o in chosen)],
        )
        table.position = {"phase": "operators", "first": first, "rounds": FIRST_ROUNDS}
    else:
        table.position = {"phase": "operators", "first": 0, "rounds": ROUNDS - FIRST_ROUNDS}
        turn = -1
    table.position |= {"turn": 0, "learned": turn}


def _advance(table: LatencyTable) -> None:
    position = table.position
    table.number += 1
    position["turn"] += 1
    if position["phase"] == "operators":
        if position["turn"] < slices(len(table.operator_keys[position["first"] :])) * position["rounds"]:
            return
        if position["learned"] >= 0:
            table.position = {"phase": "learning", "learned": position["learned"]}
            return
        table.position = position = {"phase": "settling", "turn": 0}
    if position["phase"] == "settling" and (position["turn"] == SETTLING_TURNS or not unsettled(table)):
        table.position = position = {"phase": "networks", "turn": 0}
        if table.networks:
            return
    if position["phase"] == "networks" and (position["turn"] == NETWORK_ROUNDS or not table.networks):
        table.position = {"phase": "finishing"}


def remaining(table: LatencyTable) -> int:
    """About how many numbers are still to come before the table is finished."""
    position, phase = table.position, table.position["phase"]
    networks = NETWORK_ROUNDS if table.networks else 0
    if phase == "finishing":
        return 1
    if phase == "networks":
        return networks - int(position["turn"]) + 1
    if phase == "settling":
        return SETTLING_TURNS - int(position["turn"]) + networks + 1
    after = SETTLING_TURNS + networks + 1
    if position["learned"] >= 0:
        turns = LEARNING_TURNS - int(position["learned"])
        after += turns * (slices(CHOSEN_AT_ONCE) * FIRST_ROUNDS + 1)
        after += slices(len(table.operator_keys) + turns * CHOSEN_AT_ONCE) * (ROUNDS - FIRST_ROUNDS)
    if phase == "operators":
        count = slices(len(table.operator_keys[position["first"] :]))
        after += count * int(position["rounds"]) - int(position["turn"])
    return after


def _message(table: LatencyTable) -> str:
    position, phase = table.position, table.position["phase"]
    chosen = len(table.operator_keys)
    if phase == "operators":
        keys = table.operator_keys[position["first"] :]
        round_number = position["turn"] // slices(len(keys)) + 1
        return f"Round {round_number} of {position['rounds']} over {len(keys)} operators"
    if phase == "learning":
        return f"Choosing what to measure besides {chosen} operators"
    if phase == "settling":
        return "Measuring unsteady operators once more"
    if phase == "networks":
        return (
            f"Timing {len(table.networks)} whole networks, round {position['turn'] + 1} of {NETWORK_ROUNDS}"
        )
    return "Fitting the calibration" if is_whole(table) else "Learning the other operators, calibrating"


def unsettled(table: LatencyTable) -> tuple[str, ...]:
    """Keys of at most a slice of operators whose tenth percentile lies far above the minimum, worst first.

    Where the machine was quiet often enough the low timings agree; a minimum that stands alone was luck, or
    all the others were disturbed.
    """
    spread = F("p10_us") / F("minimum_us")
    rows = table.entries.filter(deviation=0).annotate(spread=spread).filter(spread__gt=1.0 + SPREAD)
    rows = rows.order_by("-spread", "key")
    mine = set(table.operator_keys)
    return tuple(key for key in rows.values_list("key", flat=True) if key in mine)[:SLICE]


def store(table: LatencyTable, timings: Mapping[str, Sequence[float]]) -> None:
    """Adds a round's timings to the entries of their operators."""
    known = {entry.key: entry for entry in table.entries.filter(key__in=list(timings))}
    entries = [known.get(key) or TableEntry(table=table, key=key, samples_us=[]) for key in timings]
    for entry in entries:
        entry.add(list(timings[entry.key]))
    fresh = [entry for entry in entries if entry.pk is None]
    TableEntry.objects.bulk_update(
        [entry for entry in entries if entry.pk is not None],
        ["samples_us", "repeats", "minimum_us", "p10_us", "p50_us", "p90_us"],
        batch_size=50,
    )
    TableEntry.objects.bulk_create(fresh)


def network_layers(packed: Sequence[Sequence[Any]]) -> tuple[Layer, ...]:
    """A lowered network from JSON: lists of [name, operator key, inputs]."""
    return tuple(Layer(name, Operator.parse(key), tuple(inputs)) for name, key, inputs in packed)


def pack_network(layers: Sequence[Layer]) -> list[list[Any]]:
    """The inverse of `network_layers`."""
    return [[layer.name, layer.operator.key, list(layer.inputs)] for layer in layers]
