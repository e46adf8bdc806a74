"""Kinds of runs that failed, tried again: what was finished stays, what failed is mended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from chamnet_web.accounts.models import Team
from devices import steps as table_steps
from devices.runs.models import Run, Step
from devices.runs.services import retry
from devices.services import this_machine
from search.models import Predictor, Sample, Search, TrainedModel
from search.services import disk
from search.services.models import start_model
from search.services.predictors import predictor_model
from search.services.quickstart import start_quickstart
from search.services.searches import start_search
from search.services.studies import start_study
from search.services.tables import build_table
from search.steps import model as model_steps
from search.steps import predictor as predictor_steps
from search.steps import study as study_steps
from tests.search.world import begin_predictor, best_of, predictor_of, roomy_space, table_of, tiny_space

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tiny_recipes")]
Work = Callable[..., int]


def crash(*args: object, **options: object) -> Any:
    raise MemoryError("too large")


def made_up(step: Any, predictor: Predictor, proposal: Any) -> dict[str, Any]:
    return {"status": "succeeded", "accuracy": 0.5 + 0.01 * proposal.index, "seconds": 0.1}


def failed(run: Run) -> Run:
    run.refresh_from_db()
    assert (run.status, run.can_retry) == (Run.Status.FAILED, True), run.reason
    return run


def test_a_predictor_trains_the_networks_again_whose_training_failed(
    owner: Team, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash_but_twice(step: Any, predictor: Predictor, proposal: Any) -> dict[str, Any]:
        return made_up(step, predictor, proposal) if proposal.index < 2 else crash()

    predictor = begin_predictor(owner, budget=6)
    monkeypatch.setattr(predictor_steps, "_train", crash_but_twice)
    work()
    assert "Only 2 networks were trained without failing" in failed(predictor.run).reason
    trained: list[int] = []

    def note(step: Any, of: Predictor, proposal: Any) -> dict[str, Any]:
        trained.append(proposal.index)
        return made_up(step, of, proposal)

    monkeypatch.setattr(predictor_steps, "_train", note)
    assert retry(predictor.run)
    work()
    predictor.refresh_from_db()
    assert predictor.run.status == Run.Status.SUCCEEDED, predictor.run.reason
    assert sorted(trained) == [2, 3, 4, 5]
    assert predictor.quality is not None


def test_a_failed_sample_that_another_build_counts_on_stays_as_it_is(
    owner: Team, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = begin_predictor(owner, name="First", budget=4)
    monkeypatch.setattr(predictor_steps, "_train", crash)
    work()
    failed(first.run)
    begin_predictor(owner, name="Second", budget=6)
    work(at_most=3)  # it meets the first one's samples
    assert retry(first.run)
    second = Predictor.objects.get(name="Second")
    shared = {proposal.sample_id for proposal in second.proposals.all()}
    assert shared
    assert set(Sample.objects.filter(pk__in=shared).values_list("status", flat=True)) == {"failed"}


def test_what_a_fitted_predictor_was_fitted_without_is_not_trained_for_another_one(
    owner: Team, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash_at_first(step: Any, predictor: Predictor, proposal: Any) -> dict[str, Any]:
        return crash() if proposal.index < 2 else made_up(step, predictor, proposal)

    monkeypatch.setattr(predictor_steps, "_train", crash_at_first)
    fitted = begin_predictor(owner, name="First", budget=9)
    work()
    fitted.refresh_from_db()
    assert fitted.run.status == Run.Status.SUCCEEDED, fitted.run.reason
    second = begin_predictor(owner, name="Second", budget=4)
    work()
    second.run.refresh_from_db()
    assert "Only 2 networks were trained" in second.run.reason
    assert not second.run.can_retry  # these two stay lost
    third = begin_predictor(owner, name="Third", budget=4, initial=3)
    monkeypatch.setattr(predictor_steps, "_train", crash)
    work()
    monkeypatch.setattr(predictor_steps, "_train", made_up)
    retry(third.run)
    work()
    assert len(predictor_model(fitted).y) == 7


def broken_at_its_export(
    owner: Team, work: Work, search: Search, monkeypatch: pytest.MonkeyPatch
) -> TrainedModel:
    """A model that was trained to the end, and whose export broke."""
    model = start_model(owner=owner, network=best_of(search), recipe="seconds-final", seed=0)
    with monkeypatch.context() as patch:
        patch.setattr(model_steps, "_judge", crash)
        work()
    assert "MemoryError" in failed(model.run).reason
    return model


def test_a_final_training_goes_on_where_it_broke(
    owner: Team, work: Work, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = broken_at_its_export(owner, work, search, monkeypatch)
    epochs = model.run.events.filter(kind="epoch").count()
    assert epochs == 2
    assert retry(model.run)
    (step,) = Step.objects.filter(run=model.run, status=Step.Status.READY)
    assert step.kind == "model.export"
    work()
    model.refresh_from_db()
    assert model.is_verified, model.run.reason
    assert model.run.events.filter(kind="epoch").count() == epochs


def test_a_final_training_whose_checkpoint_was_pruned_meanwhile_is_made_again(
    owner: Team, work: Work, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = broken_at_its_export(owner, work, search, monkeypatch)
    Run.objects.filter(pk=model.run_id).update(finished_at=timezone.now() - timedelta(days=400))
    assert disk.prune()["checkpoints"] == 1
    assert retry(model.run)
    work()
    model.refresh_from_db()
    assert model.is_verified, model.run.reason
    assert list(model.epochs.values_list("number", flat=True)) == [1, 2]


def test_a_table_keeps_its_timings_and_measures_the_rest(
    owner: Team, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = build_table(device=this_machine(owner), space=tiny_space())
    work(at_most=3)
    table.refresh_from_db()
    number, timed = table.number, table.entries.first().samples_us
    assert number == 3
    with monkeypatch.context() as patch:
        patch.setattr(table_steps.OperatorBench, "round", crash)
        work()
    failed(table.run)
    assert retry(table.run)
    work(at_most=1)
    table.refresh_from_db()
    assert table.number == number + 1
    assert table.entries.get(key=table.entries.first().key).samples_us[: len(timed)] == timed


def test_quick_start_tries_the_stage_again_that_failed(
    owner: Team, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    quickstart = start_quickstart(owner=owner)
    with monkeypatch.context() as patch:
        patch.setattr(table_steps.OperatorBench, "round", crash)
        work()
    quickstart.refresh_from_db()
    table = quickstart.table
    assert table is not None
    assert "MemoryError" in failed(quickstart.run).reason
    assert retry(table.run)  # pressed on the stage's page
    work(at_most=1, newest_first=False)
    quickstart.refresh_from_db()
    assert quickstart.run.status in Run.ACTIVE
    assert work(kinds=("quickstart",)) <= 1
    quickstart.refresh_from_db()
    assert quickstart.run.status == Run.Status.RUNNING
    table.run.refresh_from_db()
    assert table.run.status in Run.ACTIVE
    assert quickstart.table_id == table.pk


def test_a_study_tries_scaled_networks_again_whose_trials_failed(
    owner: Team, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = predictor_of(owner, work, space=roomy_space())
    table = table_of(owner, roomy_space())
    study = start_study(
        owner=owner, name="Claim", predictor=predictor, table=table, recipe="seconds-final", limits=[1e3],
        seeds=1, confidence=0.5, population=8, generations=2,
    )  # fmt: skip
    study.table = table
    study.save()
    with monkeypatch.context() as patch:
        patch.setattr(study_steps, "train", crash)
        work()
    assert "All trials of scaled networks" in failed(study.run).reason
    assert not study.baselines.filter(reason="").exists()
    assert retry(study.run)
    assert not study.baselines.exclude(reason="").exists()
    trials = study.run.steps.filter(kind="study.trial")
    assert set(trials.values_list("status", "attempts")) == {("ready", 0)}
    study.baselines.update(accuracy=0.5)
    trials.delete()
    work(at_most=1, kinds=("study",))
    assert study.trained_models.count() == 2
    study.run.refresh_from_db()
    assert study.run.status == Run.Status.RUNNING


def test_a_search_whose_limits_are_out_of_reach_offers_other_settings_instead(
    owner: Team, work: Work, search: Search, signed_in: Client
) -> None:
    made = start_search(
        owner=owner, name="Impossible", predictor=search.predictor, table=search.latency_source,
        latency_limit_ms=1e-6, population=16, generations=2, seed=0,
    )  # fmt: skip
    work()
    made.run.refresh_from_db()
    assert (made.run.status, made.run.can_retry) == (Run.Status.FAILED, False)
    page = signed_in.get(made.get_absolute_url()).content.decode()
    assert "Try again" not in page
    assert f'href="/searches/new/?like={made.pk}"' in page
    assert "Change the settings" in page
