"""NUL and halves of characters, which SQLite keeps and PostgreSQL refuses, get nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from chamnet_web.accounts.models import Team
from devices.agents import hello
from devices.models import DeviceToken
from devices.runs.services import start_run
from devices.runs.writing import writing
from devices.services import this_machine
from search.models import Upload

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("address", ["/devices/?contains=%00", "/recipes/a%00b/", "/searches/?page=1%00"])
def test_an_address_that_holds_it_is_refused_in_a_sentence(signed_in: Client, address: str) -> None:
    response = signed_in.get(address)
    assert response.status_code == 400
    assert response.content.decode() == "The address holds the character NUL, which no text has.\n"


def test_a_form_that_holds_it_is_refused_at_its_field(signed_in: Client) -> None:
    response = signed_in.post(reverse("device-new"), {"name": "A\0B"})
    assert "name" in response.context["form"].errors


def test_what_runs_agents_and_browsers_say_is_kept_without_them(
    signed_in: Client, owner: Team, settings: Any, tmp_path: Path
) -> None:
    settings.UPLOAD_ROOT = tmp_path
    run = start_run(owner=owner, kind="search", title="S", first_step="search.generations", queue="light")
    with writing(run.pk) as writer:
        writer.event("log", {"text": "a\0b", "more": [{"c\0": "\0\udcff"}]})
        writer.progress(message="At \0 and \udcff")
        writer.fail("It said \0 and \udcff.")
    data = run.events.get(kind="log").data
    said = json.dumps(data, ensure_ascii=False) + writer.run.reason + writer.run.message
    assert not {"\0", "\udcff"} & set(said)
    assert data["text"] == "a\N{REPLACEMENT CHARACTER}b"

    token, _ = DeviceToken.issue(this_machine(owner))
    hello(token, {"processor": "x\ud800", "load": float("nan")}, [])
    token.refresh_from_db()
    assert token.agent["machine"] == {"processor": "x\N{REPLACEMENT CHARACTER}", "load": None}

    body = json.dumps({"name": "a\0\ud800.zip", "size": 4})
    assert signed_in.post(reverse("uploads"), body, content_type="application/json").status_code == 201
    assert Upload.objects.get().name == "a.zip"
