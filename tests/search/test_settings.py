"""What something was begun with: a file, a form filled in again, and the same thing begun from either."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from chamnet_web.accounts.models import AuditEntry, Team, User
from devices.services import this_machine
from search.forms.reuse import REUSABLE, free_name
from search.models import ImageSet, Predictor, Search
from search.services.catalogue import space_for
from search.services.costs import measure_costs
from search.services.models import start_model
from search.services.searches import FurtherLimit, start_search
from search.services.studies import start_study
from search.services.tables import build_table
from tests.search.world import begin_predictor, best_of, energy_of, roomy_space, table_of

pytestmark = pytest.mark.django_db
Work = Callable[..., int]
World = dict[str, Any]


@pytest.fixture
def world(owner: Team, search: Search, work: Work) -> World:
    """One of everything that a form begins, with settings that are not the form's own."""
    predictor, table = search.predictor, search.table
    assert table is not None
    phone = table_of(owner, roomy_space(), device_name="The phone", slower=3.0)
    energy = energy_of(owner, phone.device, work, space=roomy_space())
    limit, space = search.latency_limit_ms, space_for("chamnet-mobile-small", "digits")
    begun = {
        "search": start_search(
            owner=owner, name="Thrifty", predictor=predictor, table=table, latency_limit_ms=limit,
            population=17, generations=11, seed=5, confidence=0.8, cautious=True, max_parameters=10**6,
            max_file_bytes=400_500, further=[FurtherLimit(phone, 3.5 * limit), FurtherLimit(energy, 9000.0)],
        ),
        "predictor": begin_predictor(
            owner, name="Begun", space=space, budget=13, initial=5, seed=7, stop_error=0.015, stop_minutes=9,
        ),
        "study": start_study(
            owner=owner, name="Claim", predictor=predictor, table=table, recipe="seconds-final", seeds=2,
            limits=[round(limit, 4), round(2 * limit, 4)], confidence=0.9, population=8, generations=3,
        ),
        "model": start_model(owner=owner, network=best_of(search), recipe="seconds-final", seed=4),
        "table": build_table(device=this_machine(owner), space=space),
        "cost": measure_costs(
            owner=owner, device=this_machine(owner), space=space,
            quantity="latency", budget=14,
        ),
    }  # fmt: skip
    for row in begun.values():
        row.run.steps.all().delete()
        row.refresh_from_db()
    return begun


def form_of(response: Any) -> Any:
    """The form of a page that something begins with."""
    names = ("train_form", "table_form", "measure_form", "form")
    return next(response.context[name] for name in names if name in response.context)


def as_sent(form: Any) -> dict[str, Any]:
    """What a browser sends for a form that is left as it came."""
    data: dict[str, Any] = {}
    forms = [form]
    if hasattr(form, "limits"):
        forms += [form.limits.management_form, *form.limits]
    for one in forms:
        for field in one:
            value = field.value()
            if value not in (None, "", False):
                data[field.html_name] = "on" if value is True else str(value)
    return data


def settings_of(kind: str, row: Any) -> dict[str, Any]:
    found = REUSABLE[kind].settings(row)
    return {name: value for name, value in found.items() if name != "name"}


def download(client: Client, kind: str, row: Any) -> dict[str, Any]:
    response = client.get(reverse("settings-file", args=[kind, row.pk]))
    assert response.headers["Content-Disposition"].startswith("attachment")
    found: dict[str, Any] = json.loads(response.content)
    return found


def upload(client: Client, address: str, content: Any) -> Any:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    file = SimpleUploadedFile("settings.json", text, "application/json")
    return client.post(address, {"fill": "1", "settings_file": file})


