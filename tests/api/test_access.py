"""Who may ask for what: every operation of the document, with everybody who might come."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from chamnet_web.accounts.models import AccessToken, AuditEntry, Membership, Team, User
from tests.api.conftest import Caller, Scene, body_schema, every, least_body, token_of

pytestmark = pytest.mark.django_db

OWNED = {
    f"{{{name}_id}}"
    for name in ("device", "table", "predictor", "search", "candidate", "cost", "study", "model", "dataset",
                 "upload", "run", "token")
}  # fmt: skip
# Where what is asked for cannot be had of objects that nothing has worked on.
NOT_YET = {
    "download_file": 404, "get_card": 404, "time_model": 409, "try_model": 422, "keep_point": 422,
    "remove_dataset": 409, "refit": 409, "list_samples": 200, "send_piece": 422, "import_table": 422,
}  # fmt: skip


def ask(caller: Caller, scene: Scene, method: str, path: str, operation: dict[str, Any]) -> Any:
    return caller(method, scene.path(path), least_body(operation))


def said(answer: Any) -> dict[str, Any]:
    """The error's body, which has one shape."""
    found: dict[str, Any] = answer.json()
    assert set(found) == {"detail", "problems"}, found
    assert isinstance(found["detail"], str)
    assert found["detail"]
    return found


def test_its_owner_is_answered_by_every_operation(caller: Caller, scene: Scene) -> None:
    reads = [one for one in every() if one[0] == "get"]
    writes = [one for one in every() if one[0] != "get"]
    removals = [one for one in writes if one[0] == "delete"]
    for method, path, operation in [*reads, *[one for one in writes if one not in removals], *removals]:
        answer = ask(caller, scene, method, path, operation)
        name = operation["operationId"]
        allowed = {int(status) for status in operation["responses"]}
        assert answer.status_code in allowed, (name, answer.content)
        if method == "get" or name in NOT_YET:
            assert answer.status_code == NOT_YET.get(name, 200), (name, answer.content)
        else:
            assert answer.status_code in (200, 201, 202, 204, 422), (name, answer.content)
        if answer.status_code >= 400:
            said(answer)


@pytest.mark.parametrize("session", [False, True])
def test_for_others_none_of_it_is_there(other: Caller, stranger: User, scene: Scene, session: bool) -> None:
    if session:
        other.headers = {}
        other.browser.force_login(stranger)
    for method, path, operation in every():
        if not any(name in path for name in OWNED):
            continue
        answer = ask(other, scene, method, path, operation)
        assert answer.status_code == (422 if operation["operationId"] == "send_piece" else 404), path
        said(answer)


def test_lists_of_others_do_not_have_it(other: Caller, scene: Scene) -> None:
    for method, path, operation in every():
        shared = operation["operationId"] in ("list_spaces", "list_recipes", "list_trainable_datasets")
        if method == "get" and "{" not in path and not shared and "estimate" not in path:
            assert other.get(path) == {"items": [], "count": 0, "next": None}, path


@pytest.mark.parametrize("session", [False, True])
def test_a_viewer_reads_and_changes_nothing(caller: Caller, ada: User, scene: Scene, session: bool) -> None:
    Membership.objects.update(role=Membership.Role.VIEWER)
    if session:
        caller.headers = {}
        caller.browser.force_login(ada)
    _reads_only(caller, scene)


def test_a_token_for_reading_changes_nothing(ada: User, scene: Scene) -> None:
    _reads_only(Caller(token_of(ada, "read")), scene)


def _reads_only(caller: Caller, scene: Scene) -> None:
    for method, path, operation in every():
        answer = ask(caller, scene, method, path, operation)
        if method == "get":
            assert answer.status_code == NOT_YET.get(operation["operationId"], 200), (path, answer.content)
        else:
            assert answer.status_code == 403, (path, answer.content)
            said(answer)


@pytest.mark.parametrize("token", [None, "wrong", "", "\N{SNOWMAN}"])
def test_nobody_is_answered_without_a_token_that_is_known(scene: Scene, token: str | None) -> None:
    for method, path, operation in every(but=""):
        answer = ask(Caller(token), scene, method, path, operation)
        assert answer.status_code == 401, path
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        said(answer)


def test_a_devices_token_opens_its_tables_and_what_agents_ask_and_nothing_else(scene: Scene) -> None:
    device = Caller(scene.device_token)
    for method, path, operation in every():
        answer = ask(device, scene, method, path, operation)
        own = path.startswith("/api/v1/tables") and operation["operationId"] not in (
            "list_coverage", "complete_latency_table",
        )  # fmt: skip
        assert (answer.status_code == 401) != own, (path, answer.content)
    assert device.get("/agent/work")["idle"]


def test_an_access_token_is_no_agent(caller: Caller, scene: Scene) -> None:
    for method, path, operation in every(but=""):
        if "/agent/" in path:
            assert ask(caller, scene, method, path, operation).status_code == 401, path


