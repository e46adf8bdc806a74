"""Predictors of costs from networks that are measured here: the whole way, with a program as the meter."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from chamnet_web.accounts.models import Team
from devices import network_steps, networks
from devices.meters import EnergyFound
from devices.models import Device, NetworkMeasurement
from devices.profiling import network_calls, time_networks
from devices.runs.models import Run
from devices.runs.services import stop_early
from devices.services import this_machine
from search.models import CostPredictor
from search.services.costs import measure_costs
from search.services.problems import latency_range
from search.services.searches import FurtherLimit
from tests.devices.meters.test_meters import METER_PROGRAM
from tests.devices.test_agent import Agent, device_of
from tests.search.world import csv_of, predictor_of, roomy_space, search_of, table_of, tiny_space

pytestmark = pytest.mark.django_db
Work = Callable[..., int]


def reading(row: NetworkMeasurement) -> float:
    """Millijoules that depend on more than the multiply-adds."""
    layers = [network_steps.network_layers([layer])[0].operator for layer in row.network]
    moved = sum(one.memory_accesses for one in layers)
    return 1e-3 * moved + 2e-5 * sum(one.multiply_adds for one in layers)


@pytest.fixture
def made_up_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole networks take what `reading` says."""

    def measured(step: Any, row: NetworkMeasurement) -> tuple[list[float], dict[str, Any]]:
        value = reading(row)
        if row.quantity == "latency":
            return [value, 1.1 * value], {}
        found = EnergyFound([value], 3.5, 0.5, "a made-up meter", 1e-3)
        return [0.99 * value, value, 1.01 * value], found.facts()

    monkeypatch.setattr(network_steps, "_measured", measured)
    monkeypatch.setattr(networks, "available", lambda command: [Described()])


class Described:
    def describe(self) -> dict[str, Any]:
        return {"name": "a made-up meter", "resolution_j": 1e-3}


@pytest.mark.usefixtures("made_up_meter")
def test_the_sampler_picks_networks_whose_energy_makes_a_predictor_better_than_the_baseline(
    owner: Team, work: Work, signed_in: Client
) -> None:
    table = table_of(owner, roomy_space())
    energy = measure_costs(
        owner=owner, device=table.device, space=roomy_space(), quantity="energy", budget=24
    )
    work()
    energy.refresh_from_db()
    assert energy.run.status == Run.Status.SUCCEEDED, energy.run.reason
    assert energy.run.done == energy.run.total == 24
    assert energy.table == table
    genes = {tuple(row) for row, _ in energy.measurements}
    assert len(genes) == 24
    rows = energy.run.network_measurements.all()
    assert [value for _, value in energy.measurements] == pytest.approx([reading(row) for row in rows])
    assert energy.quality is not None
    assert energy.quality["error"] < 0.5 * energy.quality["baseline_error"]
    assert energy.quality["beats_baseline"]
    page = signed_in.get(energy.get_absolute_url()).content.decode()
    for text in ("a made-up meter", "0.001 J", "3.50", "2.0"):
        assert text in page, text
    assert "The baseline is as good." not in page


@pytest.mark.usefixtures("made_up_meter")
def test_measuring_that_is_stopped_early_counts_what_was_measured(owner: Team, work: Work) -> None:
    table = table_of(owner, roomy_space())
    energy = measure_costs(
        owner=owner, device=table.device, space=roomy_space(), quantity="energy", budget=24
    )
    work(at_most=18)
    assert stop_early(energy.run)
    work()
    energy.refresh_from_db()
    assert energy.run.status == Run.Status.SUCCEEDED, energy.run.reason
    assert energy.run.done == energy.run.total == len(energy.measurements) < 24


