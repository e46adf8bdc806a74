"""From a device to a file, on real measurements and real trainings, in this process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command
from django.test import Client

from chamnet_web.accounts.models import Team
from devices.models import LatencyTable
from devices.profiling.torchscript import load
from devices.runs.models import Run
from devices.runs.services import pause, resume
from search.models import ModelFile, QuickStart, Search, TrainedModel
from search.services import quickstart
from search.services.models import start_model
from search.services.problems import latency_range, load_problem
from search.services.searches import FurtherLimit, keep_front_point
from search.steps import evolution
from search.steps import model as steps
from search.training import datasets
from search.training.export import Exported
from search.training.trainer import DivergedError
from tests.search.world import best_of, energy_of, predictor_of, roomy_space, search_of, table_of, tiny_space

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("tiny_recipes")]
Work = Callable[..., int]


@pytest.fixture
def model(search: Search, owner: Team) -> TrainedModel:
    """A model that has not begun to be trained."""
    return start_model(owner=owner, network=best_of(search), recipe="seconds-final", seed=0)


def ended(model: TrainedModel) -> TrainedModel:
    again: TrainedModel = TrainedModel.objects.select_related("run").get(pk=model.pk)
    return again


def test_every_operator_of_the_space_is_measured_and_networks_calibrate_the_sum(
    owner: Team, work: Work
) -> None:
    table = table_of(owner, work=work)
    assert table.run.status == Run.Status.SUCCEEDED, table.run.reason
    keys = {operator.key for operator in tiny_space().operators()}
    assert set(table.entries.values_list("key", flat=True)) == keys
    for entry in table.entries.all():
        assert entry.repeats == len(entry.samples_us) >= 8
        assert 0 < entry.minimum_us <= entry.p10_us <= entry.p50_us <= entry.p90_us
    assert table.points.count() == 10
    assert table.load().calibration.networks == 10
    assert table.provenance["engine"].startswith("TorchScript")


def test_the_file_is_what_was_trained_and_its_card_works(
    model: TrainedModel, work: Work, signed_in: Client, tmp_path: Path
) -> None:
    work()
    model = ended(model)
    assert model.run.status == Run.Status.SUCCEEDED, model.run.reason
    assert model.epochs.count() == 2
    assert 0 < (model.latency_ms or 0) <= (model.latency_p50_ms or 0)
    assert [row.format for row in model.files.all()] == list(ModelFile.Format)
    assert [row.problem for row in model.files.all()] == [""] * 5
    first = model.files.get(format="torchscript")
    assert (first.max_difference or 0) <= 1e-4

    response = signed_in.get(f"/models/{model.pk}/files/torchscript/", headers={"Accept-Encoding": "gzip"})
    assert int(response.headers["Content-Length"]) == first.size_bytes  # browsers show progress by it
    content = b"".join(response.streaming_content)
    assert hashlib.sha256(content).hexdigest() == first.sha256
    path = tmp_path / first.download_name
    path.write_bytes(content)
    module, _ = load(path)
    test = datasets.load_test("digits")
    images = steps.torch.from_numpy(test.images.copy()).permute(0, 3, 1, 2).float() / 255
    with steps.torch.inference_mode():
        labels = module(images).argmax(dim=1).numpy()
    assert float(np.mean(labels == test.labels)) == model.test_accuracy

    card = signed_in.get(f"/models/{model.pk}/card.md").content.decode()
    assert f"{100 * (model.test_accuracy or 0):.2f} %" in card
    program = card.partition("```python\n")[2].partition("```")[0]
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert said.stdout.strip().endswith("%")


def test_a_paused_training_goes_on_from_its_last_epoch_and_ends_the_same(
    search: Search, owner: Team, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = start_model(owner=owner, network=best_of(search), recipe="seconds-final", seed=0)
    work()
    paused = start_model(owner=owner, network=best_of(search), recipe="seconds-final", seed=0)
    real = steps._save_epoch

    def save_and_pause(step, model, trainer, result) -> None:
        if result.number == 1:
            pause(step.run)
        real(step, model, trainer, result)

    monkeypatch.setattr(steps, "_save_epoch", save_and_pause)
    work()
    assert ended(paused).run.status == Run.Status.PAUSED
    assert ended(paused).epochs.count() == 1
    resume(paused.run)
    work()
    first, second = ended(whole), ended(paused)
    assert second.run.status == Run.Status.SUCCEEDED
    assert first.test_accuracy == second.test_accuracy
    losses = [list(model.epochs.values_list("loss", flat=True)) for model in (first, second)]
    assert losses[0] == losses[1]


def test_a_final_training_that_diverges_fails_and_offers_no_file(
    model: TrainedModel, work: Work, monkeypatch: pytest.MonkeyPatch, signed_in: Client
) -> None:
    def diverge(self: object, on_batch: object = None) -> None:
        raise DivergedError(1, 2, "training loss")

    monkeypatch.setattr(steps.Trainer, "epoch", diverge)
    work()
    model = ended(model)
    assert model.run.status == Run.Status.FAILED
    assert "became infinite or not a number" in model.run.reason
    assert signed_in.get(f"/models/{model.pk}/files/torchscript/").status_code == 404


def test_a_file_that_answers_otherwise_is_not_offered(
    model: TrainedModel, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(exported: Exported, path: Path) -> None:
        with steps.torch.no_grad():
            next(exported.network.parameters()).add_(1.0)
        steps.export_torchscript(exported, path)

    monkeypatch.setitem(steps._WRITERS, ModelFile.Format.TORCHSCRIPT, spoil)
    work()
    model = ended(model)
    assert model.run.status == Run.Status.FAILED
    assert "outputs differ" in model.run.reason
    assert not model.files.exists()


def test_a_search_no_network_can_satisfy_says_so(search: Search, owner: Team, work: Work) -> None:
    impossible = search_of(
        owner, search.predictor, search.latency_source, work, name="Impossible", latency_limit_ms=1e-6
    )
    assert impossible.run.status == Run.Status.FAILED
    assert impossible.run.reason.startswith("No network of this space keeps every limit. The nearest, ")
    least, _ = latency_range(search.predictor.space.load(), search.latency_source)
    assert f"reaches latency on This machine {least:.3g} ms." in impossible.run.reason
    assert "What binds is latency on This machine at most 1e-06 ms: raise it to" in impossible.run.reason
    needed = float(impossible.run.reason.split()[-4])
    assert least <= needed < 1.02 * least
    assert not impossible.generation_rows.exists()
    assert not impossible.candidates.exists()


def test_candidates_are_distinct_ranked_and_within_the_limit(search: Search) -> None:
    assert search.run.status == Run.Status.SUCCEEDED
    rows = list(search.candidates.all())
    assert [row.rank for row in rows] == list(range(1, len(rows) + 1))
    assert len({row.architecture_id for row in rows}) == len(rows) > 1
    accuracies = [row.accuracy for row in rows]
    assert accuracies == pytest.approx(sorted(accuracies, reverse=True), abs=1e-12)
    for row in rows:
        assert row.latency_ms <= search.latency_limit_ms
        assert row.latency_low_ms < row.latency_ms < row.latency_high_ms
        assert row.accuracy_low < row.accuracy < row.accuracy_high
    assert search.generation_rows.count() == 12


def test_a_search_that_has_seen_its_whole_space_counts_its_own_generations(owner: Team, work: Work) -> None:
    space = tiny_space()
    found = search_of(owner, predictor_of(owner, work), table_of(owner, space), work, generations=200)
    assert found.run.status == Run.Status.SUCCEEDED, found.run.reason
    assert found.run.done == found.run.total == found.generation_rows.count() < 200


def test_a_search_continued_step_by_step_ends_as_one_in_a_single_step(
    search: Search, owner: Team, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.steps.evolution.BATCH", 1)
    again = search_of(
        owner,
        search.predictor,
        search.latency_source,
        work,
        name="Again",
        latency_limit_ms=search.latency_limit_ms,
    )
    ranked = [list(one.candidates.values_list("architecture_id", flat=True)) for one in (search, again)]
    assert ranked[0] == ranked[1]
    summaries = [list(one.generation_rows.values_list("summary", flat=True)) for one in (search, again)]
    assert summaries[0] == summaries[1]


def test_no_single_change_of_the_winner_is_better(search: Search) -> None:
    problem, winner = load_problem(search), best_of(search)
    around = problem.neighbours(winner.genes)
    within = problem.latency_ms(around) <= search.latency_limit_ms
    assert problem.accuracy(around[within]).max() <= winner.accuracy + 1e-12
    assert search.neighbours == len(around)


def test_confidence_is_kept_and_costs_accuracy_at_most(search: Search, owner: Team, work: Work) -> None:
    limit = search.latency_limit_ms
    sure = search_of(
        owner,
        search.predictor,
        search.latency_source,
        work,
        name="Sure",
        latency_limit_ms=limit,
        confidence=0.95,
    )
    assert all(candidate.meets_limit >= 0.95 - 1e-9 for candidate in sure.candidates.all())
    assert best_of(sure).accuracy <= best_of(search).accuracy
    assert min(candidate.meets_limit for candidate in search.candidates.all()) < 0.95


def test_caution_ranks_by_the_lower_end_of_the_interval(search: Search, owner: Team, work: Work) -> None:
    cautious = search_of(
        owner,
        search.predictor,
        search.latency_source,
        work,
        name="Cautious",
        latency_limit_ms=search.latency_limit_ms,
        cautious=True,
    )
    problem = load_problem(cautious)
    lows = [float(problem.objective(np.array([row.genes]))[0]) for row in cautious.candidates.all()]
    assert lows == sorted(lows, reverse=True)
    assert all(low < row.accuracy for low, row in zip(lows, cautious.candidates.all(), strict=True))


def test_one_network_keeps_the_limits_of_two_devices_and_of_its_size(
    search: Search, owner: Team, work: Work
) -> None:
    other = table_of(owner, roomy_space(), device_name="The phone", slower=3.0)
    least, greatest = latency_range(roomy_space(), other)
    limit, parameters = (
        (3 * least + greatest) / 4,
        sorted(search.candidates.values_list("parameters", flat=True))[0],
    )
    energy = energy_of(owner, other.device, work, space=roomy_space())
    both = search_of(
        owner,
        search.predictor,
        search.latency_source,
        work,
        name="Both",
        further=[FurtherLimit(other, limit), FurtherLimit(energy, 1e6)],
        max_parameters=parameters,
        max_file_bytes=10**9,
        max_multiply_adds=10**9,
    )
    assert both.run.status == Run.Status.SUCCEEDED, both.run.reason
    problem = load_problem(both)
    assert [str(one) for one in problem.limits][1].startswith("latency on The phone at most")
    for row in both.candidates.all():
        costs = problem.costs(np.array([row.genes]))[0]
        assert row.latency_ms <= both.latency_limit_ms
        assert costs[1] <= limit
        assert costs[2] == pytest.approx(row.limits[2]["value"])
        assert costs[3] == row.multiply_adds
        assert costs[4] == row.parameters <= parameters
        assert costs[5] == row.file_bytes
        assert [one["name"] for one in row.limits] == [one.name for one in problem.limits]
        assert all(one["low"] <= one["value"] <= one["high"] for one in row.limits)


def test_an_energy_limit_is_kept_and_traded_on_the_front(
    search: Search, owner: Team, work: Work, signed_in: Client
) -> None:
    energy = energy_of(owner, search.device, work, space=roomy_space(), count=40)
    within = search_of(
        owner,
        search.predictor,
        search.latency_source,
        work,
        name="Thrifty",
        latency_limit_ms=2 * search.latency_limit_ms,
        further=[FurtherLimit(energy, float(np.median([value for _, value in energy.measurements])))],
        confidence=0.9,
    )
    assert within.run.status == Run.Status.SUCCEEDED, within.run.reason
    for row in within.candidates.all():
        assert row.limits[1]["chance"] >= 0.9 - 1e-9
    front = within.front
    assert front is not None
    assert all(point["energy_mj"] > 0 for point in front)
    problem, genes = load_problem(within), np.array([point["genes"] for point in front])
    costs = np.column_stack([problem.costs(genes), -problem.accuracy(genes)])
    for row in costs:
        assert not np.any(np.all(costs <= row, axis=1) & np.any(costs < row - 1e-12, axis=1))
    page = signed_in.get(within.get_absolute_url())
    assert "Front: predicted accuracy against energy" in page.content.decode()
    shown = [point["accuracy"] for point in page.context["state"]["front"]["points"] if point["on_slider"]]
    assert shown == sorted(shown)
    assert shown[-1] == pytest.approx(best_of(within).accuracy, abs=1e-5)
    assert len(shown) < len(front)
    assert signed_in.get(best_of(within).get_absolute_url()).content.decode().count("energy on") == 1


def test_a_long_front_is_thinned_but_keeps_its_ends_and_its_winner(
    search: Search, owner: Team, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evolution, "FRONT_POINTS", 5)
    energy = energy_of(owner, search.device, work, space=roomy_space(), count=40)
    limit = FurtherLimit(energy, max(value for _, value in energy.measurements))
    within = search_of(owner, search.predictor, search.latency_source, work, name="Thin", further=[limit])
    front = within.front
    assert front is not None
    assert len(front) == 5
    assert [point["cost_ms"] for point in front] == sorted(point["cost_ms"] for point in front)
    best = max(point["accuracy"] for point in front if point["on_slider"])
    assert best == pytest.approx(best_of(within).accuracy, abs=1e-5)


def test_limits_that_no_network_keeps_together_end_at_once_with_what_binds(
    search: Search, owner: Team, work: Work
) -> None:
    energy = energy_of(owner, search.device, work, space=roomy_space())
    none = search_of(
        owner,
        search.predictor,
        search.latency_source,
        work,
        name="None",
        further=[FurtherLimit(energy, 1e-6)],
    )
    assert none.run.status == Run.Status.FAILED
    assert "What binds is energy on" in none.run.reason
    assert "raise it to" in none.run.reason
    assert none.generation_rows.count() == 0


def test_the_front_answers_every_limit_and_its_points_become_candidates(
    search: Search, signed_in: Client
) -> None:
    front = search.front
    assert front is not None
    costs, accuracies = ([point[name] for point in front] for name in ("cost_ms", "accuracy"))
    assert costs == sorted(costs)
    assert accuracies == sorted(accuracies)
    assert accuracies[-1] == pytest.approx(best_of(search).accuracy, abs=1e-5)
    before = search.candidates.count()
    kept = {keep_front_point(search, index).pk for index in range(len(front)) for _ in range(2)}
    assert len(kept) == len(front)
    assert search.candidates.count() >= max(before, len(front))
    for candidate in search.candidates.filter(pk__in=kept):
        assert candidate.on_front
        assert candidate.latency_ms <= search.latency_limit_ms
    address = f"/searches/{search.pk}/front/"
    assert signed_in.post(address, {"index": "0"}).status_code == 302
    assert signed_in.post(address, {"index": str(len(front))}).status_code == 404
    assert signed_in.post(address, {"index": "-1"}).status_code == 404
    assert signed_in.get(address).status_code == 405


def test_quick_start_without_a_browser_prints_the_path_of_a_verified_file(
    owner: Team, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], transactional_db: None
) -> None:
    monkeypatch.setattr(quickstart, "space_for", tiny_space)
    call_command(
        "quickstart", user="ada", budget=8, initial=4, population=12, generations=11, dataset="digits"
    )
    said = capsys.readouterr().out.splitlines()
    model = TrainedModel.objects.get()
    assert said[-1] == model.files.get(format="torchscript").file.path
    assert Path(said[-1]).is_file()
    assert "Test accuracy" in said[-2]
    assert QuickStart.objects.get().run.status == Run.Status.SUCCEEDED
    built, joined = LatencyTable.objects.order_by("version")
    assert built.run.parent == QuickStart.objects.get().run
    assert joined.basis == built
    assert joined.points.exclude(expected_us=None).count() == 1
