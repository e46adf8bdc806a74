from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from chamnet_web.accounts.models import User
from devices.runs.models import Run

Begin = Callable[..., Run]


def act(client: Client, run: Run, action: str) -> int:
    return client.post(reverse("run-action", args=[run.pk, action])).status_code


@pytest.mark.parametrize(
    ("actions", "status"),
    [
        (["pause"], Run.Status.PAUSED),
        (["pause", "resume"], Run.Status.QUEUED),
        (["cancel"], Run.Status.CANCELLED),
        (["cancel", "resume"], Run.Status.CANCELLED),
    ],
)
def test_a_person_pauses_resumes_and_cancels(
    signed_in: Client, begin: Begin, actions: list[str], status: str
) -> None:
    run = begin()
    assert [act(signed_in, run, action) for action in actions] == [302] * len(actions)
    run.refresh_from_db()
    assert run.status == status


def test_stopping_early_is_asked_for(signed_in: Client, begin: Begin) -> None:
    run = begin()
    act(signed_in, run, "stop")
    run.refresh_from_db()
    assert run.stop_requested


def test_actions_need_post_and_must_exist(signed_in: Client, begin: Begin) -> None:
    run = begin()
    assert signed_in.get(reverse("run-action", args=[run.pk, "cancel"])).status_code == 405
    assert act(signed_in, run, "explode") == 404


def test_other_peoples_runs_are_not_found(client: Client, stranger: User, begin: Begin) -> None:
    run = begin()
    client.force_login(stranger)
    assert act(client, run, "cancel") == 404
    assert client.get(reverse("run-log", args=[run.pk])).status_code == 404
    run.refresh_from_db()
    assert run.status == Run.Status.QUEUED


def test_the_log_is_a_text_file(signed_in: Client, begin: Begin) -> None:
    run = begin()
    response = signed_in.get(reverse("run-log", args=[run.pk]))
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "status status=queued" in response.content.decode()


def test_a_team_has_so_many_unfinished_runs_and_is_told_when_it_has_them(
    signed_in: Client, begin: Begin, settings
) -> None:
    settings.TEAM_RUNS = 2
    first = begin()
    begin(parent=first)
    begin()
    answer = signed_in.post(reverse("quickstart"))
    assert answer.status_code == 429
    assert "2 runs are unfinished" in answer.content.decode()
    act(signed_in, first, "cancel")
    assert signed_in.post(reverse("quickstart")).status_code == 302
