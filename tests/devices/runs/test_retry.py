"""A run that failed or was cancelled begins again, once, with everything that it had finished."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from devices.runs.execution import execute, sweep
from devices.runs.models import Run, Step
from devices.runs.services import cancel, retry
from devices.runs.steps import claim
from devices.runs.writing import writing
from tests.devices.runs import toy

pytestmark = pytest.mark.django_db
Begin = Callable[..., Run]
Work = Callable[..., int]


def name(run: Run, title: str) -> None:
    Run.objects.filter(pk=run.pk).update(title=title)


def broken(begin: Begin, work: Work, parent: Run | None = None) -> Run:
    """A run whose only step broke as often as it may."""
    run = begin("toy.fragile", parent=parent)
    name(run, toy.BROKEN)
    work()
    run.refresh_from_db()
    assert (run.status, run.can_retry) == (Run.Status.FAILED, True)
    return run


def test_the_step_that_failed_is_done_anew_with_all_its_attempts(begin: Begin, work: Work) -> None:
    run = broken(begin, work)
    assert run.steps.get().status == Step.Status.FAILED
    name(run, "Mended")
    assert retry(run)
    run.refresh_from_db()
    assert (run.status, run.reason, run.finished_at, run.can_retry) == (Run.Status.QUEUED, "", None, False)
    step = run.steps.get()
    assert (step.status, step.attempts) == (Step.Status.READY, 0)
    assert work() == 1
    run.refresh_from_db()
    assert (run.status, run.message) == (Run.Status.SUCCEEDED, "It held.")
    statuses = [event.data["status"] for event in run.events.filter(kind="status")]
    assert statuses == ["queued", "running", "failed", "queued", "running", "succeeded"]


def test_a_wish_to_end_early_is_of_the_try_that_it_was_made_in(begin: Begin, work: Work) -> None:
    run = broken(begin, work)
    Run.objects.filter(pk=run.pk).update(stop_requested=True)
    assert retry(run)
    run.refresh_from_db()
    assert not run.stop_requested


def test_what_was_finished_is_not_done_again(begin: Begin, work: Work) -> None:
    run = begin(to=4)
    work(at_most=2)
    cancel(run)
    assert work() == 0
    run.refresh_from_db()
    assert retry(run)
    assert work() == 2
    run.refresh_from_db()
    assert run.status == Run.Status.SUCCEEDED
    assert [event.data["number"] for event in run.events.filter(kind="counted")] == [0, 1, 2, 3]


def test_a_step_at_work_while_its_run_is_cancelled_is_given_back_untried(
    begin: Begin, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(to=1)
    count = toy.count
    with monkeypatch.context() as patch:
        patch.setattr(toy, "count", lambda step: (cancel(run), count(step)))
        execute(run.steps.get().pk)
    step = run.steps.get()
    assert (step.status, step.attempts) == (Step.Status.READY, 0)
    assert not run.events.filter(kind="counted").exists()
    run.refresh_from_db()
    assert retry(run)
    work()
    run.refresh_from_db()
    assert run.status == Run.Status.SUCCEEDED


def test_a_run_that_no_trying_can_mend_is_not_tried_again(begin: Begin) -> None:
    run = begin("toy.refuse")
    execute(run.steps.get().pk)
    run.refresh_from_db()
    assert not run.can_retry
    assert not retry(run)
    run.refresh_from_db()
    assert run.status == Run.Status.FAILED


@pytest.mark.parametrize("status", ["queued", "paused", "succeeded"])
def test_only_what_did_not_end_well_is_tried_again(begin: Begin, status: str) -> None:
    run = begin()
    with writing(run.pk) as writer:
        if status == "paused":
            writer.pause()
        if status == "succeeded":
            writer.succeed()
    assert not retry(writer.run)
    run.refresh_from_db()
    assert run.status == status


def test_what_steps_add_to_a_failed_run_is_done_when_it_is_tried_again(begin: Begin, work: Work) -> None:
    """Two steps of a run were at work when a third one failed it."""
    run = begin(to=3)
    late = claim(run.steps.get().pk)
    assert late is not None
    with writing(run.pk) as writer:
        writer.fail("Another step gave up.", mendable=True)
    toy.count(late)
    assert work() == 0
    assert retry(writer.run)
    assert work() == 2
    run.refresh_from_db()
    assert run.status == Run.Status.SUCCEEDED


def test_a_parent_that_failed_with_its_child_is_tried_again_with_it(begin: Begin, work: Work) -> None:
    parent = begin()
    parent.steps.all().delete()
    child = broken(begin, work, parent)
    parent.refresh_from_db()
    assert (parent.status, parent.can_retry) == (Run.Status.FAILED, True)
    assert "ended as failed" in parent.reason
    name(child, "Mended")
    assert retry(child)
    for run in (child, parent):
        run.refresh_from_db()
        assert run.status == Run.Status.QUEUED
    work()
    for run in (child, parent):
        run.refresh_from_db()
        assert run.status == Run.Status.SUCCEEDED


def test_a_parent_whose_child_cannot_be_mended_cannot_either(begin: Begin, work: Work) -> None:
    parent = begin()
    parent.steps.all().delete()
    begin("toy.refuse", parent=parent)
    work()
    parent.refresh_from_db()
    assert parent.status == Run.Status.FAILED
    assert not parent.can_retry


def test_a_worker_lost_too_often_leaves_a_run_that_can_be_tried_again(begin: Begin, settings) -> None:
    settings.STEP_ATTEMPTS = 1
    settings.STEP_LEASE_SECONDS = -1
    run = begin()
    assert claim(run.steps.get().pk) is not None
    sweep()
    run.refresh_from_db()
    assert run.can_retry


def test_the_page_says_what_became_of_a_press_that_came_second(
    signed_in: Client, begin: Begin, work: Work
) -> None:
    run = broken(begin, work)
    address = reverse("run-action", args=[run.pk, "retry"])
    said = []
    for _ in range(2):
        response = signed_in.post(address)
        said.append([str(message) for message in get_messages(response.wsgi_request)][-1])
    assert said == ["Trying again, from what was finished.", "Nothing was changed: “Broken” is queued."]


def test_a_step_at_work_while_its_run_is_cancelled_and_tried_again_starts_it(begin: Begin) -> None:
    run = begin(to=1)
    step = claim(run.steps.get().pk)
    assert step is not None
    assert cancel(run)
    run.refresh_from_db()
    assert retry(run)
    with step.commit() as writer:
        writer.succeed("Counted.")
    run.refresh_from_db()
    assert (run.status, run.seconds is not None) == (Run.Status.SUCCEEDED, True)
    statuses = [event.data["status"] for event in run.events.filter(kind="status")]
    assert statuses[-3:] == ["queued", "running", "succeeded"]


def test_a_step_waits_from_the_moment_its_run_is_tried_again(begin: Begin) -> None:
    run = begin()
    then = timezone.now() - timedelta(days=7)
    run.steps.update(ready_at=then)
    assert cancel(run)
    run.refresh_from_db()
    assert retry(run)
    assert timezone.now() - run.steps.get().ready_at < timedelta(hours=1)
