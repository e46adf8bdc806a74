"""Measuring a table: operators whose timings spread are visited again, a bounded number of times."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

import numpy as np
import pytest
from django.test import Client

from chamnet_web.accounts.models import Team, User
from devices import measuring, queries, steps
from devices.measuring import SETTLING_TURNS, assignment, network_layers
from devices.models import LatencyTable
from devices.operators import Operator
from devices.profiling import OperatorBench
from devices.runs.models import Run
from devices.runs.writing import writing
from devices.services import import_table, join_calibration, table_file, this_machine
from devices.tables.formats import WRITERS, read_table
from devices.tables.plan import ROUNDS
from search.queries import newer_table
from search.services.problems import device_latency, latency_range
from search.services.tables import build_table, complete_table
from search.spaces import preset
from tests.search.world import table_of, tiny_space

pytestmark = pytest.mark.django_db
Work = Callable[..., int]
TIMINGS = 5
NARROW: dict[str, Any] = {"stage4.kernel": (3,)}
FEWER: dict[str, Any] = {"stage3.channels": (16, 48)}


def made_up_us(operator: Operator) -> float:
    """Hardware that fills vectors of sixteen channels."""
    channels = [16 * ceil(count / 16) for count in (operator.in_channels, operator.out_channels)]
    return 3.0 + 1e-4 * operator.out_size**2 * channels[0] * (channels[1] if operator.kind == "conv" else 1)


@pytest.fixture
def made_up_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operators cost what `made_up_us` says, networks a fifth more than their sum and two microseconds."""

    def a_round(self: OperatorBench, rng: np.random.Generator) -> dict[str, list[float]]:
        return {one.key: [made_up_us(one) * factor for factor in (1.0, 1.01, 1.02)] for one in self.operators}

    def networks(table_id: str, batch_size: int) -> list[float]:
        packed = LatencyTable.objects.get(pk=table_id).networks
        sums = [sum(made_up_us(layer.operator) for layer in network_layers(one)) for one in packed]
        return [1.2 * us + 2.0 for us in sums]

    monkeypatch.setattr(OperatorBench, "round", a_round)
    monkeypatch.setattr(steps, "_networks", networks)
    monkeypatch.setattr(steps, "time_networks", lambda calls, rounds, seed: [[us] for us in calls])


@pytest.mark.usefixtures("made_up_machine")
def test_of_a_large_space_some_operators_are_measured_and_the_rest_is_learned(
    owner: Team, work: Work
) -> None:
    space = preset("chamnet-mobile", resolution=(96, 128))
    table = build_table(device=this_machine(owner), space=space)
    work()
    table.refresh_from_db()
    assert table.run.status == Run.Status.SUCCEEDED, table.run.reason
    assert table.run.done == table.run.total
    operators = {one.key: one for one in space.operators()}
    found = {one.key: one for one in table.measurements()}
    assert set(found) == set(operators)
    measured = {key for key, one in found.items() if not one.is_learned}
    assert measured == set(table.operator_keys)
    assert len(measured) < len(operators) / 8
    assert all(found[key].repeats == ROUNDS * 3 for key in measured)
    learned = [key for key in operators if key not in measured]
    errors = np.array([found[key].minimum_us / made_up_us(operators[key]) - 1.0 for key in learned])
    assert np.abs(errors).mean() < 0.03
    assert all(found[key].deviation > 0 and found[key].repeats == 0 for key in learned)
    assert {one["label"] for one in table.quality} >= {"conv 1×1", "depthwise 5×5, stride 2, relu6"}
    calibration = table.load().calibration
    assert calibration.scale == pytest.approx(1.2, rel=0.02)
    assert calibration.networks == table.points.count() == 16
    assert calibration.learned > 0
    assert queries.coverage(table) == {
        "covered": len(operators),
        "learned": len(learned),
        "measured": len(measured),
        "total": len(operators),
        "share": 1.0,
    }


@pytest.mark.usefixtures("made_up_machine")
def test_learned_operators_are_marked_in_every_file(owner: Team, work: Work) -> None:
    table = build_table(device=this_machine(owner), space=preset("chamnet-mobile", resolution=(96,)))
    work()
    table.refresh_from_db()
    file = table_file(table)
    assert any(entry.measurement.is_learned for entry in file.entries)
    for name in ("csv", "jsonl"):
        again = read_table("".join(WRITERS[name](file)))
        assert [one.measurement for one in again.entries] == [one.measurement for one in file.entries]
    imported = import_table(device=table.device, table=again, name="table.jsonl")
    assert imported.quality == table.quality
    assert imported.load().calibration == table.load().calibration
    assert [point.as_json() for point in imported.points.all()] == [
        point.as_json() for point in table.points.all()
    ]


