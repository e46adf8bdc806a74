"""What a person does with a run in Chromium: is told of its end, tries it again, begins another like it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import FurnishedSite
from tests.browser.furnish import PASSWORD

pytestmark = pytest.mark.browser

# Stands for the browser's notifications, which a headless one does not show; and the page is not looked at.
NOTIFICATIONS = """
  window.asked = 0;
  window.Notification = class {
    constructor(title, options) {
      const told = JSON.parse(localStorage.getItem("told") ?? "[]");
      localStorage.setItem("told", JSON.stringify([...told, options.body]));
    }
    static get permission() { return localStorage.getItem("permission") ?? "default"; }
    static async requestPermission() {
      window.asked += 1;
      localStorage.setItem("permission", "granted");
      return "granted";
    }
  };
  Object.defineProperty(document, "hidden", { get: () => true });
"""


def test_the_end_of_a_run_is_told_and_the_run_begins_again(
    chromium: Browser, furnished: FurnishedSite, tmp_path: Path
) -> None:
    context = chromium.new_context(base_url=furnished.address)
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")

    # Only a press asks; what was chosen is remembered, either way.
    page.add_init_script(NOTIFICATIONS)
    page.goto(furnished.addresses["predictor-begun"])
    switch = page.get_by_role("button", name="Notify me at the end")
    expect(switch).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("window.asked") == 0
    for pressed in ("true", "false", "true"):
        switch.click()
        expect(switch).to_have_attribute("aria-pressed", pressed)
        page.reload()
        expect(switch).to_have_attribute("aria-pressed", pressed)
        assert page.evaluate("window.asked") == 0

    # Another tab cancels; this one tells, is drawn anew and offers to try again.
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    other = context.new_page()
    other.goto(furnished.addresses["predictor-begun"])
    other.get_by_role("button", name="Cancel…").click()
    other.get_by_role("button", name="Cancel the run").click()
    said = "Accuracy predictor “Begun” was cancelled."
    expect(page.locator("#toasts")).to_contain_text(said)
    assert json.loads(page.evaluate("localStorage.getItem('told')")) == [said]
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("[data-run] [data-run-status]")).to_have_text("Queued")
    other.close()

    # Its settings fill the form, from the link and from the file.
    page.get_by_text("Settings", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="settings.json").click()
    file = tmp_path / "settings.json"
    download.value.save_as(file)
    page.get_by_role("link", name="New with these settings").click()
    expect(page.get_by_label("Name")).to_have_value("Begun 2")
    page.get_by_text("Start from a settings file").click()
    page.get_by_label("Settings file").set_input_files(file)
    page.get_by_role("button", name="Fill in the form").click()
    expect(page.get_by_label("Budget")).to_have_value("9")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("1")
    context.close()
