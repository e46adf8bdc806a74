"""Static files as a browser gets them from the server, with collected, hashed and compressed files."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client, override_settings

from chamnet_web.static_files import StaticFiles

Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files as an installation has them, with hashed names."""
    root = tmp_path_factory.mktemp("static")
    hashed = {"BACKEND": "chamnet_web.static.HashedModuleStorage"}
    with override_settings(STATIC_ROOT=root, STORAGES=settings.STORAGES | {"staticfiles": hashed}):
        call_command("collectstatic", "--noinput", verbosity=0)
        yield root


@pytest.fixture
def files(collected: Path) -> StaticFiles:
    return StaticFiles(_elsewhere)


async def _elsewhere(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"elsewhere"})


def ask(
    files: StaticFiles, path: str, *, method: str = "GET", scheme: str = "http", **headers: str
) -> Answer:
    """Status, headers and content."""
    told = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "path": path, "method": method, "scheme": scheme, "headers": told}
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(files(scope, None, send))
    start, body = sent
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body["body"]


def test_a_script_comes_compressed_and_is_never_taken_for_another_kind(files: StaticFiles) -> None:
    source = (Path(__file__).parents[1] / "static" / "js" / "theme.js").read_bytes()
    status, headers, content = ask(files, "/static/js/theme.js", accept_encoding="gzip")
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert headers["content-type"].startswith("text/javascript")
    assert headers["x-content-type-options"] == "nosniff"
    assert gzip.decompress(content) == source
    assert ask(files, "/static/js/theme.js")[2] == source


def test_a_hashed_file_is_kept_by_browsers_and_not_sent_again(files: StaticFiles, collected: Path) -> None:
    hashed = next((collected / "css").glob("tokens.*.css")).name
    _, headers, _ = ask(files, f"/static/css/{hashed}")
    assert "immutable" in headers["cache-control"]
    status, _, content = ask(files, f"/static/css/{hashed}", if_none_match=headers["etag"])
    assert (status, content) == (304, b"")


def test_the_headers_are_those_that_django_would_send(files: StaticFiles) -> None:
    answer = Client().get("/static/js/theme.js")
    assert b"".join(answer) == ask(files, "/static/js/theme.js")[2]
    assert ask(files, "/static/js/theme.js")[1] == {n.lower(): v for n, v in answer.headers.items()}


def test_under_tls_browsers_are_told_to_stay_there(collected: Path) -> None:
    with override_settings(SECURE_HSTS_SECONDS=3600):
        files = StaticFiles(_elsewhere)
        _, headers, _ = ask(files, "/static/js/theme.js", scheme="https")
        assert headers["strict-transport-security"] == "max-age=3600"
        assert "strict-transport-security" not in ask(files, "/static/js/theme.js")[1]


def test_a_head_has_no_content_and_nothing_is_posted(files: StaticFiles) -> None:
    assert ask(files, "/static/js/theme.js", method="HEAD")[2] == b""
    assert ask(files, "/static/js/theme.js", method="POST")[0] == 405


def test_other_addresses_and_files_outside_are_not_answered_here(files: StaticFiles) -> None:
    for path in (
        "/",
        "/static/",
        "/static/js/none.js",
        "/static/../manage.py",
        "/static/js/../../secret-key",
    ):
        assert ask(files, path)[::2] == (418, b"elsewhere")


def test_where_pages_need_tls_an_open_request_is_led_there(files: StaticFiles) -> None:
    with override_settings(SECURE_SSL_REDIRECT=True):
        assert ask(files, "/static/js/theme.js")[0] == 418
        assert ask(files, "/static/js/theme.js", scheme="https")[0] == 200
