"""Photographs the application's pages for the guide and the README.

    python -m docs.make_pictures            all pictures
    python -m docs.make_pictures search     one of them

Starts an installation of its own, filled as the browser tests' is, and writes both themes of every picture to
static/img/guide. Needs Chromium and what requirements-dev.txt names.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from chamnet_web.guide.markdown import PICTURES as PLACE
from chamnet_web.guide.markdown import dark_name
from tests.browser.conftest import FLAGS, serving, sign_in
from tests.serving import ROOT, furnish, installation

FOLDER = ROOT / "static" / PLACE
MOST_BYTES = 40_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A part of a page: from the top of `element`, at most `height` CSS pixels, in a window `width` wide."""

    name: str
    page: str  # a name among the addresses of tests/browser/furnish.py
    element: str
    width: int
    height: int

    @property
    def file(self) -> str:
        return f"{self.name}.webp"


PICTURES = (
    Picture("quickstart", "quickstart", "main", 760, 540),
    Picture("table", "table-joined", "#chart-calibration", 800, 600),
    Picture("predictor", "predictor", "#chart-samples", 800, 600),
    Picture("search", "search", "#chart-population", 800, 600),
    Picture("front", "search", "[data-front]", 800, 410),
    Picture("curves", "predictor", "#chart-curves", 800, 600),
    Picture("model", "model", "#chart-loss", 800, 600),
)


def main(names: list[str]) -> None:
    chosen = [picture for picture in PICTURES if not names or picture.name in names]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        environment = installation(Path(data))
        addresses = furnish(environment)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        with serving(environment) as address:
            for theme in ("light", "dark"):
                page = signed_in(browser, address, theme)
                for picture in chosen:
                    save(photograph(page, picture, addresses[picture.page]), picture, theme)
        browser.close()


def signed_in(browser: Browser, address: str, theme: str) -> Page:
    context = browser.new_context(
        base_url=address,
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        device_scale_factor=1.5,
    )
    page = context.new_page()
    sign_in(page)
    return page


def photograph(page: Page, picture: Picture, address: str) -> Image.Image:
    page.set_viewport_size({"width": picture.width, "height": 900})
    page.goto(address)
    page.wait_for_load_state("networkidle")
    place = page.locator(picture.element).first
    # Of a whole page Chromium now and then photographs a canvas as large as it was before.
    place.evaluate("it => it.scrollIntoView({ block: 'start', behavior: 'instant' })")
    page.wait_for_timeout(500)  # charts take the size of their frame after they are drawn
    box = place.bounding_box()
    if box is None:
        raise SystemExit(f"The page {picture.page} has no {picture.element}.")
    box["height"] = min(box["height"], picture.height)
    return Image.open(io.BytesIO(page.screenshot(clip=box))).convert("RGB")


def save(image: Image.Image, picture: Picture, theme: str) -> None:
    """Compresses as little as the allowed size permits."""
    path = FOLDER / (picture.file if theme == "light" else dark_name(picture.file))
    for quality in range(80, 20, -5):
        packed = io.BytesIO()
        image.save(packed, "WEBP", quality=quality, method=6)
        if packed.tell() <= MOST_BYTES:
            break
    else:
        raise SystemExit(f"{picture.file} stays above {MOST_BYTES} bytes: photograph less of the page.")
    path.write_bytes(packed.getvalue())
    print(f"{path.relative_to(ROOT)}: {image.width} × {image.height}, {packed.tell() / 1000:.1f} KB")


if __name__ == "__main__":
    main(sys.argv[1:])
