"""Bringing a data set in Chromium: a file in pieces, over a connection that fails once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser.conftest import FurnishedSite
from tests.browser.furnish import PASSWORD
from tests.search.training.ingestion.made import files, picture, zip_of

pytestmark = pytest.mark.browser


def test_a_zip_is_uploaded_in_pieces_and_taken_in(
    chromium: Browser, furnished: FurnishedSite, tmp_path: Path
) -> None:
    content = files(3, 20)
    for number in range(9):  # larger than one piece
        content[f"class0/large{number}.png"] = picture(900 + number, (480, 480))
    archive = zip_of(tmp_path / "pets.zip", content)
    assert archive.stat().st_size > 4 * 2**20
    context = chromium.new_context(base_url=furnished.address)
    context.set_default_timeout(30_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto("/datasets/new/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    pieces: list[str] = []

    def fail_once(route: Route) -> None:
        pieces.append(route.request.url)
        if len(pieces) == 2:
            route.abort()
        else:
            route.continue_()

    page.route("**/uploads/*/?offset=*", fail_once)
    page.get_by_label("Name").fill("Pets")
    page.locator("[name=file]").set_input_files(archive)
    page.get_by_role("button", name="Take it in").click()
    page.wait_for_url("**/datasets/*-*/")
    offsets = [int(url.rpartition("=")[2]) for url in pieces]
    assert offsets == [0, 4 * 2**20, 4 * 2**20]  # the piece that failed was sent again
    expect(page.get_by_text("69 images of 3 classes, none left out.").first).to_be_visible()
    expect(page.locator("img.strip")).to_have_count(3)
    loaded: Any = page.locator("img.strip").first.evaluate(
        "(image) => image.decode().then(() => image.naturalWidth)"
    )
    assert loaded > 0
    expect(page.locator("#chart-classes-finding")).to_contain_text("class")
    assert errors == []
    context.close()
