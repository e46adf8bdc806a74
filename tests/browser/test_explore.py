"""The explorer and the comparison in Chromium: linked views, typed ranges, addresses that hold it all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import FurnishedSite, note_errors

pytestmark = pytest.mark.browser


@pytest.fixture
def explorer(chromium: Browser, furnished: FurnishedSite, session: Any) -> Iterator[Page]:
    """The explorer of two searches with everything loaded; errors of the console fail the test."""
    context = chromium.new_context(
        base_url=furnished.address,
        storage_state=session,
        reduced_motion="reduce",
        viewport={"width": 1280, "height": 1000},
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    errors: list[str] = []
    note_errors(page, errors)
    opened(page, furnished.addresses["explore"])
    yield page
    context.close()
    assert errors == []


def opened(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("html[data-explorer='ready']")


def marked(page: Page) -> Any:
    """What the scatter marks as pointed at, and whether a line is drawn over the others."""
    return page.evaluate(
        """() => {
             const chart = Chart.getChart(document.querySelector("#chart-scatter canvas"));
             const point = chart.data.datasets.find((set) => set.seriesId === "marked")?.data[0];
             const canvas = document.querySelector("[data-marks]");
             const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
             return [point?.key ?? null, pixels.some((value) => value > 0)];
           }"""
    )


def test_the_same_candidate_is_marked_in_every_view(explorer: Page) -> None:
    row = explorer.locator("tr[data-key='1.2']")
    row.locator("a").focus()
    expect(row).to_have_class("is-highlighted")
    expect(explorer.locator("#glance-title")).to_have_text("Candidate 2")
    expect(explorer.locator("[data-glance] .section-head .muted")).to_contain_text("Thrifty")
    expect(explorer.locator("[data-glance] svg.drawing")).to_be_visible()
    explorer.wait_for_function(
        "Chart.getChart(document.querySelector('#chart-scatter canvas'))"
        ".data.datasets.find((set) => set.seriesId === 'marked')?.data[0]?.key === '1.2'"
    )
    assert marked(explorer) == ["1.2", True]


def test_a_range_typed_by_keyboard_stands_in_the_address_and_comes_back_with_it(explorer: Page) -> None:
    everything = explorer.locator("[data-count]").inner_text()
    least = explorer.get_by_role("group", name="predicted accuracy").get_by_label("from")
    least.focus()
    explorer.keyboard.type("84")
    expect(explorer.locator("[data-count]")).not_to_have_text(everything)
    shown = explorer.locator("[data-count]").inner_text().split(" of ")[0]
    expect(explorer.locator("[data-part-count]")).to_contain_text(f"{shown} of ")
    explorer.get_by_label("Only those that keep every limit").check()
    explorer.get_by_role("link", name="Predicted latency").click()
    expect(explorer.locator("th[aria-sort='ascending']")).to_have_text("Predicted latency")
    explorer.locator("tr[data-key] input").first.check()
    said = explorer.locator("[data-count]").inner_text()
    address = explorer.url
    assert "from.accuracy=84" in address
    assert "feasible=on" in address
    assert "sort=latency_ms" in address
    assert "candidate=" in address
    explorer.locator("tr[data-key] th a").first.click()
    explorer.wait_for_url("**/candidates/**")
    explorer.go_back()
    explorer.wait_for_selector("html[data-explorer='ready']")
    assert explorer.url == address
    expect(explorer.locator("[data-count]")).to_have_text(said)
    expect(least).to_have_value("84")
    assert explorer.locator("tr[data-key] input:checked").count() == 1


def test_dragging_along_an_axis_keeps_a_range_and_a_press_forgets_it(explorer: Page) -> None:
    everything = explorer.locator("[data-count]").inner_text()
    track = explorer.locator("[data-axis='accuracy'] [data-track]")
    track.scroll_into_view_if_needed()
    box = track.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"]
    explorer.mouse.move(x, y + 10)
    explorer.mouse.down()
    explorer.mouse.move(x, y + 40)
    explorer.mouse.move(x, y + box["height"] / 2)
    explorer.mouse.up()
    expect(explorer.locator("[data-count]")).not_to_have_text(everything)
    assert float(explorer.locator("[name='from.accuracy']").input_value()) > 0
    explorer.mouse.click(x, y + 30)
    expect(explorer.locator("[data-count]")).to_have_text(everything)


def test_picked_candidates_are_compared(explorer: Page) -> None:
    for key in ("0.1", "1.1"):
        explorer.locator(f"tr[data-key='{key}'] input").check()
    explorer.get_by_role("button", name="Compare the picked (2)").click()
    explorer.wait_for_url("**/compare/**")
    assert explorer.locator("h1").inner_text() == "2 candidates side by side"
    expect(explorer.locator(".drawings svg.drawing")).to_have_count(2)
    every = explorer.locator("tbody tr").count()
    explorer.get_by_role("link", name="Differences only").click()
    explorer.wait_for_url("**only=differences**")
    assert explorer.locator("tbody tr").count() < every
    layers = "Chart.getChart(document.querySelector('#chart-layers canvas'))"
    names = explorer.wait_for_function(f"{layers}?.data.datasets.map((set) => set.label)").json_value()
    assert {name.split(",")[0] for name in names} == {"Half way", "Thrifty"}
