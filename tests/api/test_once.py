"""Requests that happen once, however often they are sent."""

from __future__ import annotations

import json
import tarfile
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from chamnet_web.accounts.models import AuditEntry, OnceKey, User
from devices.models import Device, DeviceToken
from search.services import disk
from search.services.backup import write_backup
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
def test_a_devices_token_has_keys_too(caller: Caller) -> None:
    device = caller.post("/devices", PHONE)["id"]
    agent = Caller(caller.post(f"/devices/{device}/tokens")["text"])
    for _ in range(2):
        answer = agent.browser.post(
            "/api/v1/tables", CSV, content_type="text/csv", headers=agent.headers | KEY
        )
        assert answer.status_code == 201, answer.content
    assert answer.headers["Idempotent-Replayed"] == "true"
    assert caller.get("/tables")["count"] == 1
    theirs = f"/api/v1/tables?device_id={device}"
    caller.browser.post(theirs, CSV, content_type="text/csv", headers=caller.headers | KEY)
    assert caller.get("/tables")["count"] == 2


@pytest.mark.django_db
def test_what_is_told_once_is_stored_nowhere(caller: Caller) -> None:
    address = f"/devices/{caller.post('/devices', PHONE)['id']}/tokens"
    first, again = (caller.post(address, headers=KEY) for _ in range(2))
    assert first["text"]
    assert again == first | {"text": None}
    assert not OnceKey.objects.filter(content__contains=first["text"]).exists()
    assert DeviceToken.objects.count() == 1


@pytest.mark.django_db
def test_an_answer_of_before_is_for_those_who_are_let_in(caller: Caller, ada: User, settings: Any) -> None:
    caller.post("/devices", PHONE, headers=KEY)
    assert "only read" in Caller(token_of(ada, "read")).post("/devices", PHONE, 403, headers=KEY)["detail"]
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)
    options: dict[str, Any] = {"data": PHONE, "content_type": "application/json", "headers": KEY}
    assert browser.post("/api/v1/devices", **options).status_code == 403
    settings.API_REQUESTS_PER_MINUTE = 2
    caller.post("/devices", PHONE, headers=KEY)
    refused = caller("post", "/devices", PHONE, **KEY)
    assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
    assert AuditEntry.objects.filter(action__contains="register").count() == 1


@pytest.mark.django_db
def test_a_request_with_a_key_counts_once(caller: Caller, settings: Any) -> None:
    settings.API_REQUESTS_PER_MINUTE = 2
    for key in ("first", "second"):
        caller.post("/devices", PHONE | {"name": key}, headers={"idempotency-key": key})
    caller.post("/devices", PHONE | {"name": "third"}, 429, headers={"idempotency-key": "third"})


@pytest.mark.django_db
def test_content_is_taken_for_what_it_is_whatever_it_is_called(caller: Caller) -> None:
    for headers in ({}, KEY, KEY):
        answer = caller.browser.post(
            "/api/v1/devices",
            json.dumps(PHONE | {"name": f"Phone {len(headers)}"}),
            content_type="application/x-www-form-urlencoded",
            headers=caller.headers | headers,
        )
        assert answer.status_code == 201, answer.content
    assert Device.objects.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize("headers", [{}, KEY], ids=["without a key", "with a key"])
def test_a_form_in_parts_is_no_json(ada: User, settings: Any, headers: dict[str, str]) -> None:
    browser, csrf = Client(enforce_csrf_checks=True), "a" * 32
    browser.force_login(ada)
    browser.cookies[settings.CSRF_COOKIE_NAME] = csrf
    answer = browser.post("/api/v1/devices", PHONE, headers=headers | {"x-csrftoken": csrf})
    assert answer.status_code == 400
    assert "not the JSON" in answer.json()["detail"]


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
    caller.post("/devices", PHONE | {"name": "Third"}, headers={"idempotency-key": "two"})
    OnceKey.objects.filter(key="one").update(created_at=timezone.now() - timedelta(days=1, seconds=1))
    assert disk.prune()["request keys"] == 1
    assert OnceKey.objects.get().key == "two"


@pytest.mark.django_db(transaction=True)
def test_a_backup_has_no_answers(caller: Caller, tmp_path: Path) -> None:
    caller.post("/devices", PHONE, headers=KEY)
    write_backup(tmp_path / "backup.tar")
    with tarfile.open(tmp_path / "backup.tar") as archive:
        names = archive.getnames()
    assert "rows/devices.device" in names
    assert not [name for name in names if "oncekey" in name]


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
