"""Help where it is needed: terms that explain themselves, shortcuts, and control of a curve's smoothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open

pytestmark = pytest.mark.browser

PICTURES = os.environ.get("PICTURES")


def test_a_term_explains_itself_beside_the_word_by_keyboard(opened: Open) -> None:
    page = opened("search")
    term = page.get_by_role("button", name="Diversity", exact=True)
    note = page.locator("#term-diversity")
    expect(note).to_be_hidden()
    term.focus()
    page.keyboard.press("Enter")
    expect(note).to_be_visible()
    expect(note).to_contain_text("How much the networks of a generation differ")
    word, box = term.bounding_box(), note.bounding_box()
    assert word is not None
    assert box is not None
    assert 0 <= box["y"] - (word["y"] + word["height"]) < 16
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / "term.png")
    page.keyboard.press("Tab")
    expect(note.get_by_role("link")).to_be_focused()
    page.keyboard.press("Escape")
    expect(note).to_be_hidden()
    expect(term).to_be_focused()


def test_a_term_explains_itself_without_scripts_and_by_touch(opened: Open) -> None:
    options = {"java_script_enabled": False, "has_touch": True, "viewport": {"width": 320, "height": 700}}
    page = opened("search-new", **options)
    page.get_by_role("button", name="What is this: Confidence").tap()
    note = page.locator("#term-confidence")
    expect(note).to_be_visible()
    box = note.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 320
    page.get_by_role("heading", level=1).tap()
    expect(note).to_be_hidden()


def test_keys_list_themselves_and_reach_the_search_of_the_guide(opened: Open) -> None:
    page = opened("help-chapter")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("/")
    field = page.get_by_role("searchbox", name="Search the guide")
    expect(field).to_be_focused()
    field.fill("out of reach")
    field.press("Enter")
    page.get_by_role("link", name="My target is out of reach").click()
    expect(page.get_by_role("heading", name="My target is out of reach")).to_be_in_viewport()


def test_a_chapters_picture_follows_the_chosen_theme(opened: Open) -> None:
    page = opened("help-chapter", color_scheme="light")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator("summary[aria-label='Theme']").click()
    page.get_by_role("button", name="Dark").click()
    page.locator(".picture-dark").scroll_into_view_if_needed()
    expect(page.locator(".picture-light")).to_be_hidden()
    expect(page.locator(".picture-dark")).to_have_js_property("complete", True)
    page.wait_for_function("document.querySelector('.picture-dark').naturalWidth > 0")
    assert [url for url in asked if "search-dark" in url]


def test_a_learning_curve_is_smoothed_as_much_as_asked(opened: Open) -> None:
    page = opened("model")
    page.locator("#chart-loss summary").click()
    rows = page.locator("#chart-loss tbody tr", has_text="Smoothed")
    last = rows.last.inner_text()
    page.get_by_label("Smoothing").fill("0")
    expect(page.locator("[data-smoothing]")).to_have_text("0")
    expect(rows.last).not_to_have_text(last)
    raw = page.locator("#chart-loss tbody tr", has_text="Each epoch").last.inner_text()
    assert rows.last.inner_text().split("\t")[1:] == raw.split("\t")[1:]