@pytest.mark.parametrize("way", ["like", "file"])
@pytest.mark.parametrize("kind", ["search", "predictor", "study", "model", "table", "cost"])
@pytest.mark.usefixtures("tiny_recipes")
def test_the_same_is_begun_again_from_a_link_and_from_a_file(
    world: World, signed_in: Client, kind: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = world[kind]
    monkeypatch.setattr("search.forms.searches.latency_range", lambda *args: (1e-9, 1e9))
    monkeypatch.setattr("search.forms.studies.latency_range", lambda *args: (1e-9, 1e9))
    address = row.form_url.partition("?")[0]
    post_to = {"table": f"{address}tables/new/", "model": f"{address}train/"}.get(kind, address)
    if way == "like":
        response = signed_in.get(row.form_url)
    else:
        response = upload(signed_in, post_to, download(signed_in, kind, row))
    assert response.status_code == 200
    begun = AuditEntry.objects.exclude(action="signed-in")
    assert not begun.exists(), "a form that is filled in begins nothing"
    assert response.context["start"].problems == ()
    form = form_of(response)
    if "name" in form.fields:
        assert form["name"].value() == f"{row.name} 2"
    response = signed_in.post(post_to, as_sent(form))
    assert response.status_code == 302, response.context["form"].errors
    made = type(row).objects.get(pk=response.headers["Location"].strip("/").split("/")[-1])
    assert made.pk != row.pk
    assert settings_of(kind, made) == settings_of(kind, row)


def test_every_setting_of_a_form_is_in_its_file(world: World, signed_in: Client, owner: Team) -> None:
    world["dataset"] = ImageSet(owner=owner, name="Photographs", origin="photographs.zip", source="upload")
    for kind, reusable in REUSABLE.items():
        form = reusable.form(owner=owner)
        names = {name for name in form.fields if name not in reusable.apart}
        names |= {reusable.formset} - {""}
        assert set(reusable.settings(world[kind])) == names, kind


def test_the_file_says_by_meaning_what_was_chosen(world: World, signed_in: Client) -> None:
    search = world["search"]
    found = download(signed_in, "search", search)
    assert (found["version"], found["kind"]) == (1, "search")
    settings = found["settings"]
    assert settings["predictor"] == {"id": str(search.predictor_id), "name": search.predictor.name}
    assert (settings["seed"], settings["max_file_kb"]) == (5, 400.5)
    assert [row["of"]["name"] for row in settings["limits"]] == [
        str(limit.table or limit.cost) for limit in search.further_limits.all()
    ]
    assert download(signed_in, "model", world["model"])["about"]["candidate"]["name"]


def test_the_page_shows_the_settings_and_where_they_lead(world: World, signed_in: Client) -> None:
    for kind, row in world.items():
        page = signed_in.get(row.get_absolute_url()).content.decode()
        assert "New with these settings" in page, kind
        assert row.form_url in page
        assert reverse("settings-file", args=[kind, row.pk]) in page


def test_a_thing_of_the_same_name_stands_in_for_one_of_another_installation(
    world: World, signed_in: Client
) -> None:
    content = download(signed_in, "search", world["search"])
    content["settings"]["predictor"]["id"] = "0" * 32
    response = upload(signed_in, reverse("search-new"), content)
    assert response.context["form"]["predictor"].value() == world["search"].predictor_id


def test_what_cannot_be_taken_is_said_and_the_rest_is_filled_in(world: World, signed_in: Client) -> None:
    content = download(signed_in, "search", world["search"])
    content["settings"] |= {
        "predictor": {"id": "x", "name": "Of elsewhere"},
        "population": 1,
        "cautious": "perhaps",
        "colour": "red",
    }
    content["settings"]["limits"][0]["of"] = {"id": "table:x", "name": "A lost phone"}
    response = upload(signed_in, reverse("search-new"), content)
    assert response.context["form"]["seed"].value() == 5
    assert len(response.context["form"].limits.initial) == 1
    page = response.content.decode()
    for sentence in (
        "Predictor: “Of elsewhere” is not among what you can choose here.",
        "Prefer accuracy that is sure: It is either true or false.",
        "Population: Ensure this value is greater than or equal to 4.",
        "“colour” is no setting of this form; it was left aside.",
        "“A lost phone” is not among what you can choose here.",
    ):
        assert sentence in page


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"not json", "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        ([], "it has no settings"),
        ({"version": 2, "kind": "search", "settings": {}}, "only version 1 is read"),
        ({"version": 1, "kind": "study", "settings": {}}, "These are settings of a study"),
        ({"version": 1, "kind": "search", "settings": {"limits": 3}}, "not a list of settings"),
        (b" " * 1_000_001, "larger than 1 MB"),
    ],
)
def test_a_file_that_is_none_is_refused_with_a_sentence(
    signed_in: Client, content: Any, sentence: str
) -> None:
    response = upload(signed_in, reverse("search-new"), content)
    assert response.status_code == 200
    assert sentence in response.content.decode()


def test_without_a_file_the_form_asks_for_one(signed_in: Client) -> None:
    response = signed_in.post(reverse("study-new"), {"fill": "1"})
    assert "Choose a settings file first." in response.content.decode()


def test_other_peoples_settings_are_not_found(world: World, client: Client, stranger: User) -> None:
    client.force_login(stranger)
    for kind, row in world.items():
        assert client.get(reverse("settings-file", args=[kind, row.pk])).status_code == 404
    assert client.get(world["search"].form_url).status_code == 404
    assert client.get(f"{reverse('search-new')}?like=nonsense").status_code == 404
    assert client.get("/settings/colour/00000000-0000-0000-0000-000000000000.json").status_code == 404


def test_an_imported_thing_has_no_form_that_began_it(signed_in: Client, search: Search) -> None:
    Predictor.objects.filter(pk=search.predictor_id).update(origin="imported")
    page = signed_in.get(search.predictor.get_absolute_url()).content.decode()
    assert "New with these settings" not in page


@pytest.mark.parametrize(
    ("taken", "name", "free"),
    [
        ([], "Digits", "Digits"),
        (["Digits"], "Digits", "Digits 2"),
        (["Digits", "Digits 2"], "Digits 2", "Digits 3"),
        (["Digits", "Digits 2"], "Digits", "Digits 3"),
        (["ResNet 50"], "ResNet 50", "ResNet 50 2"),
        (["n" * 80], "n" * 80, "n" * 72 + " 2"),
    ],
)
def test_a_copy_has_a_name_of_its_own(owner: Team, taken: list[str], name: str, free: str) -> None:
    for one in taken:
        begin_predictor(owner, name=one)
    assert free_name(Predictor.objects.filter(owner=owner), name) == free
