"""The explorer, the comparison and a search's page: what they show, of how many, in how many queries."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chamnet_web.accounts.models import Team, User
from search.models import Search, TrainedModel
from search.services.layers import side_by_side
from search.services.models import start_model
from search.services.searches import FurtherLimit
from tests.search.world import crowd, energy_of, predictor_of, roomy_space, search_of, table_of

pytestmark = pytest.mark.django_db
Work = Callable[..., int]


def state_of(page: Any) -> Any:
    """What the page's module starts from; JSON that holds no NaN and no infinity."""
    found = re.search(r'<script id="state" type="application/json">(.*?)</script>', page.content.decode())
    assert found is not None

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} in JSON")

    return json.loads(found[1], parse_constant=refuse)


def columns_of(content: bytes) -> dict[str, Any]:
    """The columns of a file as the browser reads them."""
    length = int.from_bytes(content[:4], "little")
    head, at = json.loads(content[4 : 4 + length]), 4 + length
    found: dict[str, Any] = {}
    for column in head["columns"]:
        raw = np.frombuffer(content, column["type"], head["count"], at)
        at += -(-raw.nbytes // 4) * 4
        if "choices" in column:
            found[column["name"]] = np.array(column["choices"])[raw]
        elif "low" in column:
            found[column["name"]] = column["low"] + raw * ((column["high"] - column["low"]) / 65534)
        else:
            found[column["name"]] = raw
    assert at == len(content)
    return found


@pytest.fixture
def thrifty(owner: Team, work: Work) -> Search:
    """A finished search with a limit on energy too."""
    space = roomy_space()
    table = table_of(owner, space)
    energy = energy_of(owner, table.device, work, space=space, count=20)
    values = [value for _, value in energy.measurements]
    predictor = predictor_of(owner, work, space=space, name="For thrift")
    return search_of(
        owner,
        predictor,
        table,
        work,
        name="Thrifty",
        further=[FurtherLimit(energy, float(np.median(values)))],
    )


def test_ten_candidates_and_five_hundred_take_the_same_number_of_queries(
    signed_in: Client, search: Search
) -> None:
    addresses = [
        search.get_absolute_url(),
        f"{search.get_absolute_url()}?feasible=on&sort=-latency_ms",
        reverse("search-rows", args=[search.pk]),
        reverse("search-populations", args=[search.pk]),
        f"/explore/?search={search.pk}",
        f"/explore/?search={search.pk}&feasible=on&from.accuracy=1&to.stage4.channels=64",
        f"/explore/rows/?search={search.pk}&sort=accuracy",
        f"/explore/columns/?search={search.pk}",
    ]

    def queries() -> dict[str, int]:
        found = {}
        for address in addresses:
            with CaptureQueriesContext(connection) as captured:
                assert signed_in.get(address).status_code == 200
            found[address] = len(captured)
        return found

    crowd(search, 10)
    few = queries()
    crowd(search, 500)
    assert queries() == few
    assert max(few.values()) <= 22


def test_a_page_stays_small_with_many_candidates(signed_in: Client, search: Search) -> None:
    crowd(search, 3000)
    for address in (search.get_absolute_url(), f"/explore/?search={search.pk}"):
        page = signed_in.get(address)
        assert len(page.content) < 500_000
        assert page.content.decode().count("<tr data-key") == 50
        state_of(page)
    drawn = state_of(signed_in.get(search.get_absolute_url()))
    assert len(drawn["candidates"]) <= 800
    assert drawn["candidate_count"] == 3000
    front = set(search.candidates.filter(on_front=True).values_list("rank", flat=True))
    assert front <= {row[1] for row in drawn["candidates"]}


def test_a_cautious_search_says_what_its_generations_are_judged_by(signed_in: Client, search: Search) -> None:
    said = "lower end of its 90 % interval"
    assert said not in signed_in.get(search.get_absolute_url()).content.decode()
    Search.objects.filter(pk=search.pk).update(cautious=True)
    page = signed_in.get(search.get_absolute_url())
    assert said in page.content.decode()
    assert state_of(page)["cautious"] is True


def test_figures_of_the_newest_generation_need_no_script(signed_in: Client, search: Search) -> None:
    summary = search.generation_rows.order_by("-number")[0].summary
    page = signed_in.get(search.get_absolute_url()).content.decode()
    assert f"data-best>{100 * summary['best']:.2f} %<" in page
    assert f"data-feasible>{100 * summary['feasible_share']:.0f} %<" in page
    assert f"data-diversity>{summary['diversity']:.2f}<" in page
    search.generation_rows.all().delete()
    assert "data-best>–<" in signed_in.get(search.get_absolute_url()).content.decode()


def test_the_table_is_sorted_filtered_paged_and_counted(signed_in: Client, search: Search) -> None:
    crowd(search, 120)
    address = search.get_absolute_url()
    slowest = signed_in.get(address, {"sort": "-latency_ms"}).context["lines"]
    latencies = [line["candidate"].latency_ms for line in slowest]
    assert latencies == sorted(latencies, reverse=True)
    second = signed_in.get(address, {"page": "2"}).context["lines"]
    assert [line["candidate"].rank for line in second] == list(range(51, 101))
    kept = search.candidates.filter(meets_limit__gte=search.confidence).count()
    assert 0 < kept < 120
    page = signed_in.get(f"/explore/?search={search.pk}&feasible=on").content.decode()
    assert f"{kept} of 120 candidates are shown." in page
    assert "All 120 candidates are shown." in signed_in.get(address).content.decode()


def test_what_is_picked_stays_picked_when_the_table_is_sorted_or_paged(
    signed_in: Client, search: Search
) -> None:
    crowd(search, 60)
    near, far = (str(search.candidates.get(rank=rank).pk) for rank in (3, 55))
    for address in (search.get_absolute_url(), reverse("search-rows", args=[search.pk])):
        page = signed_in.get(address, {"candidate": [near, far], "page": "1"})
        assert [str(line["candidate"].pk) for line in page.context["lines"] if line["picked"]] == [near]
        assert [str(one.pk) for one in page.context["elsewhere"]] == [far]
        assert f'value="{far}" form="picks" checked' in page.content.decode()


def test_the_columns_are_compressed_on_their_way(signed_in: Client, search: Search) -> None:
    address = f"/explore/columns/?search={search.pk}"
    plain = signed_in.get(address).content
    sent = signed_in.get(address, headers={"Accept-Encoding": "gzip"})
    assert sent.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(sent.content) == plain


def test_ranges_mean_the_same_in_the_table_and_in_the_columns(signed_in: Client, search: Search) -> None:
    crowd(search, 300)
    columns = columns_of(signed_in.get(f"/explore/columns/?search={search.pk}").content)
    middle = float(np.median(columns["latency_ms"]))
    asked = {"search": str(search.pk), "to.latency_ms": f"{middle:.6g}", "from.stage4.channels": "64"}
    inside = (columns["latency_ms"] <= middle) & (columns["stage4.channels"] >= 64)
    page = signed_in.get("/explore/rows/", asked)
    assert abs(page.context["count"] - int(inside.sum())) <= 2
    nothing = signed_in.get("/explore/rows/", asked | {"to.stage4.channels": "63"})
    assert nothing.context["count"] == 0
    assert "No candidate is inside every range." in nothing.content.decode()


def test_every_limit_counts_where_a_search_has_several(signed_in: Client, thrifty: Search) -> None:
    crowd(thrifty, 200)
    kept = sum(
        all(limit["chance"] >= thrifty.confidence for limit in one.limits) for one in thrifty.candidates.all()
    )
    page = signed_in.get(f"/explore/?search={thrifty.pk}&feasible=on")
    assert page.context["count"] == kept
    assert 0 < kept < thrifty.candidates.filter(meets_limit__gte=thrifty.confidence).count()
    columns = columns_of(signed_in.get(f"/explore/columns/?search={thrifty.pk}").content)
    assert int((columns["marks"] & 1).sum()) == kept
    (energy,) = [axis for axis, _ in page.context["axes"] if axis.unit == "mJ"]
    brushed = {"search": str(thrifty.pk), f"to.{energy.name}": f"{np.median(columns[energy.name]):.6g}"}
    assert 95 <= signed_in.get("/explore/rows/", brushed).context["count"] <= 105


def test_a_front_that_trades_energy_too_is_said_to(signed_in: Client, thrifty: Search) -> None:
    page = signed_in.get(thrifty.get_absolute_url()).content.decode()
    assert "no other network scored is faster, thriftier and more accurate at once." in page


def test_columns_hold_what_the_rows_hold(signed_in: Client, search: Search) -> None:
    crowd(search, 50)
    columns = columns_of(signed_in.get(f"/explore/columns/?search={search.pk}").content)
    rows = list(search.candidates.order_by("rank"))
    assert columns["rank"].tolist() == [row.rank for row in rows]
    assert columns["accuracy"] == pytest.approx([100 * row.accuracy for row in rows], abs=0.01)
    assert columns["latency_ms"] == pytest.approx([row.latency_ms for row in rows], rel=1e-3)
    assert columns["stage4.channels"].tolist() == [row.architecture.values["stage4.channels"] for row in rows]


def test_columns_that_hold_a_part_of_the_candidates_say_how_many_there_are(
    signed_in: Client, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.columns.MOST", 20)
    crowd(search, 50)
    content = signed_in.get(f"/explore/columns/?search={search.pk}").content
    head = json.loads(content[4 : 4 + int.from_bytes(content[:4], "little")])
    assert (head["count"], head["every"]) == (20, 50)


def test_an_address_of_nonsense_and_of_others_shows_no_more_than_is_ones_own(
    signed_in: Client, search: Search, stranger: User
) -> None:
    nonsense = (
        f"/explore/?search={search.pk}&search=x&candidate=y&chosen=z&from.accuracy=inf&page=x&sort=pk&axis=q"
    )
    assert signed_in.get(nonsense).context["count"] == search.candidates.count()
    assert signed_in.get("/explore/").context["taken"] == [search.pk]
    best = search.candidates.get(rank=1)
    signed_in.force_login(stranger)
    page = signed_in.get(f"/explore/?search={search.pk}&candidate={best.pk}&chosen={best.pk}")
    assert "Nothing to explore yet" in page.content.decode()
    assert search.name not in page.content.decode()
    assert signed_in.get(reverse("candidate-glance", args=[search.pk, 1])).status_code == 404
    assert signed_in.get(f"/compare/?candidate={best.pk}&candidate={search.pk}").status_code == 404


def test_candidates_come_as_csv_and_json_alike(signed_in: Client, search: Search) -> None:
    crowd(search, 1500)
    lines = signed_in.get(f"/searches/{search.pk}/candidates.csv").getvalue().decode().splitlines()
    texts = list(csv.DictReader(lines))
    rows = json.loads(signed_in.get(f"/searches/{search.pk}/candidates.json").getvalue())
    assert len(texts) == len(rows) == 1500
    for text, row in zip(texts[::300], rows[::300], strict=True):
        assert text["id"] == row["id"]
        assert float(text["latency_ms"]) == row["latency_ms"]
        assert int(text["stage4.channels"]) == row["stage4.channels"]
        assert row["limits"][0]["unit"] == "ms"


@pytest.fixture
def pair(search: Search) -> list[str]:
    return [str(key) for key in search.candidates.order_by("rank").values_list("pk", flat=True)[:2]]


def test_a_comparison_shows_every_quantity_and_marks_the_best(
    signed_in: Client, owner: Team, search: Search, pair: list[str]
) -> None:
    table_of(owner, roomy_space(), device_name="The phone", slower=3.0)
    model = start_model(owner=owner, network=search.candidates.get(rank=1), recipe="seconds-final", seed=0)
    TrainedModel.objects.filter(pk=model.pk).update(test_accuracy=0.9123, latency_ms=0.2)
    page = signed_in.get("/compare/", {"candidate": pair})
    rows = {(row.group, row.label): row for _, rows in page.context["groups"] for row in rows}
    accuracy = rows["Predicted", "Accuracy"]
    assert accuracy.best == {0}
    assert [cell.value for cell in accuracy.cells] == sorted(
        (cell.value for cell in accuracy.cells), reverse=True
    )
    assert [cell.value for cell in rows["Measured", "Test accuracy"].cells] == [0.9123, None]
    here, phone = (
        [cell.value for cell in row.cells] for (group, _), row in rows.items() if "every device" in group
    )
    assert all(slow > fast for slow, fast in zip(phone, here, strict=True)) or all(
        slow > fast for slow, fast in zip(here, phone, strict=True)
    )
    differing = signed_in.get("/compare/", {"candidate": pair, "only": "differences"})
    assert all(row.differs for _, rows in differing.context["groups"] for row in rows)
    assert 0 < differing.context["shown"] < page.context["shown"]
    assert 'class="best-mark">best' in page.content.decode()


def test_a_device_whose_table_lacks_the_operators_has_no_latency(
    signed_in: Client, owner: Team, pair: list[str]
) -> None:
    table_of(owner, roomy_space(), device_name="The phone").rows.filter(key__startswith="linear").delete()
    page = signed_in.get("/compare/", {"candidate": pair})
    (row,) = [row for _, rows in page.context["groups"] for row in rows if row.label.startswith("The phone")]
    assert [cell.value for cell in row.cells] == [None, None]


def test_a_comparison_is_data_too(signed_in: Client, pair: list[str]) -> None:
    found = json.loads(signed_in.get("/compare/comparison.json", {"candidate": pair}).content)
    assert [one["id"] for one in found["candidates"]] == pair
    Search.objects.update(name="=1+1")
    file = signed_in.get("/compare/comparison.csv", {"candidate": pair})
    lines = file.getvalue().decode().splitlines()
    assert len(lines) == 1 + len(found["rows"])
    assert ",'=1+1 #" in lines[0], "no spreadsheet runs a name"
    assert signed_in.get("/compare/comparison.xml", {"candidate": pair}).status_code == 404


def test_a_comparison_has_a_table_of_every_layer_of_its_networks_and_its_files(
    signed_in: Client, search: Search, pair: list[str]
) -> None:
    page = signed_in.get("/compare/", {"candidate": pair})
    networks = [search.candidates.get(pk=key).architecture.layers for key in pair]
    names = {layer.name for layers in networks for layer in layers}
    rows = page.context["layer_rows"]
    assert {row.name for row in rows} == names
    assert len(rows) == len(names)
    shown = page.content.decode()
    for row in rows:
        assert f'id="layer-{row.name}" data-key="{row.name}"' in shown
    for place, layers in enumerate(networks):  # each in its network's own order, with its own latency
        held = [row for row in rows if row.cells[place] is not None]
        assert [row.name for row in held] == [layer.name for layer in layers]
        assert sum(row.cells[place]["share"] for row in held) == pytest.approx(1.0)
    assert "table=layers&amp;format=csv" in shown
    asked = {"candidate": pair, "table": "layers"}
    records = json.loads(signed_in.get("/compare/", asked | {"format": "json"}).getvalue())
    lines = signed_in.get("/compare/", asked | {"format": "csv"}).getvalue().decode().splitlines()
    assert len(records) == len(list(csv.DictReader(lines))) == len(rows)
    first = search.candidates.get(pk=pair[0])
    assert records[0][f"latency_us 1: {first}"] == rows[0].cells[0]["latency_us"]
    assert signed_in.get("/compare/", asked | {"table": "x", "format": "csv"}).status_code == 404


def test_layers_of_networks_of_unlike_depth_stand_in_an_order_that_all_follow() -> None:
    def network(*names: str) -> list[dict[str, str]]:
        return [{"name": name} for name in names]

    rows = side_by_side(
        [network("stem", "stage2.block1.add", "head"), network("stem", "stage1.block1.add", "head")]
    )
    assert [row.name for row in rows] == ["stem", "stage1.block1.add", "stage2.block1.add", "head"]
    assert [row.cells[0] is None for row in rows] == [False, True, False, False]


def test_one_candidate_or_eleven_get_a_sentence(signed_in: Client, search: Search, pair: list[str]) -> None:
    crowd(search, 12)
    eleven = [str(key) for key in search.candidates.values_list("pk", flat=True)[:11]]
    said = [signed_in.get("/compare/", {"candidate": some}) for some in ([], eleven[:1], eleven)]
    assert [page.status_code for page in said] == [200, 200, 200]
    texts = [page.content.decode() for page in said]
    assert "needs at least 2 candidates; none is chosen" in texts[0]
    assert "needs at least 2 candidates; 1 is chosen" in texts[1]
    assert "At most 10 candidates are compared at once; these are 11" in texts[2]
    assert signed_in.get("/compare/", {"candidate": [eleven[0], "x"]}).status_code == 404


def test_two_candidates_and_ten_are_compared_in_the_same_number_of_queries(
    signed_in: Client, search: Search
) -> None:
    crowd(search, 12)
    keys = [str(key) for key in search.candidates.values_list("pk", flat=True)[:10]]

    def queries(some: list[str]) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert signed_in.get("/compare/", {"candidate": some}).status_code == 200
        return len(captured)

    assert queries(keys) == queries(keys[:2])


def test_a_candidates_tables_are_files(signed_in: Client, thrifty: Search) -> None:
    candidate = thrifty.candidates.order_by("rank").first()
    assert candidate is not None
    address = candidate.get_absolute_url()
    page = signed_in.get(address).content.decode()
    for table, rows in (
        ("limits", len(candidate.limits)),
        ("values", len(candidate.genes)),
        ("layers", len(candidate.architecture.layers)),
    ):
        assert f"table={table}&amp;format=json" in page
        asked = {"table": table, "format": "json"}
        records = json.loads(b"".join(signed_in.get(address, asked).streaming_content))
        lines = b"".join(signed_in.get(address, asked | {"format": "csv"}).streaming_content).decode()
        assert len(records) == len(list(csv.DictReader(lines.splitlines()))) == rows
    assert sum(layer["latency_us"] for layer in records) > 0
    assert sum(layer["share"] for layer in records) == pytest.approx(1.0)
