"""Every page in Chromium: accessible in both themes, no wider than the screen, light, and of one origin."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response

from tests.browser.conftest import FurnishedSite, note_errors
from tests.serving import ROOT

pytestmark = pytest.mark.browser

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
LARGE = ("overview", "runs", "search", "search-new", "candidate", "explore", "compare", "device-agent")
WIDTHS = (320, 375, 640, 768, 1280)
ZOOMED = 640  # 1280 × 900 pixels at a zoom of 200 %, WCAG 1.4.10
PLAIN_KB, CHART_KB = 60, 150
OVER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"  # pixels
OUT_OF_REACH = (Path(__file__).parent / "out_of_reach.js").read_text()
RESTYLE = """(text) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  document.adoptedStyleSheets = [sheet];
}"""
SPACED = """
  * { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important }
  p { margin-bottom: 2em !important }
"""
PICTURES = os.environ.get("PICTURES")  # a directory: every page is then photographed there
PAGES = os.environ.get("PAGES", "").split()  # names of pages, to look at these alone


@pytest.fixture(params=["light", "dark"])
def context(
    request: pytest.FixtureRequest, chromium: Browser, furnished: FurnishedSite, session: Any
) -> Iterator[BrowserContext]:
    # A policy that forbids inline code is bypassed only for axe, which is put into the page by evaluating it.
    opened = chromium.new_context(
        base_url=furnished.address,
        storage_state=session,
        color_scheme=request.param,
        reduced_motion="reduce",
        bypass_csp=True,
    )
    opened.set_default_timeout(20_000)
    yield opened
    opened.close()


def settled(page: Page, address: str) -> None:
    """Opens a page and waits until what it loads has run."""
    page.goto(address)
    page.wait_for_load_state("load")
    page.wait_for_timeout(300)


def violations(page: Page) -> list[str]:
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})")
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def test_axe_finds_nothing_and_no_page_is_wider_than_the_screen(
    context: BrowserContext, furnished: FurnishedSite
) -> None:
    page = context.new_page()
    errors: list[str] = []
    note_errors(page, errors)
    found: dict[str, Any] = {}
    scheme = "dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"
    for name, address in furnished.addresses.items():
        if PAGES and name not in PAGES:
            continue
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 450 if width == ZOOMED else 900})
            if width in (WIDTHS[0], WIDTHS[-1]):
                settled(page, address)
                if wrong := violations(page):
                    found[f"{name} at {width}"] = wrong
            over = page.evaluate(OVER)
            if over > 0:
                found[f"{name} is too wide at {width}"] = over
            if width == ZOOMED and (wrong := page.evaluate(OUT_OF_REACH)):
                found[f"{name} zoomed"] = wrong
            if PICTURES:
                page.screenshot(path=Path(PICTURES) / f"{name}-{scheme}-{width}.png", full_page=True)
    assert found == {}
    assert errors == []


def test_large_and_spaced_text_is_whole_and_everything_can_be_pressed(
    chromium: Browser, furnished: FurnishedSite, session: Any
) -> None:
    """WCAG 1.4.4 and 1.4.12: text alone of 200 %, and text that is set wider."""
    context = chromium.new_context(
        base_url=furnished.address, storage_state=session, viewport={"width": 1280, "height": 900}
    )
    page = context.new_page()
    found: dict[str, Any] = {}
    for name in LARGE:
        settled(page, furnished.addresses[name])
        for setting in ("html { font-size: 200% }", SPACED):
            page.evaluate(RESTYLE, setting)
            if wrong := page.evaluate(OUT_OF_REACH):
                found[f"{name} with {setting}"] = wrong
    context.close()
    assert found == {}


def test_pages_are_light_and_ask_nobody_else(
    chromium: Browser, furnished: FurnishedSite, session: Any
) -> None:
    heavy: dict[str, float] = {}
    answers: list[Response] = []
    for name, address in furnished.addresses.items():
        answers.clear()
        context = chromium.new_context(base_url=furnished.address, storage_state=session)
        page = context.new_page()
        page.on("response", lambda answer: answers.append(answer))
        settled(page, address)
        foreign = [answer.url for answer in answers if not answer.url.startswith(furnished.address)]
        assert foreign == []
        kilobytes = sum(answer.request.sizes()["responseBodySize"] for answer in answers) / 1000
        limit = CHART_KB if page.locator("canvas").count() else PLAIN_KB
        if kilobytes > limit:
            heavy[name] = round(kilobytes, 1)
        context.close()
    assert heavy == {}


def test_without_scripts_every_page_still_says_what_it_is(
    chromium: Browser, furnished: FurnishedSite, session: Any
) -> None:
    context = chromium.new_context(
        base_url=furnished.address, storage_state=session, java_script_enabled=False
    )
    page = context.new_page()
    for address in furnished.addresses.values():
        page.goto(address)
        assert page.locator("h1").inner_text().strip()
        assert page.locator("main").inner_text().strip()
    context.close()


def test_the_slider_reads_the_front_at_once(
    chromium: Browser, furnished: FurnishedSite, session: Any
) -> None:
    context = chromium.new_context(base_url=furnished.address, storage_state=session)
    page = context.new_page()
    settled(page, furnished.addresses["search"])
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    milliseconds = page.evaluate(
        """() => {
             const slider = document.querySelector("#target");
             const begun = performance.now();
             for (let step = 0; step <= 100; step += 1) {
               slider.value = Number(slider.min) + (slider.max - slider.min) * step / 100;
               slider.dispatchEvent(new Event("input"));
             }
             return (performance.now() - begun) / 101;
           }"""
    )
    assert milliseconds < 300
    assert asked == []
    drawing = page.locator("[data-front] svg.drawing")
    boxes = []
    for end in ("max", "min"):
        page.locator("#target").evaluate(
            "(it, end) => { it.value = it[end]; it.dispatchEvent(new Event('input')); }", end
        )
        boxes.append(drawing.evaluate("it => it.outerHTML"))
    assert boxes[0] != boxes[1]
    page.locator("#target").evaluate("(it) => { it.value = it.min; it.dispatchEvent(new Event('input')); }")
    page.get_by_role("button", name="Open as a candidate").click()
    page.wait_for_url("**/candidates/**")
    assert "Candidate" in page.locator("h1").inner_text()
    context.close()


def test_a_block_of_the_drawing_shows_what_it_is_and_its_layers(
    chromium: Browser, furnished: FurnishedSite, session: Any
) -> None:
    context = chromium.new_context(base_url=furnished.address, storage_state=session)
    page = context.new_page()
    settled(page, furnished.addresses["candidate"])
    page.locator("svg.drawing rect").first.focus()
    page.keyboard.press("ArrowRight")
    detail = page.locator("[data-drawing-detail]").inner_text()
    assert detail.startswith("stage 1, block 1: ")
    assert "of the predicted latency" in detail
    marked = page.locator("tr.is-highlighted th").all_inner_texts()
    assert marked
    assert all(name.startswith("stage1.block1.") for name in marked)
    page.locator("tr[data-key='stem']").hover()
    assert page.locator("rect.is-highlighted").get_attribute("data-block") == "stem"
    context.close()
