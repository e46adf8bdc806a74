"""Lists: filtered, sorted, counted and paged by their address, given out as files, and bounded."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks.many_rows import Amounts, Filled, Filling
from chamnet_web.accounts.models import Team, User
from devices.runs.models import Run
from devices.runs.services import start_run
from devices.runs.writing import writing
from devices.services import this_machine
from search.models import Sample, Search
from search.services.catalogue import name_recipe
from search.services.tables import build_table
from search.training.recipes import PRESETS
from search.views.thinning import drawn_samples, evenly
from tests.search.world import begin_predictor, finish, tiny_space

pytestmark = pytest.mark.django_db

LISTS = (
    "/runs/", "/devices/", "/tables/", "/datasets/", "/recipes/", "/predictors/", "/costs/", "/searches/",
    "/models/", "/studies/",
)  # fmt: skip
FEW = Amounts(
    runs=90, searches=12, predictors=12, entries=60, samples=60, devices=3, tables=9, models=9, others=3
)
MORE = Amounts(
    runs=400, searches=70, predictors=70, entries=60, samples=60, devices=8, tables=70, models=60, others=55
)


@pytest.fixture
def few(owner: Team) -> Filled:
    return Filling(owner, FEW).fill()


def rows_of(client: Client, address: str, file_format: str, **asked: str) -> list[dict[str, Any]]:
    text = b"".join(client.get(address, asked | {"format": file_format})).decode()
    return list(csv.DictReader(io.StringIO(text))) if file_format == "csv" else json.loads(text)


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def test_lists_and_the_overview_take_as_many_queries_for_many_rows_as_for_few(
    signed_in: Client, owner: Team, few: Filled
) -> None:
    pages = ("/", *LISTS, few.table.get_absolute_url(), few.predictor.get_absolute_url())
    before = {page: queries(signed_in, page) for page in pages}
    sizes = {page: len(signed_in.get(page).content) for page in pages}
    Filling(owner, MORE, "more ").fill()
    assert {page: queries(signed_in, page) for page in pages} == before
    assert max(before.values()) <= 34
    for page in ("/", "/runs/"):
        assert len(signed_in.get(page).content) < 2.5 * sizes[page]


def test_every_sort_and_choice_of_every_list_works_and_files_have_what_the_list_counts(
    signed_in: Client, few: Filled
) -> None:
    for address in LISTS:
        listed = signed_in.get(address).context["listed"]
        for column in listed.listing.columns:
            if column.order is not None:
                for sort in (column.name, f"-{column.name}"):
                    assert signed_in.get(address, {"sort": sort}).context["listed"].sort == sort
        assert len(rows_of(signed_in, address, "json")) == listed.count
        for choice in listed.listing.choices:
            for value, _ in choice.options:
                asked = {choice.name: str(value)}
                count = signed_in.get(address, asked).context["listed"].count
                assert len(rows_of(signed_in, address, "csv", **asked)) == count <= listed.count


def test_where_nothing_matches_a_list_says_so_and_leads_back(signed_in: Client, few: Filled) -> None:
    for address in LISTS:
        nothing = signed_in.get(address, {"q": "no such thing <b>"}).content.decode()
        assert "Nothing matches" in nothing
        assert 'href="?"' in nothing
        assert "<b>" not in nothing.partition("<main")[2]


def test_a_list_is_filtered_and_sorted_and_says_how_many_of_how_many(signed_in: Client, few: Filled) -> None:
    page = signed_in.get("/searches/", {"q": "search 1", "sort": "-limit_ms"})
    names = [row.name for row in page.context["listed"].page]
    assert names == ["Search 11", "Search 10", "Search 1"]
    text = page.content.decode()
    assert "3 of 12 searches" in text
    assert 'aria-sort="descending"' in text
    failed = signed_in.get("/searches/", {"status": "failed"}).context["listed"]
    assert {row.run.status for row in failed.page} == {"failed"}
    assert failed.count == Search.objects.filter(run__status="failed").count() > 0


def test_the_overview_leads_to_the_runs_that_it_counts(signed_in: Client, owner: Team) -> None:
    runs = [
        start_run(owner=owner, kind="model", title=f"Run {n}", first_step="a", queue="light")
        for n in range(12)
    ]
    Run.objects.filter(pk__in=[run.pk for run in runs[:3]]).update(status="paused")
    Run.objects.filter(pk__in=[run.pk for run in runs[3:5]]).update(status="succeeded")
    page = signed_in.get("/")
    assert '<a class="small" href="/runs/?status=unfinished">' in page.content.decode()
    listed = signed_in.get("/runs/", {"status": "unfinished"}).context["listed"]
    assert listed.count == page.context["active_count"] == 10


def test_filters_keep_each_other_and_the_order(signed_in: Client, few: Filled) -> None:
    text = signed_in.get("/runs/", {"status": "failed", "q": "loss", "sort": "title"}).content.decode()
    assert '<option value="failed" selected>' in text
    assert 'name="q" type="search" value="loss"' in text
    assert '<input type="hidden" name="sort" value="title">' in text
    assert "status=failed&amp;q=loss&amp;sort=-title" in text
    assert 'href="?sort=title"' in text


def test_a_value_that_a_choice_does_not_have_matches_nothing_and_an_unknown_sort_is_ignored(
    signed_in: Client, few: Filled
) -> None:
    assert signed_in.get("/searches/", {"device": "not-an-id"}).context["listed"].count == 0
    assert signed_in.get("/searches/", {"sort": "owner__password"}).context["listed"].sort == "-started"
    assert signed_in.get("/runs/", {"page": "999"}).context["listed"].page.number == 2
    assert signed_in.get("/runs/", {"format": "xlsx"}).status_code == 404


def test_lists_and_their_choices_and_files_show_nothing_of_other_people(
    client: Client, stranger: User, few: Filled
) -> None:
    client.force_login(stranger)
    for address in LISTS:
        page = client.get(address)
        assert page.context["listed"].total == 0
        assert "Device 0" not in page.content.decode()
        assert rows_of(client, address, "json") == []


def test_a_spreadsheet_runs_nothing_of_a_file(signed_in: Client, few: Filled) -> None:
    Run.objects.filter(title="search 0").update(title='=cmd|"/c calc"!A1', message="-0.5")
    row = next(row for row in rows_of(signed_in, "/runs/", "csv") if "calc" in row["title"])
    assert row["title"] == '\'=cmd|"/c calc"!A1'
    assert row["said"] == "-0.5"
    again = next(row for row in rows_of(signed_in, "/runs/", "json") if "calc" in row["title"])
    assert again["title"] == '=cmd|"/c calc"!A1'


def test_a_predictors_page_stays_small_and_its_file_has_every_sample(
    signed_in: Client, owner: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.views.thinning.MOST_SAMPLES", 40)
    monkeypatch.setattr("search.views.thinning.MOST_POINTS", 20)
    predictor = Filling(owner, FEW).fill().predictor
    address = predictor.get_absolute_url()
    state = signed_in.get(address).context["state"]
    assert len(state["samples"]) == 40
    assert (state["sample_count"], state["quality_count"], state["scatter_count"]) == (60, 50, 60)
    assert (len(state["quality"]), len(state["scatter"])) == (20, 20)
    assert predictor.quality["coverage_95"] == 0.95
    assert state["held"] == 57  # what “95 % intervals hold” says on the same page, of 60
    found = predictor.proposals.filter
    of = {status: found(sample__status=status).count() for status in Sample.Status.values}
    shown = [sample["status"] for sample in state["samples"]]
    assert shown.count("succeeded") + state["left_out"]["trained"] == of["succeeded"]
    assert shown.count("failed") + state["left_out"]["failed"] == of["failed"]
    assert len(rows_of(signed_in, address, "csv", table="samples")) == 60
    assert len(rows_of(signed_in, address, "json", table="held-out")) == 60
    best = signed_in.get(address, {"sort": "-accuracy", "status": "succeeded"}).context["listed"].page
    accuracies = [row.sample.accuracy for row in best]
    assert accuracies == sorted(accuracies, reverse=True)


def test_a_thinned_course_keeps_the_best_so_far_what_is_at_work_and_the_end() -> None:
    accuracies = [0.5, 0.4, 0.6, 0.55, 0.1, 0.7, 0.2, 0.3, 0.65, 0.1]
    rows: list[tuple[int, str, float | None]] = [
        (index, "succeeded", value) for index, value in enumerate(accuracies)
    ]
    rows[7] = (7, "training", None)
    kept = drawn_samples(rows, 7)
    assert {0, 2, 5, 7, 9} <= kept
    assert len(kept) == 7
    assert evenly(range(10), 4) == [0, 3, 6, 9]
    assert evenly([1, 2], 4) == [1, 2]


def begun(owner: Team, title: str, **more: Any) -> Run:
    return start_run(
        owner=owner, kind="search", title=title, first_step="search.generations", queue="light", **more
    )


@pytest.fixture
def failing(owner: Team) -> Run:
    run = begun(owner, "Hopeless")
    with writing(run.pk) as writer:
        writer.start()
        writer.fail("No network keeps the limit of 0.1 ms.")
    run.refresh_from_db()
    return run


def test_the_overview_says_what_failed_and_what_to_do_for_a_week(signed_in: Client, failing: Run) -> None:
    page = signed_in.get("/").content.decode()
    assert "No network keeps the limit of 0.1 ms." in page
    assert "start another with a wider limit" in page
    Run.objects.filter(pk=failing.pk).update(finished_at=timezone.now() - timedelta(days=8))
    assert "No network keeps the limit" not in signed_in.get("/").content.decode()


def test_a_failure_of_a_part_is_told_once(signed_in: Client, owner: Team, failing: Run) -> None:
    part = begun(owner, "A part of it", parent=failing)
    with writing(part.pk) as writer:
        writer.start()
        writer.fail("The part failed.")
    assert "The part failed." not in signed_in.get("/").content.decode()


def test_the_overview_names_the_first_thing_that_is_missing(signed_in: Client, owner: Team) -> None:
    def proposed() -> str:
        action: str = signed_in.get("/").context["next"].action
        return action

    assert proposed() == "Register a device"
    device = this_machine(owner)
    assert proposed() == "Open the device"
    table = build_table(device=device, space=tiny_space())
    assert proposed() == "Build a predictor"
    predictor = begin_predictor(owner, name="Begun")
    assert proposed() == "Watch it learn"
    for run in (table.run, predictor.run):
        finish(run)
    assert proposed() == "New search"


def test_recipes_that_take_all_images_come_last_whichever_way_they_are_sorted(
    signed_in: Client, owner: Team
) -> None:
    for name, images in (("few", 90), ("all", None), ("many", 1000)):
        name_recipe(owner, name, replace(PRESETS["seconds"], train_images=images))
    for sort, expected in (
        ("train_images", ["few", "many", "all"]),
        ("-train_images", ["many", "few", "all"]),
    ):
        rows = rows_of(signed_in, "/recipes/", "json", sort=sort)
        assert [row["name"] for row in rows] == expected
        assert {row["train_images"] for row in rows} == {90, 1000, None}
