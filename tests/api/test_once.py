"""Requests that happen once, however often they are sent."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from chamnet_web.accounts.models import OnceKey, User
from devices.models import Device
from tests.api.conftest import Caller, token_of

PHONE = {"name": "Phone", "kind": "mobile-cpu"}
KEY = {"idempotency-key": "one"}
CSV = "key,repeats,minimum_us,p10_us,p50_us,p90_us\nfirst,5,1,2,3,4\n"


@pytest.mark.django_db
def test_the_same_key_and_body_make_one_thing_and_get_one_answer(caller: Caller) -> None:
    first = caller.post("/devices", PHONE, headers=KEY)
    again = caller("post", "/devices", PHONE, **KEY)
    assert (again.status_code, again.json()) == (201, first)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Device.objects.count() == 1


@pytest.mark.django_db
def test_the_same_key_with_another_body_or_address_is_refused(caller: Caller) -> None:
    caller.post("/devices", PHONE, headers=KEY)
    caller.post("/devices", PHONE | {"name": "Other"}, 422, headers=KEY)
    caller.post("/quickstart", PHONE, 422, headers=KEY)
    assert Device.objects.count() == 1


@pytest.mark.django_db
def test_a_file_with_a_key_is_taken_in_once(caller: Caller) -> None:
    device = caller.post("/devices", PHONE)["id"]
    answers = [
        caller.browser.post(
            f"/api/v1/tables?device_id={device}", CSV, content_type="text/csv", headers=caller.headers | KEY
        )
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert caller.get("/tables")["count"] == 1


@pytest.mark.django_db
def test_keys_are_each_persons_own(caller: Caller, other: Caller) -> None:
    mine, theirs = (one.post("/devices", PHONE, headers=KEY)["id"] for one in (caller, other))
    assert mine != theirs


@pytest.mark.django_db
def test_a_key_of_what_was_refused_can_be_used_again(caller: Caller) -> None:
    caller.post("/devices", PHONE | {"threads": 0}, 422, headers=KEY)
    caller.post("/devices", PHONE, headers=KEY)


@pytest.mark.django_db
def test_a_key_is_forgotten_after_a_day(caller: Caller) -> None:
    caller.post("/devices", PHONE, headers=KEY)
    OnceKey.objects.update(created_at=timezone.now() - timedelta(days=1, seconds=1))
    caller.post("/devices", PHONE | {"name": "Other"}, headers=KEY)
    assert OnceKey.objects.count() == 1


@pytest.mark.django_db
def test_a_request_that_is_under_way_is_waited_for_and_one_that_was_killed_is_not(
    caller: Caller,
) -> None:
    caller.post("/devices", PHONE, headers=KEY)
    Device.objects.all().delete()
    OnceKey.objects.update(status=None, content="")
    answer = caller("post", "/devices", PHONE, **KEY)
    assert answer.status_code == 409
    assert "being worked on" in answer.json()["detail"]
    OnceKey.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    caller.post("/devices", PHONE, headers=KEY)


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["x" * 101, "a\tb"])
def test_a_key_that_is_none_is_refused(caller: Caller, key: str) -> None:
    caller.post("/devices", PHONE, 422, headers={"idempotency-key": key})


@pytest.mark.django_db(transaction=True)
def test_of_two_that_come_at_once_one_makes_the_thing(ada: User) -> None:
    text = token_of(ada)
    start, answers = threading.Barrier(4), list[Any]()

    def ask() -> None:
        start.wait(10)
        answers.append(Caller(text)("post", "/devices", PHONE, **KEY))
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert Device.objects.count() == 1
