"""Every page: for its owner alone, with and without content, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chamnet_web.accounts.models import Team, User
from devices.runs.models import Run
from devices.runs.services import start_run
from devices.runs.writing import writing
from devices.services import this_machine
from search.lists import SAMPLES
from search.models import ModelTiming, Search, TrainedModel
from search.services.models import start_model
from search.services.quickstart import begin_next_stage, limit_between, start_quickstart
from search.services.searches import start_search
from search.services.tables import build_table
from tests.search.world import begin_predictor, best_of, finish, predictor_of, tiny_space

pytestmark = pytest.mark.django_db
Work = Callable[..., int]

LISTS = [
    "overview",
    "devices",
    "device-new",
    "predictors",
    "predictor-new",
    "searches",
    "search-new",
    "explore",
    "comparison",
    "models",
    "runs",
    "tables",
    "costs",
    "datasets",
    "dataset-new",
    "studies",
    "study-new",
    "recipes",
    "recipe-new",
    "help",
    "help-terms",
]


def begun(owner: Team) -> list[str]:
    """Addresses of objects whose work has not begun."""
    table = build_table(device=this_machine(owner), space=tiny_space())
    predictor = begin_predictor(owner, name="Begun")
    quickstart = start_quickstart(owner=owner)
    return [
        table.get_absolute_url(),
        predictor.get_absolute_url(),
        reverse("quickstart-run", args=[quickstart.run_id]),
    ]


def finished(search: Search, owner: Team) -> list[str]:
    """Addresses of everything a finished search stands on and leads to."""
    candidate = best_of(search)
    model = start_model(owner=owner, network=candidate, recipe="seconds-final", seed=0)
    pages = [search.table.device, search.latency_source, search.predictor, search, candidate, model]
    return [
        *(page.get_absolute_url() for page in pages),
        reverse("table-export", args=[search.table_id, "csv"]),
        reverse("predictor-csv", args=[search.predictor_id]),
        reverse("search-csv", args=[search.pk]),
        reverse("search-json", args=[search.pk]),
        reverse("search-rows", args=[search.pk]),
        reverse("search-populations", args=[search.pk]),
        reverse("candidate-glance", args=[search.pk, 1]),
        reverse("run-log", args=[search.run_id]),
    ]


def test_every_page_needs_sign_in(client: Client, search: Search, owner: Team) -> None:
    addresses = [*map(reverse, LISTS), *begun(owner), *finished(search, owner)]
    for address in addresses:
        response = client.get(address)
        assert (response.status_code, response.headers.get("Location")) == (302, f"/sign-in/?next={address}")


def test_every_page_shows_to_its_owner_and_to_nobody_else(
    client: Client, search: Search, owner: Team, ada: User, stranger: User
) -> None:
    lists, objects = [*map(reverse, LISTS)], [*begun(owner), *finished(search, owner)]
    client.force_login(ada)
    assert {address: client.get(address).status_code for address in lists + objects} == dict.fromkeys(
        lists + objects, 200
    )
    client.force_login(stranger)
    assert {address: client.get(address).status_code for address in objects} == dict.fromkeys(objects, 404)
    for address in lists:
        assert "Half way" not in client.get(address).content.decode()


def test_forms_refuse_a_post_without_their_token(ada: User, search: Search) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada)
    for address in ("/devices/new/", "/predictors/new/", "/searches/new/", "/quickstart/"):
        assert strict.post(address, {}).status_code == 403


def test_nothing_of_other_peoples_can_be_acted_on(client: Client, stranger: User, search: Search) -> None:
    client.force_login(stranger)
    for name, key in (
        ("table-new", search.table.device_id),
        ("model-new", best_of(search).pk),
    ):
        assert client.post(reverse(name, args=[key]), {}).status_code == 404


def test_an_empty_overview_offers_quick_start_and_each_step_by_hand(signed_in: Client) -> None:
    page = signed_in.get("/").content.decode()
    assert "Quick start" in page
    assert reverse("device-new") in page


def test_quick_start_is_begun_once(signed_in: Client) -> None:
    first, second = (signed_in.post("/quickstart/").headers["Location"] for _ in range(2))
    assert first == second
    assert signed_in.get(first, follow=True).status_code == 200
    assert Run.objects.filter(kind="quickstart").count() == 1


def test_each_stage_of_quick_start_shows(
    signed_in: Client, owner: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.services.quickstart.space_for", tiny_space)
    quickstart = start_quickstart(owner=owner)
    with writing(quickstart.run_id) as writer:
        begin_next_stage(writer, quickstart)
    page = signed_in.get(reverse("quickstart-run", args=[quickstart.run_id]))
    assert quickstart.table is not None
    assert quickstart.table.run.get_absolute_url() in page.content.decode()


def test_a_run_leads_to_what_it_works_on(signed_in: Client, search: Search, owner: Team) -> None:
    for run in Run.objects.all():
        assert signed_in.get(run.get_absolute_url(), follow=True).status_code == 200
    orphan = start_run(
        owner=owner, kind="search", title="Orphan", first_step="search.generations", queue="light"
    )
    assert signed_in.get(orphan.get_absolute_url()).status_code == 404


def test_a_failed_run_says_why_on_its_page(signed_in: Client, owner: Team) -> None:
    table = build_table(device=this_machine(owner), space=tiny_space())
    with writing(table.run_id) as writer:
        writer.fail("The worker was lost 3 times. Start the table again.")
    page = signed_in.get(table.get_absolute_url()).content.decode()
    assert "The worker was lost 3 times. Start the table again." in page


@pytest.mark.parametrize("address", ["/", "/predictors/", "/searches/", "/models/", "/devices/"])
def test_lists_take_as_many_queries_for_many_rows_as_for_few(
    signed_in: Client, owner: Team, search: Search, address: str
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert signed_in.get(address).status_code == 200
        return len(captured)

    def add(number: int) -> None:
        build_table(device=this_machine(owner), space=tiny_space())
        begin_predictor(owner, name=f"P{number}")
        start_search(
            owner=owner,
            name=f"S{number}",
            predictor=search.predictor,
            table=search.latency_source,
            latency_limit_ms=1.0,
            population=8,
            generations=2,
            seed=0,
        )
        start_model(owner=owner, network=best_of(search), recipe="seconds-final", seed=number)

    add(0)
    few = queries()
    for number in range(1, 6):
        add(number)
    assert queries() == few


def test_a_table_of_operators_is_filtered_sorted_and_paged(signed_in: Client, search: Search) -> None:
    address = search.table.get_absolute_url()
    some = signed_in.get(address, {"q": "depthwise"})
    assert {entry.operator.kind for entry in some.context["listed"].page} == {"depthwise"}
    slowest = signed_in.get(address, {"sort": "-minimum_us"}).context["listed"].page
    times = [entry.minimum_us for entry in slowest]
    assert times == sorted(times, reverse=True)
    assert signed_in.get(address, {"sort": "password", "page": "999"}).status_code == 200
    nothing = signed_in.get(address, {"q": "<b>bold"}).content.decode()
    assert "has “&lt;b&gt;bold” in it" in nothing
    assert "<b>bold" not in nothing


def test_a_predictors_page_has_the_learning_curves_of_the_samples_it_lists(
    signed_in: Client, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.views.predictors.SAMPLES", replace(SAMPLES, per_page=5))
    address = search.predictor.get_absolute_url()
    with CaptureQueriesContext(connection) as few:
        curves = signed_in.get(address).context["state"]["curves"]
    assert [curve["index"] for curve in curves] == [11, 10, 9, 8, 7]
    assert all(len(curve["losses"]) == 6 for curve in curves)
    monkeypatch.setattr("search.views.predictors.SAMPLES", SAMPLES)
    with CaptureQueriesContext(connection) as many:
        assert len(signed_in.get(address).context["state"]["curves"]) == 12
    assert len(many) == len(few)


def test_the_overview_shows_the_way_until_a_model_is_there(
    signed_in: Client, owner: Team, search: Search
) -> None:
    way = signed_in.get("/").context["way"]
    assert way["next"] == "model"
    assert all(way["done"][step] for step in ("device", "table", "predictor", "search"))
    assert "The way to your first file" in signed_in.get("/").content.decode()
    model = start_model(owner=owner, network=best_of(search), recipe="seconds-final", seed=0)
    finish(model.run)
    assert "The way to your first file" not in signed_in.get("/").content.decode()


@pytest.mark.parametrize(
    ("address", "step"), [("/devices/", 1), ("/predictors/", 3), ("/searches/", 4), ("/models/", 5)]
)
def test_an_empty_page_says_where_it_stands_on_the_way(signed_in: Client, address: str, step: int) -> None:
    page = signed_in.get(address).content.decode()
    assert f"Step {step} of 5" in page
    assert page.count('aria-current="step"') == 1
    assert "<strong>Costs</strong>" in page


def test_csv_files_name_every_hyperparameter(signed_in: Client, search: Search) -> None:
    names = [gene.name for gene in search.predictor.space.load().genes]
    for address in (
        f"/predictors/{search.predictor_id}/samples.csv",
        f"/searches/{search.pk}/candidates.csv",
    ):
        head, *rows = signed_in.get(address).getvalue().decode().splitlines()
        assert set(names) <= set(head.split(","))
        assert rows


def test_pages_carry_their_content_security_policy(signed_in: Client) -> None:
    policy = signed_in.get("/").headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy or "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]


def test_published_networks_stand_on_the_searchs_chart(
    signed_in: Client, search: Search, stranger: User
) -> None:
    address = reverse("search-published", args=[search.pk])
    lines = b"model,top1,a_ms,b_ms\nnet,71.8,73.8,60\nsmall,65,28,20\n"

    def sent(name: str, **more: str) -> Any:
        return signed_in.post(address, {"name": name, "file": SimpleUploadedFile("x.csv", lines)} | more)

    refused = sent("Others")
    assert refused.status_code == 422
    assert "name one of a_ms, b_ms" in refused.content.decode()
    shown = sent("Others", latency="a_ms").headers["Location"]
    page = signed_in.get(shown).content.decode()
    assert "Others, 2 networks" in page
    assert '["net", 0.718, 73.8]' in page
    assert "Your team already has" in sent("Others", latency="a_ms").content.decode()
    signed_in.force_login(stranger)
    assert signed_in.get(shown).status_code == 404
    assert signed_in.post(address).status_code == 404


def test_a_predictors_best_sample_needs_no_script(signed_in: Client, owner: Team, work: Work) -> None:
    predictor = predictor_of(owner, work)
    best = max(row.sample.accuracy or 0.0 for row in predictor.proposals.select_related("sample"))
    page = signed_in.get(predictor.get_absolute_url()).content.decode()
    assert f"data-best>{100 * best:.2f} %<" in page
    begun = signed_in.get(begin_predictor(owner, name="Begun").get_absolute_url())
    assert "data-best>–<" in begun.content.decode()


def test_a_measured_latency_stands_beside_its_prediction_without_what_is_not_predicted(
    signed_in: Client, owner: Team, search: Search
) -> None:
    model = start_model(owner=owner, network=best_of(search), recipe="seconds-final", seed=0)
    ModelTiming.objects.create(
        model=model,
        device=search.device,
        run=model.run,
        format="torchscript",
        latency_ms=0.287,
        latency_p50_ms=0.29,
        preprocessing_ms=0.04,
        predicted_ms=0.251,
    )
    row = signed_in.get(model.get_absolute_url()).context["comparison"][1]
    assert row["measured"] == "0.247 ms"
    assert "0.287 ms with normalisation" in row["label"]
    ModelTiming.objects.update(preprocessing_ms=None)
    TrainedModel.objects.update(latency_ms=0.287)
    row = signed_in.get(model.get_absolute_url()).context["comparison"][1]
    assert (row["measured"], "measured with normalisation" in row["label"]) == ("0.287 ms", True)


@pytest.mark.parametrize("ends", [(0.26211, 0.26214), (0.0101, 0.0101), (1.0, 4.0), (12.3456, 98.7)])
def test_the_limit_of_a_quick_start_is_never_below_what_can_be_reached(ends: tuple[float, float]) -> None:
    limit = limit_between(*ends)
    assert ends[0] <= limit <= ends[1] + 0.001
    assert round(limit, 3) == limit