@pytest.mark.usefixtures("made_up_machine")
def test_missing_operators_are_measured_and_those_it_has_are_taken_over(owner: Team, work: Work) -> None:
    space = tiny_space()
    table = table_of(owner, tiny_space(**NARROW), work)
    missing = table.load().coverage(space.operators()).missing
    assert missing
    completed = complete_table(table=table, space=space, way="measure")
    work()
    completed.refresh_from_db()
    assert completed.run.status == Run.Status.SUCCEEDED, completed.run.reason
    assert completed.operator_keys == list(missing)
    assert completed.version == table.version + 1
    assert not completed.load().coverage(space.operators()).missing
    old = {entry.key: entry.samples_us for entry in table.rows}
    new = {entry.key: entry.samples_us for entry in completed.rows}
    taken = set(old) & {one.key for one in space.operators()}
    assert taken
    assert all(new[key] == old[key] for key in taken)
    assert table.rows.count() == len(old)


@pytest.mark.usefixtures("made_up_machine")
def test_missing_operators_are_learned_only_when_asked_and_widen_the_interval(
    owner: Team, work: Work
) -> None:
    space = preset("chamnet-mobile-small")
    table = table_of(owner, preset("chamnet-mobile-small", **FEWER), work)
    with pytest.raises(ValueError, match="measure or to interpolate"):
        latency_range(space, table)
    completed = complete_table(table=table, space=space, way="interpolate")
    work()
    completed.refresh_from_db()
    assert completed.run.status == Run.Status.SUCCEEDED, completed.run.reason
    found = completed.load()
    coverage = found.coverage(space.operators())
    assert (coverage.missing, coverage.learned > 0) == ((), True)
    assert found.calibration == table.load().calibration
    latency = device_latency(space, completed, 10.0)
    genes = space.sample(np.random.default_rng(0), 200)
    low, high = latency.intervals(genes)
    width = (high - low) / latency.quantiles(genes, 0.5)
    uses = np.array([any(found.is_learned(x.operator) for x in space.lower(row.tolist())) for row in genes])
    assert 0 < uses.sum() < len(uses)
    assert width[uses].min() > width[~uses].max()


@pytest.mark.usefixtures("made_up_machine")
def test_the_page_of_coverage_says_what_is_missing_and_begins_what_is_asked(
    signed_in: Client, owner: Team, stranger: User, work: Work
) -> None:
    table = table_of(owner, preset("chamnet-mobile-small", classes=10, in_channels=1, **FEWER), work)
    space = preset("chamnet-mobile-small", classes=10, in_channels=1)
    missing = table.load().coverage(space.operators()).missing
    page = signed_in.get(f"/tables/{table.pk}/spaces/").content.decode()
    assert f"{len(missing)} operators missing." in page
    assert missing[0] in page
    address = f"/tables/{table.pk}/complete/"
    for way in ("measure", "interpolate"):
        answer = signed_in.post(address, {"space": space.id, "way": way})
        assert answer.status_code == 302
        work()
        completed = LatencyTable.objects.get(pk=answer.headers["Location"].split("/")[2])
        assert completed.run.status == Run.Status.SUCCEEDED, completed.run.reason
        found = completed.load().coverage(space.operators())
        assert (found.missing, found.learned) == ((), len(missing) if way == "interpolate" else 0)
    shown = signed_in.get(f"/tables/{completed.pk}/?from=learned").content.decode()
    assert shown.count("learned ±") == min(len(missing), 50)
    assert "How well operators are learned" in shown
    assert "Every operator is there" in signed_in.get(f"/tables/{completed.pk}/spaces/").content.decode()
    for wrong in ({"space": "none", "way": "measure"}, {"space": space.id, "way": "guess"}):
        assert signed_in.post(address, wrong).status_code == 404
    signed_in.force_login(stranger)
    assert signed_in.get(f"/tables/{table.pk}/spaces/").status_code == 404
    assert signed_in.post(address, {"space": space.id, "way": "measure"}).status_code == 404


