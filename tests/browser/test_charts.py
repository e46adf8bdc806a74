"""What a person expects of charts: a finding, units, exact values, a table, marks as elsewhere on a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import FurnishedSite, Open

pytestmark = pytest.mark.browser

UNITLESS = {
    "Sample", "Samples", "Epoch", "Generation", "Layer", "Class", "Hyperparameter", "Value", "Images",
    "Rank correlation", "Training loss", "Loss", "Learning rate", "Pixel value", "Distinct genes, 1 is most",
}  # fmt: skip

STEPS = "counts steps, one after the other"
NAMES = "names things, and has no values"
LINEAR = {
    "Sample": STEPS, "Samples": STEPS, "Epoch": STEPS, "Generation": STEPS,
    "Layer": NAMES, "Class": NAMES, "Hyperparameter": NAMES,
    "Pixel value": "goes from 0, black, in even steps",
    "Probability of the interval (%)": "begins at 0, and is compared with a straight line",
    "Held-out samples inside (%)": "begins at 0, and is compared with a straight line",
}  # fmt: skip
"""Axes without a switch to a logarithmic scale, each with the reason."""


CHARTS = """() => [...document.querySelectorAll("figure.chart")].flatMap((figure) => {
  const canvas = figure.querySelector("canvas");
  const chart = Chart.getChart(canvas);
  const named = document.getElementById(canvas.getAttribute("aria-labelledby"));
  figure.querySelector("details").open = true;
  const axes = ["x", "y"].map((name) => {
    const button = figure.querySelector(`[data-tool="log-${name}"]`);
    if (!button.hidden) button.click();
    const { min, max, type } = chart.scales[name];
    return { title: chart.options.scales[name].title.text, offered: !button.hidden, min, max, type };
  });
  const lost = figure.querySelector("[data-notice]").textContent;
  const found = axes.map(({ title }, at) => {
    const values = chart.data.datasets.flatMap((set) => set.data.map((point) => point[["x", "y"][at]]));
    return values.filter((value) => typeof value === "number" && value <= 0).length;
  });
  return [{
    id: figure.id,
    blank: canvas.hidden,
    finding: named.textContent.trim(),
    axes: axes.map((axis, at) => ({ ...axis, below: found[at] })),
    lost,
    points: chart.data.datasets.reduce((sum, set) => sum + set.data.length, 0),
  }];
})"""


def with_charts(page: Page, furnished: FurnishedSite) -> Iterator[str]:
    """Names of the furnished pages that have charts, each opened and drawn."""
    for name, address in furnished.addresses.items():
        if '<figure class="chart"' not in page.request.get(address).text():
            continue
        page.goto(address)
        page.wait_for_function(
            "[...document.querySelectorAll('figure.chart canvas')].every((one) => Chart.getChart(one))"
        )
        yield name


def test_every_chart_states_its_finding_names_its_units_has_a_log_switch_and_is_a_table_too(
    opened: Open, furnished: FurnishedSite
) -> None:
    page = opened("overview")
    seen: dict[str, set[str]] = {}
    for name in with_charts(page, furnished):
        for chart in page.evaluate(CHARTS):
            said = (name, chart)
            seen.setdefault(chart["id"], set()).add(name)
            assert chart["finding"], said
            for axis in chart["axes"]:
                title = axis["title"]
                assert title in UNITLESS or title.endswith(")"), said
                assert axis["offered"] != (title in LINEAR), said
                if axis["offered"] and not chart["blank"]:
                    assert axis["type"] == "logarithmic", said
                    assert 0 < axis["min"] < axis["max"], said
                    # What such an axis cannot show is left out and told.
                    assert axis["below"] == 0, said
            if not chart["blank"]:
                assert chart["points"] > 0 or "cannot be shown" in chart["lost"], said
                expect(page.locator(f"#{chart['id']} tbody tr").first).to_be_attached()
    names = set().union(*seen.values())
    assert {"search-thrifty", "predictor", "candidate", "compare", "model", "table", "table-compare"} <= names
    assert {"study", "dataset", "recipe", "cost", "explore"} <= names


def test_a_logarithmic_axis_tells_what_it_cannot_show_and_gives_it_back(opened: Open) -> None:
    page = opened("predictor")
    rank = chart_of("rank")
    page.wait_for_function(f"{rank}?.data.datasets.length")
    points = f"{rank}.data.datasets.reduce((sum, set) => sum + set.data.length, 0)"
    every = page.evaluate(points)
    page.evaluate(f"() => {{ {rank}.data.datasets[0].data[0].y = -0.25; }}")  # the figure's own point
    tools = page.locator("#chart-rank .chart-tools")
    notice = page.locator("#chart-rank [data-notice]")
    switch = tools.get_by_role("button", name="logarithmic scale of Rank correlation")
    expect(tools.get_by_role("button", name="logarithmic scale")).to_have_count(1)
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "true")
    expect(notice).to_contain_text("at or below zero cannot be shown on a logarithmic axis")
    assert page.evaluate(points) < every
    switch.click()
    expect(notice).to_be_hidden()
    assert page.evaluate(points) == every


# Stands for the clipboard, which a headless browser does not have.
CLIPBOARD = """() => Object.defineProperty(navigator, "clipboard", {
  value: { writeText: async (text) => { window.copied = text; } },
})"""


def chart_of(name: str) -> str:
    return f"Chart.getChart(document.querySelector('#chart-{name} canvas'))"


def is_marked(name: str, key: str) -> str:
    """Whether a chart marks the point of a key as the pointer would."""
    sets = f"{chart_of(name)}.data.datasets"
    return (
        f"{chart_of(name)}.getActiveElements()"
        f".some((one) => {sets}[one.datasetIndex].data[one.index].key === {json.dumps(key)})"
    )


def test_a_searchs_chart_shows_front_limit_and_candidate_and_can_be_zoomed_taken_and_hidden(
    opened: Open,
) -> None:
    page = opened("search")
    chart = chart_of("population")
    sets = page.wait_for_function(f"{chart}?.data.datasets.map((set) => set.seriesId)").json_value()
    assert {"cloud", "candidates", "front"} <= set(sets)
    limit = page.evaluate(f"{chart}.options.plugins.annotation.annotations.limit.label.content")
    assert limit.startswith("limit ")
    assert limit.endswith(" ms")

    # Who wants less motion gets none.
    assert page.evaluate(f"{chart}.options.animation") is False

    # What is predicted is hollow or dashed, whatever its colour.
    looks = page.evaluate(
        f"{chart}.data.datasets.map((set) => [set.seriesId, set.pointBackgroundColor, set.borderDash])"
    )
    assert [look for look in looks if look[1] != "transparent" and not look[2]] == []

    # Exact values with their units, where the pointer is.
    told = page.evaluate(
        f"""() => {{
             const chart = {chart};
             const set = chart.data.datasets.find((one) => one.seriesId === "candidates");
             return chart.options.plugins.tooltip.callbacks.label({{ dataset: set, raw: set.data[0] }});
           }}"""
    )
    assert told[1].startswith("Predicted latency: ")
    assert told[1].endswith(" ms")
    assert told[2].endswith(" %")
    assert told[3].startswith("interval: ")

    # A row marks its point.
    page.locator("tr[data-key='0.2'] th a").focus()
    page.wait_for_function(is_marked("population", "0.2"))

    # Zoom by button, and everything again.
    tools = page.locator("#chart-population .chart-tools")
    span = f"{chart}.scales.x.max - {chart}.scales.x.min"
    whole = page.evaluate(span)
    tools.get_by_role("button", name="Zoom in").click()
    assert page.evaluate(span) < whole
    tools.get_by_role("button", name="Show everything").click()
    assert page.evaluate(span) == pytest.approx(whole)
    with page.expect_download() as download:
        tools.get_by_role("button", name="PNG").click()
    assert download.value.suggested_filename == "population.png"
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    legend = page.locator("#chart-population [data-legend]").get_by_role("button", name="Population")
    legend.click()
    expect(legend).to_have_attribute("aria-pressed", "false")
    assert "cloud" not in page.evaluate(f"{chart}.data.datasets.map((set) => set.seriesId)")

    # Who hides every series finds the way back.
    shown = page.locator("#chart-population [data-legend] [aria-pressed='true']")
    while shown.count():
        shown.first.click()
    expect(page.locator("#chart-population [data-blank]")).to_contain_text("hidden")
    expect(legend).to_be_visible()
    legend.click()
    expect(page.locator("#chart-population canvas")).to_be_visible()

    # Colours follow the theme.
    ink = page.evaluate(f"{chart}.options.scales.x.title.color")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"{chart}.options.scales.x.title.color !== {json.dumps(ink)}")


def test_a_chart_of_some_of_the_candidates_says_that_it_is_thinned(
    opened: Open, furnished: FurnishedSite
) -> None:
    address = furnished.addresses["search"]

    def many(page: Page) -> None:
        def answer(route: Any) -> None:
            response = route.fetch()
            body = response.text().replace('"candidate_count": 20', '"candidate_count": 5000')
            route.fulfill(response=response, body=body)

        page.route(f"**{address}", answer)

    page = opened("search", many)
    expect(page.locator("#chart-population [data-notice]")).to_contain_text("Thinned: ")
    expect(page.locator("#chart-population [data-notice]")).to_contain_text("The table and the CSV")


def test_a_predictors_charts_have_every_sample_the_best_so_far_and_a_log_scale(
    opened: Open, furnished: FurnishedSite
) -> None:
    page = opened("predictor")
    chart = chart_of("samples")
    found = page.wait_for_function(
        f"""() => {{
             const sets = {chart}?.data.datasets;
             if (!sets) return null;
             const best = sets.find((set) => set.stepped).data.map((point) => point.y);
             const measured = sets.filter((set) => /measured/.test(set.label)).flatMap((set) => set.data);
             return [measured.length, best];
           }}"""
    ).json_value()
    assert found[0] == 14
    assert found[1] == sorted(found[1])
    curves = page.locator("#chart-curves")
    log = curves.get_by_role("button", name="logarithmic scale of Training loss")
    log.click()
    expect(log).to_have_attribute("aria-pressed", "true")
    assert page.evaluate(f"{chart_of('curves')}.scales.y.type") == "logarithmic"

    # Predicted and measured, each with its own look.
    looks = page.evaluate(
        f"{chart_of('scatter')}.data.datasets.filter((set) => set.type !== 'line')"
        ".map((set) => [set.pointBackgroundColor, set.errorBarColor !== undefined])"
    )
    assert ["transparent", True] in looks
    page.goto(furnished.addresses["model"])
    colours = [
        page.locator(f"main .is-{look}").first.evaluate("(it) => getComputedStyle(it).color")
        for look in ("predicted", "measured")
    ]
    assert colours[0] != colours[1]
    before = page.locator("main .is-predicted").first.evaluate(
        "(it) => getComputedStyle(it, '::before').content"
    )
    assert "≈" in before


def test_a_layers_bar_and_its_row_are_one_and_the_hyperparameters_are_copied(opened: Open) -> None:
    page = opened("candidate")
    row = page.locator("tr[data-key='stem']")
    row.hover()
    expect(row).to_have_class("is-highlighted")
    page.wait_for_function(is_marked("layers", "stem"))
    page.evaluate(CLIPBOARD)
    page.get_by_role("button", name="Copy").first.click()
    expect(page.locator("#toasts")).to_contain_text("Copied.")
    assert "input resolution" in page.evaluate("window.copied").lower()


def test_a_comparisons_layers_are_one_in_chart_table_and_drawings_and_the_chosen_one_is_a_link(
    opened: Open,
) -> None:
    page = opened("compare")
    row = page.locator("tr[data-key='stem']")
    boxes = page.locator(".drawings rect.is-highlighted")

    # From the table to the chart and the drawings, by pointer and by focus.
    row.hover()
    page.wait_for_function(is_marked("layers", "stem"))
    expect(boxes).to_have_count(3)
    page.mouse.move(2, 2)
    page.locator("tr[data-key='head'] th a").focus()
    page.wait_for_function(is_marked("layers", "head"))
    expect(row).not_to_have_class("is-highlighted")

    # A press of a key chooses the row; it stays marked when everything else is left.
    page.keyboard.press("Enter")
    assert page.url.endswith("#layer-head")
    page.locator("h1").hover()
    page.wait_for_function(is_marked("layers", "head"))
    expect(page.locator("tr[data-key='head']")).to_have_class("is-highlighted")

    # From the chart to the table: pointed at, then chosen.
    page.locator("#chart-layers").scroll_into_view_if_needed()
    bar = f"{chart_of('layers')}.getDatasetMeta(0).data[0]"
    at = page.evaluate(f"({{ x: {bar}.x, y: ({bar}.y + {bar}.base) / 2 }})")
    canvas = page.locator("#chart-layers canvas")
    canvas.hover(position=at)
    expect(row).to_have_class("is-highlighted")
    canvas.click(position=at)
    page.wait_for_url("**#layer-stem")
    page.locator("h1").hover()
    page.wait_for_function(is_marked("layers", "stem"))
    expect(row).to_have_class("is-highlighted")
    page.reload()
    page.wait_for_function(is_marked("layers", "stem"))
