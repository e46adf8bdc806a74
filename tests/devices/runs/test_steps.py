"""Leases: a step is done once, whatever happens to workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from chamnet_web.accounts.models import Team, User
from devices.runs import turns
from devices.runs.execution import execute, execute_due, release_all, sweep
from devices.runs.models import Run, Step
from devices.runs.services import cancel, pause, resume
from devices.runs.steps import ClaimedStep, LeaseLostError, RunCancelledError, claim
from devices.runs.writing import writing

pytestmark = pytest.mark.django_db
Begin = Callable[..., Run]
# The connection as a worker has it: not in a test's transaction, so that it may be closed.
OUTSIDE = SimpleNamespace(in_atomic_block=False, close=lambda: None, is_usable=lambda: False)


def claimed(run: Run) -> ClaimedStep:
    found = claim(run.steps.get(status=Step.Status.READY).pk)
    assert found is not None
    return found


def lose(step: ClaimedStep) -> None:
    """Its worker was not heard of for longer than a lease."""
    Step.objects.filter(pk=step.step.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def test_a_step_is_claimed_once_and_starts_its_run(begin: Begin) -> None:
    run = begin()
    assert run.status == Run.Status.QUEUED
    first = claimed(run)
    assert claim(first.step.pk) is None
    run.refresh_from_db()
    assert run.status == Run.Status.RUNNING
    assert run.started_at is not None


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_exactly_one_gets_a_step(begin: Begin) -> None:
    step_id = begin().steps.get().pk

    def attempt(_: int) -> bool:
        try:
            return claim(step_id) is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(16))) == 1


def test_the_steps_of_a_run_lead_to_its_end(begin: Begin, work: Callable[..., int]) -> None:
    run = begin(to=3)
    assert work() == 3
    run.refresh_from_db()
    assert (run.status, run.done, run.message) == (Run.Status.SUCCEEDED, 3, "Counted.")
    assert [event.data["number"] for event in run.events.filter(kind="counted")] == [0, 1, 2]


def test_what_a_worker_computed_after_losing_its_lease_is_not_written(begin: Begin) -> None:
    run = begin()
    slow = claimed(run)
    lose(slow)
    assert sweep() == 1
    quick = claimed(run)
    with pytest.raises(LeaseLostError), slow.commit() as writer:
        writer.event("never")
    with pytest.raises(LeaseLostError), slow.report() as writer:
        writer.event("never")
    with pytest.raises(LeaseLostError):
        slow.check(every_seconds=0)
    with quick.commit() as writer:
        writer.event("once")
    assert [event.kind for event in run.events.all() if event.kind in ("never", "once")] == ["once"]


def test_checking_renews_the_lease(begin: Begin) -> None:
    step = claimed(begin())
    lose(step)
    step.check(every_seconds=0)
    assert sweep() == 0


def test_a_cancelled_run_stops_the_step_at_work_and_is_final(begin: Begin) -> None:
    run = begin()
    step = claimed(run)
    cancel(run)
    with pytest.raises(RunCancelledError):
        step.check(every_seconds=0)
    with pytest.raises(RunCancelledError), step.report() as writer:
        writer.event("never")
    with pytest.raises(RunCancelledError), step.commit() as writer:
        writer.succeed()
    run.refresh_from_db()
    assert run.status == Run.Status.CANCELLED
    assert not run.events.filter(kind="never").exists()


def test_a_lease_is_taken_over_when_it_has_expired_and_not_when_it_was_renewed(begin: Begin) -> None:
    worker = claimed(begin())
    lose(worker)
    sweeper = ClaimedStep(worker.step, worker.token)
    worker.check(every_seconds=0)
    assert not sweeper.take_over()
    lose(worker)
    assert sweeper.take_over()
    with pytest.raises(LeaseLostError):
        worker.check(every_seconds=0)
    with sweeper.commit():
        pass


def test_every_lease_that_expires_is_counted_the_last_one_too(begin: Begin, settings) -> None:
    run = begin()
    for _ in range(settings.STEP_ATTEMPTS):
        lose(claimed(run))
        sweep()
    assert run.steps.get().lost == settings.STEP_ATTEMPTS


def test_a_worker_lost_again_and_again_fails_the_run_with_a_sentence(begin: Begin, settings) -> None:
    run = begin()
    for _ in range(settings.STEP_ATTEMPTS):
        lose(claimed(run))
        sweep()
    run.refresh_from_db()
    assert run.status == Run.Status.FAILED
    assert run.reason == "The worker was lost 3 times while doing “toy.count”."


def test_a_step_that_refuses_fails_its_run_at_once_with_its_own_words(begin: Begin) -> None:
    run = begin("toy.refuse")
    execute(run.steps.get().pk)
    run.refresh_from_db()
    assert (run.status, run.reason) == (Run.Status.FAILED, "There is nothing to count. Give it a number.")


def test_a_step_that_crashes_is_tried_again_then_fails_its_run(
    begin: Begin, work: Callable[..., int], settings
) -> None:
    run = begin("toy.crash")
    assert work() == settings.STEP_ATTEMPTS
    run.refresh_from_db()
    assert run.status == Run.Status.FAILED
    assert "RuntimeError: out of fingers" in run.reason
    assert run.events.filter(kind="log").count() == settings.STEP_ATTEMPTS


def test_a_kind_of_step_may_have_a_last_resort_that_spares_the_run(
    begin: Begin, work: Callable[..., int]
) -> None:
    run = begin("toy.spared")
    work()
    run.refresh_from_db()
    assert run.status == Run.Status.SUCCEEDED
    assert "out of fingers" in run.events.get(kind="spared").data["reason"]


def test_no_step_of_a_paused_run_begins_and_a_released_one_is_not_counted_as_tried(begin: Begin) -> None:
    run = begin()
    step = claimed(run)
    pause(run)
    step.release()
    assert claim(step.step.pk) is None
    resume(run)
    again = claimed(run)
    assert again.step.attempts == 1


def test_nothing_is_claimed_that_does_not_exist() -> None:
    assert execute(123_456) is False


def test_a_fresh_start_gives_every_leased_step_back(begin: Begin) -> None:
    step = claimed(begin())
    assert release_all() == 1
    assert claim(step.step.pk) is not None


def test_the_sweep_announces_what_was_forgotten_and_leaves_the_rest(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced: list[int] = []
    monkeypatch.setattr(
        "devices.runs.execution.announce_steps", lambda steps: announced.extend(step.pk for step in steps)
    )
    monkeypatch.setattr("devices.runs.announce.messages", lambda queue: 0)
    forgotten, told, paused = begin(), begin(), begin()
    told.steps.update(announced_at=timezone.now())
    pause(paused)
    assert sweep() == 1
    assert announced == [forgotten.steps.get().pk]


def test_what_the_brokers_messages_cover_is_not_announced_once_more(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.runs.announce.messages", lambda queue: 2)
    runs = [begin() for _ in range(3)]
    assert sweep() == 1
    assert [run.steps.get().announced_at is not None for run in runs] == [True, False, False]


def test_a_clock_that_is_set_gives_every_lease_a_new_beginning(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep()
    step, real = claimed(begin()), timezone.now
    for hours in (1, -1):
        monkeypatch.setattr("django.utils.timezone.now", lambda hours=hours: real() + timedelta(hours=hours))
        assert sweep() == 0
        ends = Step.objects.get(pk=step.step.pk).lease_expires_at
        assert ends is not None
        left = ends - timezone.now()
        assert timedelta(0) < left <= timedelta(seconds=30)
    step.check(every_seconds=0)


def test_a_database_that_is_away_for_a_moment_costs_no_step_and_for_a_lease_the_step(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = claimed(begin())
    begun = time.monotonic()

    def away(*_: object, **__: object) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr("devices.runs.steps.connection", OUTSIDE)
    with monkeypatch.context() as gone:
        gone.setattr(ClaimedStep, "_mine", away)
        step.check(every_seconds=0)
        gone.setattr("devices.runs.steps.time.monotonic", lambda: begun + 31)
        with pytest.raises(LeaseLostError):
            step.check(every_seconds=0)
    assert step.check(every_seconds=0).status == Run.Status.RUNNING


def test_a_step_whose_database_went_away_is_given_back_untried(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin("toy.database")
    monkeypatch.setattr("devices.runs.steps.connection", OUTSIDE)
    execute(run.steps.get().pk)
    step = run.steps.get()
    assert (step.status, step.attempts) == (Step.Status.READY, 0)


def test_an_error_of_a_database_that_is_there_counts_as_any_other(
    begin: Begin, work: Callable[..., int], settings
) -> None:
    run = begin("toy.database")
    assert work() == settings.STEP_ATTEMPTS
    run.refresh_from_db()
    assert run.status == Run.Status.FAILED


def test_a_full_disk_is_said_once_and_waited_for(begin: Begin, settings) -> None:
    run = begin("toy.full")
    for _ in range(2 * settings.STEP_ATTEMPTS):
        execute(run.steps.get().pk)
    step = run.steps.get()
    assert (step.status, step.attempts) == (Step.Status.READY, 0)
    run.refresh_from_db()
    assert run.message == "The disk is full. Make room: it goes on by itself, from where it was."
    assert run.events.filter(kind="log").count() == 1
    assert step not in Step.objects.unannounced(timedelta(seconds=30))
    assert step in Step.objects.unannounced(timedelta(seconds=0))


def test_tries_are_counted_from_what_was_saved_last(begin: Begin, settings) -> None:
    run = begin()
    for _ in range(2 * settings.STEP_ATTEMPTS):
        step = claimed(run)
        with step.report(saved=True) as writer:
            writer.event("saved")
        lose(step)
        sweep()
    run.refresh_from_db()
    assert run.status == Run.Status.RUNNING


def test_the_jobs_of_two_people_and_two_jobs_of_one_take_turns(
    begin: Begin, owner: Team, stranger: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = begin()
    study.steps.all().delete()
    models = [begin(parent=study) for _ in range(4)]
    build, other = begin(), begin()
    Run.objects.filter(pk=other.pk).update(owner=stranger.teams.get())
    first = models[0].steps.get().pk
    taken: list[Run] = []
    for _ in range(6):
        step = claim(turns.in_order("light")[0])
        assert step is not None
        taken.append(step.run)
    assert execute_due(first) is False
    assert taken == [models[0], other, build, *models[1:]]


def test_with_one_worker_two_jobs_alternate(begin: Begin) -> None:
    study = begin()
    study.steps.all().delete()
    for _ in range(3):
        begin(parent=study, to=1)
    build = begin(to=3)
    served: list[Run] = []
    while (due := turns.in_order("light")) and len(served) < 10:
        served.append(Step.objects.get(pk=due[0]).run)
        execute(due[0])
    assert [run == build for run in served[:6]] == [False, True] * 3


def test_with_one_worker_two_people_alternate_however_many_jobs_one_has(begin: Begin, stranger: User) -> None:
    for _ in range(3):
        begin(to=1)
    other = begin(to=3)
    Run.objects.filter(pk=other.pk).update(owner=stranger.teams.get())
    served: list[Run] = []
    while due := turns.in_order("light"):
        served.append(Step.objects.get(pk=due[0]).run)
        execute(due[0])
    assert [run == other for run in served] == [False, True] * 3


def test_an_expired_step_of_a_cancelled_run_waits_untried_for_another_try(begin: Begin) -> None:
    run = begin()
    lose(claimed(run))
    cancel(run)
    sweep()
    step = run.steps.get()
    assert (step.status, step.attempts) == (Step.Status.READY, 0)
    assert claim(step.pk) is None


def test_what_a_succeeded_run_left_over_is_dropped(begin: Begin) -> None:
    run = begin()
    step = claimed(run)
    with writing(run.pk) as writer:
        writer.then("toy.count", "more", Step.Queue.LIGHT)
        writer.succeed()
    lose(step)
    sweep()
    assert not run.steps.exists()
