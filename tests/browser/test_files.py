"""Every table of every page as CSV and JSON, with as many rows as it shows."""

from __future__ import annotations

import csv
import json
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import pytest
from playwright.sync_api import APIRequestContext, Browser, expect

from tests.browser.conftest import FurnishedSite, Open

pytestmark = pytest.mark.browser

TURNED = {"quality-title": {"predictor", "predictor-imported"}}
"""Tables, by the id of their heading and the page, whose files have a line for each of their columns: there a
measure is a column, so that the files of several predictors can be put together."""


class Tables(HTMLParser):
    """The tables of a page, but for those of charts, which their tools give out: rows of each, and the links
    to files that stand in the same section, or anywhere on the page where its section has none."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[dict[str, Any]] = []
        self.sections: list[dict[str, Any]] = [{"name": "", "links": [], "paged": False}]
        self.in_chart = self.in_head = False
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attributes}
        if tag == "figure":
            self.in_chart = True
        elif tag in ("section", "details"):
            name = of.get("aria-labelledby", "")
            self.sections.append({"name": name, "links": [], "paged": False})
        elif tag == "table" and not self.in_chart:
            self.found.append({"section": self.sections[-1], "rows": 0, "around": list(self.sections)})
        elif tag == "thead":
            self.in_head = True
        elif tag == "tr" and not self.in_head and not self.in_chart and self.found:
            counted = not {"group-row", "reading"} & set(of.get("class", "").split())
            self.found[-1]["rows"] += counted
        elif tag == "nav" and "pages" in of.get("aria-label", "").lower():
            self.sections[-1]["paged"] = True
        elif tag == "a" and any(sign in of.get("href", "") for sign in ("format=", ".csv", ".json")):
            self.sections[-1]["links"].append(of["href"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "figure":
            self.in_chart = False
        elif tag == "thead":
            self.in_head = False
        elif tag in ("section", "details") and len(self.sections) > 1:
            self.sections.pop()


def links_of(table: dict[str, Any]) -> dict[str, str]:
    """Of the innermost part around it that has links: those of the table as it is asked for come first."""
    for part in reversed(table["around"]):
        found = {}
        for ending in ("csv", "json"):
            for sign in (f"format={ending}", f".{ending}"):
                fitting = [link for link in part["links"] if sign in link]
                if fitting and ending not in found:
                    found[ending] = fitting[0]
        if found:
            return found
    return {}


def rows_of(asking: APIRequestContext, address: str, ending: str) -> list[Any]:
    answer = asking.get(address)
    assert answer.status == 200, address
    assert "attachment" in answer.headers["content-disposition"], address
    if ending == "csv":
        return list(csv.reader(answer.text().splitlines()))[1:]
    content = json.loads(answer.text())
    return content if isinstance(content, list) else content["rows"]


def test_every_table_of_every_page_is_a_csv_and_a_json_of_as_many_rows(
    chromium: Browser,
    furnished: FurnishedSite,
    session: Any,
) -> None:
    context = chromium.new_context(base_url=furnished.address, storage_state=session)
    wrong: list[tuple[Any, ...]] = []
    seen = 0
    for name, address in furnished.addresses.items():
        for table in Tables(context.request.get(address).text()).found:
            seen += 1
            heading, links = table["section"]["name"], links_of(table)
            if set(links) != {"csv", "json"}:
                wrong.append((name, heading, "lacks a file", links))
                continue
            counts = {
                ending: len(rows_of(context.request, urljoin(furnished.address + address, link), ending))
                for ending, link in links.items()
            }
            more_pages = table["section"]["paged"] and counts["csv"] > table["rows"]
            turned = name in TURNED.get(heading, ())
            if counts["csv"] != counts["json"] or not (
                counts["csv"] == table["rows"] or more_pages or turned
            ):
                wrong.append((name, heading, "other rows", counts, table["rows"]))
    context.close()
    assert wrong == []
    assert seen > 40


def test_a_chart_is_given_out_as_csv_and_json_of_the_same_values(opened: Open) -> None:
    page = opened("candidate")
    tools = page.locator("#chart-layers .chart-tools")
    expect(page.locator("#chart-layers canvas")).to_be_visible()
    files = {}
    for ending in ("CSV", "JSON"):
        with page.expect_download() as download:
            tools.get_by_role("button", name=ending).click()
        files[ending] = download.value.path().read_text()
        assert download.value.suggested_filename == f"latency-by-layer.{ending.lower()}"
    records = json.loads(files["JSON"])
    lines = list(csv.DictReader(files["CSV"].splitlines()))
    assert [line["Layer"] for line in lines] == [record["Layer"] for record in records]
    assert len(records) == page.locator("tr[data-key]").count()
