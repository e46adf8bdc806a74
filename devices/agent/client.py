"""The agent's side of the API: standard library only, patient with connections, strict with files."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

TIMEOUT = 60.0
LONGEST_WAIT = 30.0
LARGEST_FILE = 1 << 30


class RefusedError(Exception):
    """The server understood and said no; trying again would not help."""


class CorruptFileError(Exception):
    """What arrived is not what the server built."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """A redirect is a refusal: followed, it would take the token to whomever it names."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_Stay)


class Client:
    """Speaks to one server with one device's token.

    A connection that cannot be made, is lost or is answered with a server's error is tried again, with
    growing pauses, for as long as it takes; `on_wait` is told before each pause.
    """

    def __init__(self, server: str, token: str, cache: Path, on_wait: Callable[[str, float], None]) -> None:
        self._server, self._token = server.rstrip("/") + "/", token
        self._cache, self._on_wait = cache, on_wait
        cache.mkdir(parents=True, exist_ok=True)

    def get(self, path: str) -> Any:
        return json.loads(self._ask(path, None))

    def post(self, path: str, data: Any) -> Any:
        return json.loads(self._ask(path, json.dumps(data).encode()))

    def content(self, item: dict[str, Any]) -> bytes:
        """A file, from the cache where it is there. Raises CorruptFileError when its SHA-256 is another."""
        name = "".join(letter for letter in item["sha256"] if letter.isalnum())
        path = self._cache / f"{name}.gz"
        if path.exists():
            known = path.read_bytes()
            if hashlib.sha256(known).hexdigest() == item["sha256"]:
                return _unpacked(known)
        received = self._ask(item["url"], None)
        if hashlib.sha256(received).hexdigest() != item["sha256"]:
            raise CorruptFileError(f"The file of {item['name']} has another SHA-256 than the server said.")
        part = path.with_suffix(".part")
        part.write_bytes(received)
        part.replace(path)
        return _unpacked(received)

    def _ask(self, path: str, data: bytes | None) -> bytes:
        request = urllib.request.Request(  # noqa: S310  (the person names the server)
            urljoin(self._server, path),
            data=data,
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        pause = 1.0
        while True:
            try:
                with _OPENER.open(request, timeout=TIMEOUT) as answer:
                    content: bytes = answer.read(LARGEST_FILE)
                    return content
            except urllib.error.HTTPError as error:
                if error.code < 500 and error.code != 429:
                    raise RefusedError(_reason(error)) from error
                said = f"the server answered {error.code}"
            except (OSError, ValueError) as error:  # URLError and timeouts are OSErrors
                if isinstance(error, ValueError):
                    raise RefusedError(f"{path} is no address: {error}") from error
                said = str(getattr(error, "reason", error))
            self._on_wait(said, pause)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_WAIT)


def _unpacked(content: bytes) -> bytes:
    return gzip.decompress(content)


def _reason(error: urllib.error.HTTPError) -> str:
    if 300 <= error.code < 400:
        return (
            f"The server sends on to {error.headers.get('Location', 'nowhere')}: give that address instead."
        )
    if error.code == 401:
        return "The server does not know this token: it was revoked, or is of another server."
    try:
        return str(json.loads(error.read())["detail"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"The server answered {error.code}."
