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

from chamnet_web.accounts.models import User
from devices.models import LatencyTable
from devices.profiling.torchscript import load
from devices.runs.models import Run
from devices.runs.services import pause, resume
from search.models import QuickStart, Search, TrainedModel
from search.services import quickstart
from search.services.models import start_model
from search.steps import model as steps
from search.training import datasets
from search.training.trainer import DivergedError
from tests.search.world import best_of, search_of, table_of, tiny_space

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("tiny_recipes")]
Work = Callable[..., int]


@pytest.fixture
def model(search: Search, owner: User) -> TrainedModel:
    """A model that has not begun to be trained."""
    return start_model(owner=owner, candidate=best_of(search), recipe="seconds-final", seed=0)


def ended(model: TrainedModel) -> TrainedModel:
    again: TrainedModel = TrainedModel.objects.select_related("run").get(pk=model.pk)
    return again


def test_every_operator_of_the_space_is_measured_and_networks_calibrate_the_sum(
    owner: User, work: Work
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
    assert (model.max_difference or 0) <= 1e-4

    response = signed_in.get(f"/models/{model.pk}/file/")
    content = b"".join(response.streaming_content)
    assert hashlib.sha256(content).hexdigest() == model.sha256
    path = tmp_path / model.download_name
    path.write_bytes(content)
    module, _ = load(path)
    test = datasets.load_test("digits")
    images = steps.torch.from_numpy(test.images.copy()).permute(0, 3, 1, 2).float() / 255
    with steps.torch.inference_mode():
        labels = module(images).argmax(dim=1).numpy()
    assert float(np.mean(labels == test.labels)) == model.test_accuracy

    card = signed_in.get(f"/models/{model.pk}/card/").content.decode()
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
    search: Search, owner: User, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = start_model(owner=owner, candidate=best_of(search), recipe="seconds-final", seed=0)
    work()
    paused = start_model(owner=owner, candidate=best_of(search), recipe="seconds-final", seed=0)
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
    assert signed_in.get(f"/models/{model.pk}/file/").status_code == 404


def test_a_file_that_answers_otherwise_is_not_offered(
    model: TrainedModel, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = steps.export_torchscript

    def spoil(network, path, **options):
        with steps.torch.no_grad():
            next(network.parameters()).add_(1.0)
        return real(network, path, **options)

    monkeypatch.setattr(steps, "export_torchscript", spoil)
    work()
    model = ended(model)
    assert model.run.status == Run.Status.FAILED
    assert "outputs differ" in model.run.reason
    assert not model.file
    assert model.sha256 == ""


def test_a_search_no_network_can_satisfy_says_so(search: Search, owner: User, work: Work) -> None:
    impossible = search_of(
        owner, search.predictor, search.table, work, name="Impossible", latency_limit_ms=1e-6
    )
    assert impossible.run.status == Run.Status.FAILED
    assert impossible.run.reason == "No network met 1e-06 ms. Raise the limit, or search longer."


def test_candidates_are_distinct_ranked_and_within_the_limit(search: Search) -> None:
    assert search.run.status == Run.Status.SUCCEEDED
    rows = list(search.candidates.all())
    assert [row.rank for row in rows] == list(range(1, len(rows) + 1))
    assert len({row.architecture_id for row in rows}) == len(rows) > 1
    assert [row.accuracy for row in rows] == sorted((row.accuracy for row in rows), reverse=True)
    for row in rows:
        assert row.latency_ms <= search.latency_limit_ms
        assert row.latency_low_ms < row.latency_ms < row.latency_high_ms
        assert row.accuracy_low < row.accuracy < row.accuracy_high
    assert search.generation_rows.count() == 12


def test_a_search_continued_step_by_step_ends_as_one_in_a_single_step(
    search: Search, owner: User, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.steps.evolution.BATCH", 1)
    again = search_of(
        owner,
        search.predictor,
        search.table,
        work,
        name="Again",
        latency_limit_ms=search.latency_limit_ms,
    )
    ranked = [list(one.candidates.values_list("architecture_id", flat=True)) for one in (search, again)]
    assert ranked[0] == ranked[1]
    summaries = [list(one.generation_rows.values_list("summary", flat=True)) for one in (search, again)]
    assert summaries[0] == summaries[1]


def test_quick_start_without_a_browser_prints_the_path_of_a_verified_file(
    owner: User, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], transactional_db: None
) -> None:
    monkeypatch.setattr(quickstart, "space_for", tiny_space)
    call_command(
        "quickstart", user="ada", budget=8, initial=4, population=12, generations=11, dataset="digits"
    )
    said = capsys.readouterr().out.splitlines()
    model = TrainedModel.objects.get()
    assert said[-1] == model.file.path
    assert Path(said[-1]).is_file()
    assert "Test accuracy" in said[-2]
    assert QuickStart.objects.get().run.status == Run.Status.SUCCEEDED
    assert LatencyTable.objects.get().run.parent == QuickStart.objects.get().run