@pytest.mark.usefixtures("made_up_machine")
def test_what_too_few_neighbours_were_measured_of_is_not_interpolated(owner: Team, work: Work) -> None:
    table = table_of(owner, tiny_space(), work)
    completed = complete_table(table=table, space=preset("chamnet-mobile-small"), way="interpolate")
    work()
    completed.refresh_from_db()
    assert completed.run.status == Run.Status.FAILED
    assert "Measure the missing operators instead." in completed.run.reason


@pytest.mark.usefixtures("made_up_machine")
def test_timings_count_once_and_only_under_their_number(owner: Team, work: Work) -> None:
    table = build_table(device=this_machine(owner), space=tiny_space())
    wanted = assignment(table)
    assert wanted is not None
    timings = {key: [2.0, 3.0] for key in wanted.names}

    def record(number: int, given: dict[str, list[float]]) -> bool:
        with writing(table.run_id) as writer:
            return measuring.record(writer, table, number, given)

    assert record(wanted.number, timings)
    assert not record(wanted.number, timings)
    assert table.entries.first().samples_us == [2.0, 3.0]
    with pytest.raises(ValueError, match="is next"):
        record(wanted.number + 2, timings)
    for wrong in ({}, timings | {wanted.names[0]: []}, timings | {wanted.names[0]: [-1.0]}, {"a": [1.0]}):
        with pytest.raises(ValueError, match="timings"):
            record(wanted.number + 1, wrong)
    assert work() > 0
    table.refresh_from_db()
    assert table.run.status == Run.Status.SUCCEEDED


@pytest.mark.usefixtures("made_up_machine")
def test_a_network_measured_later_joins_the_calibration_as_a_new_version(owner: Team, work: Work) -> None:
    space = tiny_space()
    table = table_of(owner, space, work)
    layers = space.lower([0] * len(space.genes))
    summed = table.load().summed_us(layers)
    heir = join_calibration(table=table, label="a model", layers=layers, measured_us=1.5 * summed)
    again = join_calibration(table=heir, label="a model", layers=layers, measured_us=1.5 * summed)
    assert (heir.version, again.version) == (table.version + 1, table.version + 2)
    assert heir.entries.count() == 0
    assert again.basis == heir.basis == table
    assert heir.load().summed_us(layers) == summed
    point = heir.points.get(label="a model")
    assert point.expected_us == pytest.approx(table.load().network_us(layers))
    before, after = table.load().calibration, heir.load().calibration
    assert after.networks == before.networks + 1
    assert abs(after.latency_us(summed) - 1.5 * summed) < abs(before.latency_us(summed) - 1.5 * summed)
    assert table.points.filter(label="a model").count() == 0
    assert newer_table(table) == again
    table.points.first().delete()
    with pytest.raises(LookupError, match="does not hold the networks"):
        join_calibration(table=table, label="a model", layers=layers, measured_us=1.5 * summed)


@pytest.mark.parametrize("steady_after", [ROUNDS, ROUNDS + 1, 10**6])
def test_unsteady_operators_are_visited_again_until_they_are_steady(
    owner: Team, work: Work, monkeypatch: pytest.MonkeyPatch, steady_after: int
) -> None:
    """One operator's timings scatter until it was visited so often; from then on its low ones agree."""
    visits: dict[str, int] = {}
    unsteady: list[str] = []

    def made_up(self: OperatorBench, rng: np.random.Generator) -> dict[str, list[float]]:
        found = {}
        for operator in self.operators:
            unsteady[:] = unsteady or [operator.key]
            visits[operator.key] = visits.get(operator.key, 0) + 1
            scattered = operator.key == unsteady[0] and visits[operator.key] <= steady_after
            found[operator.key] = [13.0 + n if scattered else 10.0 for n in range(TIMINGS)]
            if visits[operator.key] == 1:
                found[operator.key][0] = 10.0
            if operator.key == unsteady[0] and not scattered:
                found[operator.key] *= 20
        return found

    monkeypatch.setattr(OperatorBench, "round", made_up)
    table = table_of(owner, work=work)
    assert table.run.status == Run.Status.SUCCEEDED, table.run.reason
    assert table.run.done == table.run.total
    others = {key: count for key, count in visits.items() if key != unsteady[0]}
    assert set(others.values()) == {ROUNDS}
    assert visits[unsteady[0]] == min(max(steady_after + 1, ROUNDS + 1), ROUNDS + SETTLING_TURNS)
    assert (measuring.unsettled(table) == ()) == (steady_after < 10**6)
