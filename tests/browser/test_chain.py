"""One person's way from signing in to a file that keeps its promise, by clicking."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Page, expect

from devices.profiling.torchscript import load
from search.training import datasets
from tests.browser.conftest import Site

pytestmark = pytest.mark.browser

LONG = 420_000  # milliseconds; the table of a whole preset takes minutes on a slow machine


def wait_for_success(page: Page) -> None:
    """Without a reload: the page has to hear of it."""
    status = page.locator("[data-run]").first
    expect(status).to_be_attached()
    expect(status).to_have_attribute("data-status", re.compile("succeeded|failed|cancelled"), timeout=LONG)
    assert status.get_attribute("data-status") == "succeeded", page.locator("[data-run-reason]").inner_text()


def events_of(page: Page) -> list[int]:
    """Sequence numbers of the run's events as a socket of this page's own delivers them from the first."""
    run = page.locator("[data-run]").first.get_attribute("data-run")
    found: list[int] = page.evaluate(
        """(run) => new Promise((resolve) => {
             const seen = [];
             const socket = new WebSocket(`ws://${location.host}/ws/runs/${run}/?after=0`);
             socket.onmessage = (message) => seen.push(JSON.parse(message.data).seq);
             setTimeout(() => { socket.close(); resolve(seen); }, 1500);
           })""",
        run,
    )
    return found


def test_from_sign_in_to_a_file_that_runs(page: Page, site: Site, tmp_path: Path) -> None:
    # Sign in with the one-time password, choose one.
    page.goto("/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(site.one_time_password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Choose your password")).to_be_visible()
    page.get_by_label("Old password").fill(site.one_time_password)
    page.get_by_label("New password", exact=True).fill("correct horse battery")
    page.get_by_label(re.compile("confirmation")).fill("correct horse battery")
    page.get_by_role("button", name="Save the password").click()

    # The empty overview offers both ways.
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.get_by_role("heading", name="Quick start")).to_be_visible()

    # Register this machine; first with a mistake.
    page.get_by_role("link", name=re.compile("Register a device", re.I)).first.click()
    page.get_by_label("Name").fill("The bench")
    page.get_by_label("Threads").fill("100")
    page.get_by_role("button", name=re.compile("Register")).click()
    expect(page.get_by_text("use at most as many threads")).to_be_visible()
    page.get_by_label("Threads").fill("1")
    page.get_by_role("button", name=re.compile("Register")).click()
    expect(page.get_by_text("“The bench” is registered.")).to_be_visible()

    # Its latency table, with a reload in the middle.
    fitting = page.get_by_label("Space", exact=True).locator(
        "option", has_text=re.compile("mobile-small.*digits", re.I)
    )
    page.get_by_label("Space", exact=True).select_option(fitting.get_attribute("value"))
    page.get_by_role("button", name=re.compile("Measure|Build")).first.click()
    expect(page.locator("[data-run-message]")).to_contain_text("operators measured", timeout=60_000)
    page.reload()
    wait_for_success(page)
    seen = events_of(page)
    assert seen == list(range(1, len(seen) + 1))
    expect(page.locator("[data-coverage]")).to_have_text("100.0 %")
    page.get_by_label("Find").fill("depthwise")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("section[data-refresh=entries] tbody tr").first).to_contain_text("depthwise")

    # An accuracy predictor; first with a budget below its initial design.
    page.get_by_role("link", name="Build a predictor").click()
    page.get_by_label("Name").fill("Digits in the browser")
    page.get_by_label("Space", exact=True).select_option("chamnet-mobile-small")
    page.get_by_label("Data set").select_option("digits")
    page.get_by_label("Recipe", exact=True).select_option("seconds")
    page.get_by_label("Budget").fill("5")
    page.get_by_label("Initial design").fill("6")
    page.get_by_role("button", name=re.compile("Build|Start")).click()
    expect(page.get_by_text("Raise the budget to at least 6")).to_be_visible()
    page.get_by_label("Budget").fill("10")
    page.get_by_role("button", name=re.compile("Build|Start")).click()
    expect(page.locator("[data-training] li").first).to_be_visible(timeout=60_000)
    wait_for_success(page)
    expect(page.locator("section[data-refresh=proposals] tbody tr")).to_have_count(10)
    expect(page.locator("[data-mae]")).to_contain_text("%")
    seen = events_of(page)
    assert seen == list(range(1, len(seen) + 1))

    # A search; first below what the device can reach.
    page.get_by_role("link", name="Start a search").click()
    page.get_by_label("Name").fill("As fast as half")
    expect(page.get_by_label("Device and table")).not_to_have_value("")  # the only one is chosen
    span = page.locator("[data-range]")
    expect(span).to_be_visible()
    least, greatest = (float(number) for number in re.findall(r"\d+(?:\.\d+)?", span.inner_text())[:2])
    assert 0 < least < greatest
    page.get_by_label("Population").fill("24")
    page.get_by_label("Generations").fill("12")
    page.get_by_label("Latency limit", exact=True).fill(f"{least / 3:.4f}")
    page.get_by_role("button", name="Start the search").click()
    expect(page.get_by_text("The fastest network of this space on this device takes")).to_be_visible()
    limit = (least * greatest) ** 0.5
    page.get_by_label("Latency limit", exact=True).fill(f"{limit:.3f}")
    page.get_by_role("button", name="Start the search").click()
    wait_for_success(page)
    candidates = page.locator("section[aria-labelledby=candidates-title] tbody tr")
    expect(candidates.first).to_contain_text("Candidate 1")
    assert candidates.count() > 1

    # The slider reads the front without asking the server.
    slider = page.locator("#target")
    loosest = page.locator("[data-front-accuracy]").inner_text()
    slider.evaluate("(it) => { it.value = it.min; it.dispatchEvent(new Event('input')); }")
    expect(page.locator("[data-front-lost]")).not_to_have_text("0 points")
    tightest = page.locator("[data-front-accuracy]").inner_text()
    assert float(re.findall(r"[\d.]+", tightest)[0]) <= float(re.findall(r"[\d.]+", loosest)[0])

    # Train the best to the end, and download it.
    page.get_by_role("link", name="See the best candidate").click()
    page.get_by_label("Recipe").select_option("seconds-final")
    page.get_by_role("button", name="Train").click()
    wait_for_success(page)
    expect(page.get_by_role("heading", name="Files")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download TorchScript").first.click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    shown = page.locator("td.sha code").first.get_attribute("title")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == shown

    # Try it on an image, without leaving the page; a second file differs only in its format.
    digit = tmp_path / "digit.png"
    Image.fromarray(datasets.load_test("digits").pixels()[0, ..., 0]).save(digit)
    page.locator("#try-image").set_input_files(digit)
    expect(page.locator(".guesses li")).to_have_count(5)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download ONNX", exact=True).click()
    assert download.value.suggested_filename.endswith(".onnx")

    # The file: its classes, and the accuracy that the page says.
    model, extra = load(path, ("classes.json", "preprocessing.json", "architecture.json", "versions.json"))
    assert json.loads(extra["classes.json"]) == list(datasets.dataset("digits").classes)
    test = datasets.load_test("digits")
    with torch.inference_mode():
        outputs = model(torch.from_numpy(test.images.copy()).permute(0, 3, 1, 2).float() / 255)
    accuracy = float(np.mean(outputs.argmax(dim=1).numpy() == test.labels))
    measured = [
        page.locator("section[data-refresh=comparison] tr", has_text=quantity).locator(".is-measured")
        for quantity in ("Accuracy (", "Latency on")
    ]
    assert measured[0].inner_text() == f"{100 * accuracy:.2f} %"
    assert float(measured[1].inner_text().removesuffix(" ms")) > 0

    with_more_devices_and_predictors(page, tmp_path, limit, greatest)


def saved(page: Page, link: str, path: Path) -> Path:
    """The file behind a link, where the person keeps it."""
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    download.value.save_as(path)
    return path


def with_more_devices_and_predictors(page: Page, tmp_path: Path, limit: float, greatest: float) -> None:
    """What exists is used again: files out and in, a second device, energy, limits together and apart."""
    # Trainings go out as CSV, and come in as another predictor; first a file that is none.
    page.goto("/predictors/")
    page.get_by_role("link", name="Digits in the browser").click()
    samples = saved(page, "CSV of 10 samples", tmp_path / "samples.csv")
    page.goto("/predictors/")
    page.get_by_role("link", name="Import trainings").click()
    page.get_by_label("Name").fill("Come back")
    page.get_by_label("Where it comes from").fill("the page before")
    page.locator("[name=file]").set_input_files(
        {"name": "x.csv", "mimeType": "text/csv", "buffer": b"resolution\n8\n"}
    )
    page.get_by_role("button", name="Import and fit").click()
    expect(page.get_by_text("The header needs one column for the value")).to_be_visible()
    page.locator("[name=file]").set_input_files(samples)
    page.get_by_role("button", name="Import and fit").click()
    wait_for_success(page)
    expect(page.get_by_role("heading", name="How good it is")).to_be_visible()

    # A second device takes the first one's table as a file.
    page.goto("/devices/")
    page.get_by_role("link", name="The bench").first.click()
    page.get_by_role("link", name="Version 1").click()
    table = saved(page, "JSON lines", tmp_path / "table.jsonl")
    page.goto("/devices/new/")
    page.get_by_label("Name").fill("The phone")
    page.get_by_label("Engine").select_option("external")
    page.get_by_role("checkbox", name="This machine").uncheck()
    page.get_by_role("button", name=re.compile("Register")).click()
    page.get_by_role("link", name="Import a table", exact=True).click()
    page.locator("[name=file]").set_input_files(table)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("[data-coverage]")).to_have_text("100.0 %")

    # Its energy, measured by nobody: what matters here is the way.
    with samples.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    energies = tmp_path / "energy.csv"
    with energies.open("w", newline="", encoding="utf-8") as file:
        genes = [name for name in rows[0] if "." in name or name == "resolution"]
        writer = csv.writer(file)
        writer.writerow([*genes, "energy_mj"])
        for row in rows:
            values = [int(row[name]) for name in genes]
            writer.writerow([*values, 10 + sum(values) / 20])
    page.goto("/devices/")
    page.get_by_role("link", name="The phone").first.click()
    page.get_by_role("link", name="Measure or import").click()
    importing = page.get_by_role("region", name="Import")
    space = importing.get_by_label("Space", exact=True)
    fitting = space.locator("option", has_text=re.compile("mobile-small.*digits", re.I))
    space.select_option(fitting.get_attribute("value"))
    importing.get_by_label("Meter").fill("None: made up by a test")
    importing.locator("[name=file]").set_input_files(energies)
    page.get_by_role("button", name="Import and fit").click()
    wait_for_success(page)
    expect(page.get_by_text("Error of the baseline")).to_be_visible()

    # A predictor that starts from the first one, which then is stale until it is fitted to all samples.
    page.goto("/predictors/new/")
    page.get_by_label("Name").fill("Heir")
    page.get_by_label("Space", exact=True).select_option("chamnet-mobile-small")
    page.get_by_label("Data set").select_option("digits")
    page.get_by_label("Recipe", exact=True).select_option("seconds")
    page.get_by_label("Budget").fill("4")
    page.get_by_label("Initial design").fill("3")
    page.get_by_label("Seed", exact=True).fill("5")
    page.get_by_label("Warm start from").select_option(label="Digits in the browser")
    page.get_by_role("button", name=re.compile("Build|Start")).click()
    wait_for_success(page)
    page.goto("/predictors/")
    page.get_by_role("link", name="Digits in the browser").click()
    expect(page.get_by_text("This version is stale.")).to_be_visible()
    page.get_by_role("button", name="Fit a new version to all samples").click()
    wait_for_success(page)

    # One search within every kind of limit, for all devices and for each.
    page.get_by_role("link", name="Start a search").click()
    page.get_by_label("Name").fill("Everywhere")
    bench = page.get_by_label("Device and table").locator("option", has_text="The bench v1")
    page.get_by_label("Device and table").select_option(bench.get_attribute("value"))
    page.get_by_label("Latency limit", exact=True).fill(f"{limit:.3f}")
    page.get_by_text("More limits:").click()
    # The file of a table has no calibration: on the phone the same operators may add up to more.
    for place, (of, maximum) in enumerate([("table", f"{5 * greatest:.3f}"), ("cost", "60")]):
        what = page.locator(f"[name=limits-{place}-of]")
        option = what.locator(f"option[value^={of}]", has_text="The phone v1")
        what.select_option(option.get_attribute("value"))
        page.locator(f"[name=limits-{place}-maximum]").fill(maximum)
    page.get_by_label("With several devices").select_option("both")
    page.get_by_label("File size").fill("2000")
    page.get_by_label("Population").fill("24")
    page.get_by_label("Generations").fill("12")
    page.get_by_role("button", name="Start the search").click()
    wait_for_success(page)
    expect(page.get_by_text("Limit of energy on The phone")).to_be_visible()
    apart = page.locator("section[aria-labelledby=group-title] tbody tr")
    expect(apart).to_have_count(3)
    drawing = page.locator("[data-front] svg.drawing")
    loose = drawing.evaluate("it => it.outerHTML")
    page.locator("#target").evaluate("(it) => { it.value = it.min; it.dispatchEvent(new Event('input')); }")
    assert drawing.evaluate("it => it.outerHTML") != loose
    page.get_by_role("link", name="See the best candidate").click()
    kept = page.locator("section[aria-labelledby=limits-title] tbody tr")
    expect(kept).to_have_count(4)
    for chance in kept.locator("td:last-child").all_inner_texts():
        assert float(chance.removesuffix(" %")) >= 90