def test_a_reading_program_measures_real_networks_and_proportional_energy_says_so(
    owner: Team,
    work: Work,
    signed_in: Client,
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The program counts computing time, so that energy is constant * latency: the baseline is as good."""
    (tmp_path / "meter.py").write_text(METER_PROGRAM)
    settings.ENERGY_COMMAND = f"{sys.executable} {tmp_path / 'meter.py'}"
    monkeypatch.setattr("devices.meters.measuring.SHORTEST_SECONDS", 0.2)
    space = tiny_space()
    table = table_of(owner, space, work)
    energy = measure_costs(owner=owner, device=this_machine(owner), space=space, quantity="energy", budget=6)
    work()
    energy.refresh_from_db()
    assert energy.run.status == Run.Status.SUCCEEDED, energy.run.reason
    assert energy.meter.startswith("program")
    assert energy.table == table
    quality = energy.quality
    assert quality is not None
    assert quality["baseline_error"] < 0.4
    page = signed_in.get(energy.get_absolute_url()).content.decode()
    assert ("The baseline is as good." in page) != quality["beats_baseline"]
    assert energy.facts["resolution_j"] == pytest.approx(0.01)
    assert energy.facts["idle_watts"] == pytest.approx(10.0, abs=8.0)
    assert len(energy.facts["spreads"]) == 6
    layers = [space.lower(genes) for genes, _ in energy.measurements]
    calls = network_calls(layers, 1)
    seconds = np.array([min(one) for one in time_networks(calls, rounds=4, seed=0)]) / 1e6
    watts = np.array([value for _, value in energy.measurements]) / 1000.0 / seconds
    assert 20.0 < np.median(watts) < 90.0


def test_a_machine_without_a_meter_says_so_and_invents_nothing(
    owner: Team, work: Work, signed_in: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "available", lambda command: [])
    monkeypatch.setattr(network_steps, "available", lambda command: [])
    device = this_machine(owner)
    address = f"/devices/{device.pk}/costs/new/"
    page = signed_in.get(address).content.decode()
    assert "No energy meter can be read." in page
    assert "ENERGY_COMMAND" in page
    space = next(iter(signed_in.get(address).context["measure_form"].spaces))
    answer = signed_in.post(address, {"quantity": "energy", "space": space, "budget": 8})
    assert answer.status_code == 422
    assert "No energy meter of" in answer.content.decode()
    assert not CostPredictor.objects.exists()
    answer = signed_in.post(address, {"quantity": "latency", "space": space, "budget": 8})
    assert answer.status_code == 302
    work()
    timing = CostPredictor.objects.get()
    assert timing.run.status == Run.Status.SUCCEEDED, timing.run.reason
    assert timing.quantity == "latency"
    assert all(0 < value < 1000 for _, value in timing.measurements)


@pytest.mark.usefixtures("made_up_meter")
def test_whole_networks_timed_here_limit_a_search_of_a_device_without_a_table(
    owner: Team, work: Work, signed_in: Client
) -> None:
    space = roomy_space()
    timing = measure_costs(owner=owner, device=this_machine(owner), space=space, quantity="latency", budget=8)
    work()
    timing.refresh_from_db()
    assert timing.run.status == Run.Status.SUCCEEDED, timing.run.reason
    assert timing.table is None
    assert (timing.unit, timing.meter) == ("ms", "the clock")
    predictor = predictor_of(owner, work, space=space)
    search = search_of(owner, predictor, timing, work)
    assert search.run.status == Run.Status.SUCCEEDED, search.run.reason
    assert (search.table, search.timing) == (None, timing)
    best = search.candidates.get(rank=1)
    assert 0 < best.latency_low_ms <= best.latency_ms <= search.latency_limit_ms
    for page in (search.get_absolute_url(), best.get_absolute_url(), "/searches/", "/searches/new/"):
        assert signed_in.get(page).status_code == 200
    assert f"latency on {timing.device.name}" in str(best.limits)
    form = {
        "name": "From the form",
        "predictor": predictor.pk,
        "table": timing.pk,
        "latency_limit_ms": f"{search.latency_limit_ms:.4f}",
        "population": 8,
        "generations": 2,
        "seed": 0,
        "confidence": 0.5,
    }
    answer = signed_in.post("/searches/new/", form)
    assert answer.status_code == 302, answer.context["form"].errors


def test_latencies_measured_elsewhere_are_never_below_zero(
    owner: Team, work: Work, signed_in: Client
) -> None:
    """Steeper than any line: a fit of the times themselves would go below zero at the fast end."""
    space = roomy_space()
    device = device_of(owner, "external")
    text = csv_of(space, "latency_us", lambda one: 1e-12 * one.multiply_adds**3.0, 12)
    form = {
        "space": space.id,
        "quantity": "latency",
        "meter": "A stopwatch",
        "file": SimpleUploadedFile("a.csv", text.encode()),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("search.forms.devices.measurable_spaces", lambda owner: {space.id: (space, "roomy")})
        answer = signed_in.post(f"/devices/{device.pk}/costs/new/", form)
    assert answer.status_code == 302, answer.context["form"].errors
    work()
    timing = CostPredictor.objects.get()
    assert timing.run.status == Run.Status.SUCCEEDED, timing.run.reason
    least, greatest = latency_range(space, timing)
    assert 0 < least < greatest
    predictor = predictor_of(owner, work, space=space)
    table = table_of(owner, space)
    further = [FurtherLimit(timing, greatest)]
    search = search_of(owner, predictor, table, work, further=further)
    found = [limit for one in search.candidates.all() for limit in one.limits if "Phone" in limit["name"]]
    assert found
    assert all(0 < limit["low"] <= limit["value"] and limit["unit"] == "ms" for limit in found)


def test_an_agent_measures_whole_networks_with_its_own_meter(owner: Team, work: Work) -> None:
    phone: Device = device_of(owner, "onnxruntime")
    agent = Agent(phone)
    space = roomy_space()
    with pytest.raises(ValueError, match="No energy meter"):
        measure_costs(owner=owner, device=phone, space=space, quantity="energy", budget=6)
    meters = [{"name": "program ina219", "resolution_j": 0.01}]
    agent.post("/agent/hello", {"machine": {}, "meters": meters})
    agent.work()
    energy = measure_costs(owner=owner, device=phone, space=space, quantity="energy", budget=6)
    work()
    for count in range(6):
        asked = agent.work()
        (item,) = asked["items"]
        assert (asked["quantity"], item["name"]) == ("energy", "network")
        assert agent.post(asked["results"], {"values": {"network": [0.0]}}, 422)["detail"]
        facts = {"meter": "program ina219", "idle_watts": 1.5, "resolution_j": 0.01, "seconds": 2.0}
        sent = {"values": {"network": [5.0 + count, 5.2 + count]}, "facts": facts}
        assert agent.post(asked["results"], sent) == {"counted": True}
        assert agent.post(asked["results"], sent) == {"counted": False}
        work()
    energy.refresh_from_db()
    assert energy.run.status == Run.Status.SUCCEEDED, energy.run.reason
    assert [value for _, value in energy.measurements] == pytest.approx(5.1 + np.arange(6))
    assert energy.facts["meter"] == "program ina219"
    assert energy.meter == "program ina219"
