"""Every address of the application, asked by nobody, by somebody of another team and by a viewer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from chamnet_web.accounts.audit import UNTOLD, WORDS
from chamnet_web.accounts.middleware import OWN_ACCOUNT
from chamnet_web.accounts.models import Invitation, Membership, Team, User
from devices.models import DeviceToken
from search.services.catalogue import name_recipe
from search.services.datasets import begin_upload, inspect_built_in
from search.services.models import start_model
from search.services.quickstart import start_quickstart
from search.services.studies import start_study
from search.training.recipes import Recipe
from tests.search.world import best_of, energy_of, predictor_of, search_of, table_of

pytestmark = pytest.mark.django_db

# What somebody without an account reaches.
PUBLIC = frozenset(
    {"health/live", "health/ready", "metrics", "sign-in", "second-factor", "join", "agent-program"}
)
# Parameters that name no object of a team, and what they can be.
WORDS_OF_ADDRESSES = {
    "action": "pause", "ending": "json", "file_format": "csv", "index": 0, "kind": "search", "rank": 1,
    "name": "digits", "secret": "nonsense", "slug": "searches",
}  # fmt: skip
# What a viewer is not shown at once: it wants a query, a file that a training leaves, or an owner.
NO_PAGE = frozenset(
    {"compare-file", "dataset-samples", "model-card", "model-file", "run", "search-span", "table-compare",
     "team-audit"}
)  # fmt: skip


@dataclass(frozen=True)
class Address:
    """One address with objects of Ada's team in it. `named` are the parameters that name objects."""

    name: str
    path: str
    named: frozenset[str] = field(default_factory=frozenset)


def patterns(resolver: Any = None, before: str = "") -> Iterator[tuple[str, str, URLPattern]]:
    """Name, route and pattern of everything below, without the API, which has tokens and tests of its own."""
    for one in (resolver or get_resolver()).url_patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLPattern):
            yield one.name or route, route, one
        elif not route.startswith("api/"):
            yield from patterns(one, route)


@pytest.fixture
def objects(ada: User, owner: Team, work: Callable[..., int], tmp_path: Any, settings: Any) -> dict[str, Any]:
    """One object of Ada's team for every parameter that names one."""
    settings.UPLOAD_ROOT = tmp_path
    table = table_of(owner)
    predictor = predictor_of(owner, work)
    search = search_of(owner, predictor, table, work)
    candidate = best_of(search)
    token, _ = DeviceToken.issue(table.device)
    invitation, _ = Invitation.issue(team=owner, role="viewer", note="", invited_by=ada)
    energy = energy_of(owner, table.device, work)
    study = start_study(
        owner=owner, name="Study", predictor=predictor, table=table, recipe="seconds-final",
        limits=[candidate.latency_ms], seeds=3, confidence=0.9, population=24, generations=12,
    )  # fmt: skip
    return {
        "candidate_id": candidate.pk,
        "cost_id": energy.pk,
        "dataset_id": inspect_built_in(owner, "digits").pk,
        "device_id": table.device_id,
        "invitation_id": invitation.pk,
        "membership_id": ada.memberships.get().pk,
        "model_id": start_model(owner=owner, network=candidate, recipe="seconds-final", seed=0).pk,
        "object_id": search.pk,
        "predictor_id": predictor.pk,
        "recipe_id": name_recipe(owner, "my recipe", Recipe(epochs=2, learning_rate=0.1)).recipe_id,
        "run_id": search.run_id,
        "quickstart": start_quickstart(owner=owner).run_id,
        "search_id": search.pk,
        "study_id": study.pk,
        "table_id": table.pk,
        "team_id": owner.pk,
        "token_id": token.pk,
        "upload_id": begin_upload(owner, "holidays.zip", 900_000).pk,
    }


@pytest.fixture
def addresses(objects: dict[str, Any]) -> list[Address]:
    """All of them. A parameter that is not known here fails: say above what it stands for."""
    known = objects | WORDS_OF_ADDRESSES
    found = []
    for name, route, pattern in patterns():
        parameters = pattern.pattern.converters
        unknown = parameters.keys() - known.keys()
        assert not unknown, f"{route}: say in this test what {', '.join(unknown)} can be"
        values = {key: known[key] for key in parameters}
        if name == "quickstart-run":
            values["run_id"] = objects["quickstart"]
        path = reverse(name, kwargs=values) if pattern.name else f"/{route}"
        found.append(Address(name, path, frozenset(parameters.keys() & objects.keys())))
    return found


def test_nobody_without_an_account_sees_anything(addresses: list[Address]) -> None:
    client, seen = Client(), {}
    for one in addresses:
        if one.name in PUBLIC:
            continue
        for method in (client.get, client.post):
            answer = method(one.path)
            away = answer.status_code == 302 and answer.headers["Location"].startswith(reverse("sign-in"))
            if not away and answer.status_code not in (403, 404, 405):
                seen[one.path] = answer.status_code
    assert seen == {}


def test_for_another_team_its_objects_do_not_exist(addresses: list[Address], stranger: User) -> None:
    client, seen = Client(), {}
    client.force_login(stranger)
    for one in addresses:
        if not one.named:
            continue
        for method in (client.get, client.post):
            if (status := method(one.path).status_code) not in (404, 405):
                seen[one.path] = status
    assert seen == {}


def test_a_viewer_looks_at_everything_and_changes_nothing(addresses: list[Address], owner: Team) -> None:
    viewer = User.objects.create_user("grace", password="a long pass phrase", invited=True)
    Membership.objects.create(team=owner, user=viewer, role="viewer")
    client, changed, hidden = Client(), {}, {}
    client.force_login(viewer)
    for one in addresses:
        if one.name in PUBLIC | OWN_ACCOUNT:
            continue
        if (status := client.post(one.path).status_code) not in (403, 405):
            changed[one.path] = status
        if one.name not in NO_PAGE and (status := client.get(one.path).status_code) not in (200, 405):
            hidden[one.path] = status
    assert changed == {}
    assert hidden == {}


def test_whatever_is_posted_has_words_in_the_audit_trail(addresses: list[Address], ada: User) -> None:
    told = WORDS.keys() | UNTOLD
    client = Client()
    client.force_login(ada)
    # A sign-in is told of by a signal, not by an address.
    assert WORDS.keys() - {one.name for one in addresses} == {"signed-in", "signed-out"}
    silent = {
        one.name
        for one in addresses
        if one.name not in told | PUBLIC and client.post(one.path).status_code != 405
    }
    assert silent == set()
