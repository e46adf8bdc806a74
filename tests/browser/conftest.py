"""Chromium, and an installation for it to look at."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.serving import PASSWORD, ROOT, Serving, free_port, furnish, installation

Open = Callable[..., Page]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Site:
    """A running installation and how to sign in to it for the first time."""

    address: str
    one_time_password: str


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[str]:
    """The address of an installation that runs meanwhile, and stops cleanly without having complained."""
    port = free_port()
    running = Serving(environment, port)
    try:
        running.wait_until_open()
        yield f"http://127.0.0.1:{port}"
        assert running.stop(signal.SIGINT) == 0
        assert "Traceback" not in running.output, running.output
    finally:
        running.end()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    environment = installation(tmp_path_factory.mktemp("data"), TRAIN_WORKERS="2")
    said = subprocess.run(
        [sys.executable, "manage.py", "first_account"],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    password = re.search(r"one-time password (\S+)", said)
    assert password is not None, said
    with serving(environment) as address:
        yield Site(address, password[1])


@dataclass
class FurnishedSite:
    """A running installation with something of everything; `addresses` holds its pages by name."""

    address: str
    addresses: dict[str, str]


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FurnishedSite]:
    environment = installation(tmp_path_factory.mktemp("furnished"))
    addresses = furnish(environment)
    with serving(environment) as address:
        yield FurnishedSite(address, addresses)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path is not None, "These tests drive Debian's chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def sign_in(page: Page) -> None:
    """As the one account of a furnished installation."""
    page.goto("/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")


@pytest.fixture(scope="session")
def session(chromium: Browser, furnished: FurnishedSite) -> Any:
    """What a signed-in browser remembers."""
    context = chromium.new_context(base_url=furnished.address)
    page = context.new_page()
    sign_in(page)
    state = context.storage_state()
    context.close()
    return state


def note_errors(page: Page, errors: list[str]) -> None:
    """Whatever goes wrong in the page's scripts, or is told in its console."""
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)


@pytest.fixture
def opened(chromium: Browser, furnished: FurnishedSite, session: Any) -> Iterator[Open]:
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
        note_errors(page, errors)
        prepare(page)
        page.goto(furnished.addresses[name])
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def page(chromium: Browser, site: Site) -> Iterator[Page]:
    """A page that fails the test for every error that its console shows, but for forms that were refused."""
    context = chromium.new_context(base_url=site.address, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    opened = context.new_page()
    errors: list[str] = []
    note_errors(opened, errors)
    yield opened
    context.close()
    assert [error for error in errors if "(Unprocessable Entity)" not in error] == []