@pytest.mark.parametrize("end", ["revoked", "expired", "left", "team", "person"])
def test_a_token_ends_with_what_it_stands_on(caller: Caller, end: str) -> None:
    caller.get("/devices")
    if end == "revoked":
        AccessToken.objects.get().revoke()
    elif end == "expired":
        AccessToken.objects.update(expires_at=timezone.now())
    elif end == "left":
        Membership.objects.all().delete()
    elif end == "team":
        Team.objects.update(is_active=False)
    else:
        User.objects.update(is_active=False)
    caller.get("/devices", 401)


def test_a_session_needs_the_csrf_token_for_what_changes_something(ada: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)
    assert browser.get("/api/v1/devices").status_code == 200
    answer = browser.post("/api/v1/quickstart", content_type="application/json")
    assert answer.status_code == 403
    assert "CSRF" in said(answer)["detail"]


def test_more_requests_than_allowed_in_a_minute_wait(caller: Caller, other: Caller, settings: Any) -> None:
    settings.API_REQUESTS_PER_MINUTE = 3
    answers = [caller("get", "/devices") for _ in range(8)]
    assert 429 in {answer.status_code for answer in answers}
    refused = answers[-1]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert "requests in a minute" in said(refused)["detail"]
    other.get("/devices")


def test_changes_are_in_the_teams_trail_and_those_of_agents_are_not(caller: Caller, scene: Scene) -> None:
    caller.post("/devices", {"name": "Phone", "kind": "mobile-cpu"})
    assert [entry.action for entry in AuditEntry.objects.all()] == ["by API: register a device"]
    Caller(scene.device_token).post("/agent/hello", {"machine": {}}, 200)
    caller("put", f"/uploads/{scene.objects['upload_id']}?offset=0", {})
    assert AuditEntry.objects.count() == 1


def test_use_of_a_token_is_noted_at_most_once_a_minute(caller: Caller) -> None:
    caller.get("/devices")
    first = AccessToken.objects.get().used_at
    assert first is not None
    caller.get("/devices")
    assert AccessToken.objects.get().used_at == first


def test_a_token_is_made_on_the_accounts_page_shown_once_and_revoked(signed_in: Client) -> None:
    answer = signed_in.post(
        "/account/tokens/", {"name": "notebook", "scope": "read", "days": "30"}, follow=True
    )
    text = answer.context["new_token"]
    assert text in answer.content.decode()
    assert text not in signed_in.get("/account/tokens/").content.decode()
    program = Caller(text)
    program.get("/devices")
    program.post("/quickstart", status=403)
    token = AccessToken.objects.get()
    assert token.digest not in (text, "")
    signed_in.post(f"/account/tokens/{token.pk}/revoke/")
    program.get("/devices", 401)


def test_nobody_revokes_tokens_of_others(signed_in: Client, stranger: User) -> None:
    token, text = AccessToken.issue(user=stranger, team=stranger.teams.get(), name="hers", scope="read")
    assert signed_in.post(f"/account/tokens/{token.pk}/revoke/").status_code == 404
    Caller(text).get("/devices")


def test_the_document_is_openapi_3_1_and_every_operation_says_what_it_does_and_how_it_fails(
    client: Client, signed_in: Client
) -> None:
    found = client.get("/api/v1/openapi.json").json()
    assert found["openapi"].startswith("3.1")
    page = signed_in.get("/api/").content.decode()
    names = []
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            names.append(operation["operationId"])
            assert operation["summary"]
            assert {"401", "403", "429"} <= set(operation["responses"])
            assert f"{method.upper()} {path}" in page
    assert len(names) == len(set(names)) > 60


def test_an_address_that_there_is_none_of_is_said_in_the_same_shape(caller: Caller) -> None:
    assert "no such address" in said(caller("get", "/nothing/here"))["detail"]
    wrong = caller("delete", "/devices")
    assert wrong.status_code == 405
    assert set(wrong.headers["Allow"].split(", ")) == {"GET", "POST"}
    assert "takes" in said(wrong)["detail"]


def test_the_longest_text_that_the_document_allows_is_not_too_large(caller: Caller) -> None:
    def longest(schema: Any) -> int:
        if isinstance(schema, list):
            return max(map(longest, schema), default=0)
        if isinstance(schema, dict):
            return max(longest(list(schema.values())), schema.get("maxLength") or 0)
        return 0

    most = max(longest(body_schema(operation)) for _, _, operation in every(but=""))
    assert most > 10**6
    problems = caller.post("/published", {"name": "P", "csv": "x" * most}, 422)["problems"]
    assert [one for one in problems if one.startswith("csv: ")] == []
    assert "2621440" in caller.post("/published", {"csv": "x" * 2_621_440}, 413)["detail"]
