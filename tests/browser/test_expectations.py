"""What a person expects of live pages, estimates and keys: one page load serves several expectations."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.conftest import Open

pytestmark = pytest.mark.browser


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
