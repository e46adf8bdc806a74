"""Tables of accounts, teams, tokens and notices as files: whole, safe in a spreadsheet, without secrets."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from django.test import Client

from chamnet_web.accounts.models import AuditEntry, Invitation, Membership, Team, User
from chamnet_web.accounts.tokens import AccessToken
from devices.models import DeviceToken
from devices.runs.models import Notice
from devices.services import this_machine

pytestmark = pytest.mark.django_db


def files(client: Client, address: str, table: str) -> list[dict[str, Any]]:
    """A table of a page, as JSON; the CSV has the same lines."""
    asked = {"table": table, "format": "json"}
    records: list[dict[str, Any]] = json.loads(client.get(address, asked).getvalue())
    lines = client.get(address, asked | {"format": "csv"}).getvalue().decode().splitlines()
    assert [list(line) for line in csv.DictReader(lines)] == [list(record) for record in records]
    return records


def test_members_and_invitations_are_files_and_the_latter_are_for_owners(
    signed_in: Client, owner: Team, ada: User, stranger: User
) -> None:
    Membership.objects.create(team=owner, user=stranger, role=Membership.Role.VIEWER)
    _, path = Invitation.issue(team=owner, role="member", note="=HYPERLINK(1)", invited_by=ada)
    assert {(one["name"], one["role"]) for one in files(signed_in, "/team/", "members")} == {
        ("ada", "owner"),
        ("eve", "viewer"),
    }
    (invitation,) = files(signed_in, "/team/", "invitations")
    assert invitation["note"] == "=HYPERLINK(1)"
    text = signed_in.get("/team/", {"table": "invitations", "format": "csv"}).getvalue().decode()
    assert ",'=HYPERLINK(1)," in text, "no spreadsheet runs a note"
    assert path.strip("/").rpartition("/")[2] not in text
    assert Invitation.objects.get().digest not in text

    signed_in.force_login(stranger)
    signed_in.post(f"/teams/{owner.pk}/switch/")
    assert len(files(signed_in, "/team/", "members")) == 2
    assert signed_in.get("/team/", {"table": "invitations", "format": "csv"}).status_code == 404


def test_what_was_done_is_csv_and_json_alike_and_runs_in_no_spreadsheet(
    signed_in: Client, owner: Team, ada: User
) -> None:
    AuditEntry.objects.create(team=owner, user=ada, username="=ada", action="team-rename", path="/team/")
    records = json.loads(signed_in.get("/team/audit.json").getvalue())
    lines = list(csv.DictReader(signed_in.get("/team/audit.csv").getvalue().decode().splitlines()))
    assert len(records) == len(lines) == owner.audit.count()
    named = next(record for record in records if record["who"] == "=ada")
    assert named["action"] == "renamed the team"
    assert any(line["who"] == "'=ada" for line in lines)
    assert signed_in.get("/team/audit.xml").status_code == 404


def test_tokens_are_files_that_open_nothing(signed_in: Client, owner: Team, ada: User) -> None:
    token, secret = AccessToken.issue(user=ada, team=owner, name="notebook", scope="read", expires_at=None)
    (record,) = files(signed_in, "/account/tokens/", "tokens")
    assert (record["name"], record["ending"], record["scope"]) == ("notebook", token.ending, "read")
    assert secret not in json.dumps(record)
    assert token.digest not in json.dumps(record)

    device = this_machine(owner)
    agent, secret = DeviceToken.issue(device)
    (record,) = files(signed_in, f"/devices/{device.pk}/", "tokens")
    assert record["ending"] == agent.ending
    assert secret not in json.dumps(record)
    assert agent.digest not in json.dumps(record)


def test_the_accounts_teams_and_the_last_notices_are_files(signed_in: Client, owner: Team, ada: User) -> None:
    Team.begin(user=ada, name="Another")
    assert [one["team"] for one in files(signed_in, "/account/", "teams")] == [
        one.team.name for one in signed_in.get("/account/").context["memberships"]
    ]
    Notice.objects.create(
        owner=owner,
        channel="webhook",
        target="https://example.com/hook",
        payload={"title": "=1+1"},
        status="sent",
    )
    (record,) = files(signed_in, "/account/notices/", "notices")
    assert (record["about"], record["target"]) == ("=1+1", "https://example.com/hook")
    Membership.objects.filter(team=owner, user=ada).update(role=Membership.Role.VIEWER)
    (record,) = files(signed_in, "/account/notices/", "notices")
    assert record["target"] is None, "a viewer is not told where they went"


@pytest.mark.parametrize(
    ("address", "table"),
    [("/recipes/", "presets"), ("/datasets/", "built-in"), ("/", "recent"), ("/api/", "subject-0")],
)
def test_tables_for_everyone_are_files(signed_in: Client, address: str, table: str) -> None:
    records = files(signed_in, address, table)
    assert records or table == "recent"
    assert signed_in.get(address, {"table": "none", "format": "csv"}).status_code == 404
