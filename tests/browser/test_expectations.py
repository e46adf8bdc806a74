"""What a person expects of live pages, charts, tables and keys: one page load serves several expectations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.browser.conftest import FurnishedSite
from tests.browser.test_pages import session  # noqa: F401  (a fixture)

pytestmark = pytest.mark.browser
Open = Callable[..., Page]

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


@pytest.fixture
def opened(chromium: Browser, furnished: FurnishedSite, session: Any) -> Iterator[Open]:  # noqa: F811
    """Opens a page by its name, signed in; errors of the console fail the test."""
    errors: list[str] = []
    contexts = []

    def open_page(name: str, prepare: Callable[[Page], None] = lambda page: None, **options: Any) -> Page:
        # The policy that forbids evaluating text would forbid waiting for what a chart holds.
        asked: dict[str, Any] = {
            "viewport": {"width": 1280, "height": 900},
            "reduced_motion": "reduce",
            "bypass_csp": True,
        }
        asked |= options
        context = chromium.new_context(base_url=furnished.address, storage_state=session, **asked)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page: Page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        prepare(page)
        page.goto(furnished.addresses[name])
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


class Script:
    """The server's side of a run's events, spoken by the test."""

    def __init__(self) -> None:
        self.sockets: list[WebSocketRoute] = []
        self.seq = 0

    def listen(self, page: Page) -> None:
        page.route_web_socket("**/ws/runs/**", lambda socket: self.sockets.append(socket))

    def say(self, kind: str, data: dict[str, Any], *, seconds_ago: float = 0) -> None:
        if not self.seq:
            self.seq = int(self.sockets[-1].url.rpartition("after=")[2])
        self.seq += 1
        at = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat()
        event = {"seq": self.seq, "at": at, "kind": kind, "data": data}
        self.sockets[-1].send(json.dumps(event))


def test_a_live_page_tells_progress_connection_and_the_end(opened: Open) -> None:
    script = Script()
    page = opened("predictor-begun", script.listen)
    panel = page.locator("[data-run]").first
    state = panel.locator("[data-live-words]")
    expect(state).to_have_text("Live")
    script.say("status", {"status": "running"}, seconds_ago=60)
    script.say("progress", {"done": 3, "total": 9, "message": "3 of 9 trained."})

    # How far, since when, how long still, in the tab too; a point of progress is no milestone.
    expect(page).to_have_title("33 % · Begun · ChamNet")
    expect(panel.locator("[data-run-step]")).to_have_text("3 of 9 samples")
    expect(panel.locator("[data-run-time]")).to_contain_text("1 min")
    expect(panel.locator("[data-run-time]")).to_contain_text("about 2 min left")
    expect(panel.locator("[data-live-age]")).to_contain_text("updated")
    assert page.locator("#milestones").inner_text() == ""

    # While updates are paused the page stands still; what came meanwhile is shown after.
    panel.get_by_role("button", name="Pause updates").click()
    script.say("progress", {"done": 4, "total": 9})
    expect(panel.locator("[data-live-age]")).to_have_text("1 waiting")
    expect(panel.locator("[data-run-step]")).to_have_text("3 of 9 samples")
    panel.get_by_role("button", name="Resume updates").click()
    expect(panel.locator("[data-run-step]")).to_have_text("4 of 9 samples")

    # A lost connection is told, and taken up behind the last event.
    script.sockets[-1].close()
    expect(state).to_have_text("Live")
    assert len(script.sockets) == 2
    assert script.sockets[-1].url.endswith(f"after={script.seq}")
    expect(page.locator("#milestones")).to_have_text("The connection was lost; reconnecting.")

    # Without a total the bar says that nobody knows.
    script.say("progress", {"done": 5, "total": None})
    expect(panel.locator("progress")).not_to_have_attribute("value", "5")

    # The end: reason, tab, toast; Cancel had asked first and said what is kept.
    page.get_by_role("button", name="Cancel…").click()
    dialog = page.get_by_role("dialog", name="Cancel this run?")
    expect(dialog).to_contain_text("kept")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    script.say("status", {"status": "failed", "reason": "The disk is full."})
    expect(page).to_have_title("Failed · Begun · ChamNet")
    expect(panel.locator("[data-run-reason]")).to_have_text("The disk is full.")
    expect(page.locator("#toasts")).to_contain_text("failed: The disk is full.")


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


def test_what_a_training_and_a_search_will_take_follows_the_choices(opened: Open) -> None:
    page = opened("candidate")
    told = page.locator("[data-forecasts] li:visible")
    expect(told).to_have_count(1)
    expect(told).to_contain_text("Training with seconds-final: about ")
    page.get_by_label("Recipe").select_option("minutes-final")
    expect(told).to_have_count(1)
    expect(told).to_contain_text("Training with minutes-final: about ")

    page.goto("/searches/new/")
    scored = page.locator("[data-scored]")
    expect(scored).to_have_text("The search scores 9,600 networks")
    before = page.locator("[data-about]").inner_text()
    page.get_by_label("Generations").fill("2000")
    expect(scored).to_have_text("The search scores 192,000 networks")
    expect(page.locator("[data-about]")).not_to_have_text(before)
    page.locator("summary", has_text="More limits").click()
    page.get_by_label("With several devices").select_option("both")
    page.get_by_label("Limit on").first.select_option(index=1)
    expect(scored).to_have_text("3 searches score 576,000 networks")

    page.goto("/studies/new/")
    page.get_by_label("Predictor").select_option(label="Digits")
    page.get_by_label("Latency limits").fill("0.08 0.09")
    page.get_by_label("Trainings of every network").or_(page.get_by_label("Seeds")).first.press("Tab")
    expect(page.locator("[data-time]")).to_contain_text("At most 12 trainings to the end")
    expect(page.locator("[data-time]")).to_contain_text("A training takes about ")
    expect(page.locator("[data-time-button]")).to_be_hidden()


def test_keys_lead_through_a_list_and_its_heads_hide_no_focus(opened: Open) -> None:
    page = opened("runs", viewport={"width": 1280, "height": 500})
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    # Upwards through the rows: what has the focus is seen, not the head above it.
    links = page.locator("tbody th a")
    links.nth(30).focus()
    for _ in range(25):
        page.keyboard.press("Shift+Tab")
        seen = page.evaluate(
            """() => {
                 const at = document.activeElement.getBoundingClientRect();
                 const top = document.elementFromPoint(at.left + at.width / 2, at.top + 2);
                 return document.activeElement === top || document.activeElement.contains(top);
               }"""
        )
        assert seen, page.evaluate("document.activeElement.textContent")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"

    # Words beside every status, times with the moment on hover, `/` to the filter, Esc out of a menu.
    for status in page.locator(".status").all()[:8]:
        assert status.inner_text().strip()
        assert status.locator("svg use").count() == 1
    assert page.locator("tbody time:not([title])").count() == 0
    assert ":" in (page.locator("tbody time").first.get_attribute("title") or "")
    page.keyboard.press("/")
    expect(page.get_by_label("Find")).to_be_focused()
    menu = page.locator("details.menu").first
    menu.locator("summary").click()
    expect(menu).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(menu.locator("summary")).to_be_focused()
