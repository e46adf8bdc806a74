"""Events, steps and status land together, in order, or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from chamnet_web.accounts.models import Team
from devices.runs.models import Run, Step
from devices.runs.queries import events_after, log_lines
from devices.runs.services import cancel, pause, resume, start_run, stop_early
from devices.runs.steps import claim
from devices.runs.writing import finite, writing

pytestmark = pytest.mark.django_db
Begin = Callable[..., Run]


def sequence(run: Run) -> list[int]:
    return list(run.events.order_by("seq").values_list("seq", flat=True))


@pytest.mark.django_db(transaction=True)
def test_many_writers_number_the_events_without_a_gap_or_a_double(begin: Begin) -> None:
    run = begin()
    before = len(sequence(run))

    def write(worker: int) -> None:
        try:
            for number in range(10):
                with writing(run.pk) as writer:
                    writer.event("note", {"worker": worker, "number": number})
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert sequence(run) == list(range(1, before + 41))
    for worker in range(4):
        notes = [event.data for event in events_after(run.pk, before) if event.data.get("worker") == worker]
        assert [note["number"] for note in notes] == list(range(10))


def test_a_title_of_long_names_is_cut_to_its_room(owner: Team) -> None:
    title = f"Model of {'s' * 80}, {'w' * 40} timed on {'d' * 80}"
    run = start_run(owner=owner, kind="toy", title=title, first_step="toy.count", queue=Step.Queue.LIGHT)
    run.refresh_from_db()
    assert run.title == f"{title[:199]}…"


def test_a_writer_that_fails_leaves_nothing(begin: Begin) -> None:
    run = begin()
    before = sequence(run)

    def write_and_fail() -> None:
        with writing(run.pk) as writer:
            writer.event("note")
            writer.then("toy.count", "more", Step.Queue.LIGHT)
            writer.progress(done=2)
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        write_and_fail()
    run.refresh_from_db()
    assert sequence(run) == before
    assert (run.steps.count(), run.done) == (1, 0)


def test_the_same_step_is_never_added_twice(begin: Begin) -> None:
    run = begin()
    for _ in range(2):
        with writing(run.pk) as writer:
            writer.then("toy.count", "more", Step.Queue.LIGHT, {"number": 1})
    assert run.steps.filter(name="more").count() == 1


def test_numbers_that_json_does_not_have_become_null() -> None:
    assert finite({"a": [1.0, math.nan, (math.inf, "x")], "b": {"c": -math.inf}}) == {
        "a": [1.0, None, [None, "x"]],
        "b": {"c": None},
    }


def test_hints_are_sent_after_the_commit_and_only_then(
    begin: Begin, django_capture_on_commit_callbacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin()
    hints: list[str] = []
    monkeypatch.setattr("devices.runs.writing.nudge_watchers", lambda run_id: hints.append("nudge"))
    monkeypatch.setattr("devices.runs.writing.announce_steps", lambda steps: hints.append("announce"))
    with django_capture_on_commit_callbacks(execute=True):
        with writing(run.pk) as writer:
            writer.then("toy.count", "more", Step.Queue.LIGHT)
            writer.event("note")
        assert hints == []
    assert hints == ["nudge", "announce"]


def test_a_final_status_stays(begin: Begin) -> None:
    run = begin()
    cancel(run)
    for act in (pause, resume, cancel, stop_early):
        act(run)
    with writing(run.pk) as writer:
        writer.succeed()
        writer.fail("no")
        writer.then("toy.count", "more", Step.Queue.LIGHT)
    run.refresh_from_db()
    assert run.status == Run.Status.CANCELLED
    assert run.events.filter(kind="status").count() == 2  # queued, cancelled
    assert not any(claim(step.pk) for step in run.steps.all())


def test_cancelling_a_run_cancels_what_it_started(begin: Begin) -> None:
    parent = begin()
    child = begin(parent=parent)
    cancel(parent)
    child.refresh_from_db()
    assert child.status == Run.Status.CANCELLED


def test_the_end_of_a_run_makes_its_parent_go_on(
    begin: Begin, work: Callable[..., int], django_capture_on_commit_callbacks
) -> None:
    parent = begin()
    parent.steps.all().delete()
    child = begin(parent=parent, to=1)
    with django_capture_on_commit_callbacks(execute=True):
        work()
    work()
    parent.refresh_from_db()
    assert parent.status == Run.Status.SUCCEEDED
    assert parent.events.get(kind="advanced").data == {"child": str(child.pk)}


def test_a_stop_is_asked_for_once(begin: Begin) -> None:
    run = begin()
    stop_early(run)
    stop_early(run)
    run.refresh_from_db()
    assert run.stop_requested
    assert run.events.filter(kind="stop-requested").count() == 1


def test_the_log_is_a_line_an_event(begin: Begin) -> None:
    run = begin()
    with writing(run.pk) as writer:
        writer.event("note", {"text": "hello", "points": [1, 2]})
    lines = log_lines(run)
    assert len(lines) == 2
    assert lines[-1].endswith("note text=hello")
