"""Requests over HTTP: JSON in and out, errors as sentences, and another try where that is safe."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from typing import Any

TRIES = 4
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 65.0
AGAIN = frozenset({429, 502, 503, 504})


class ApiError(Exception):
    """What the server refused, in its sentence; `status` is HTTP's, `problems` are those of each field."""

    def __init__(self, status: int, detail: str, problems: list[str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.problems = status, detail, problems or []


class UnreachableError(Exception):
    """The server did not answer."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: following it would send the token to whomever it names, and
    what was to make something as a mere question."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class Transport:
    """Speaks with one server as the holder of one token.

    What makes something carries a key, so that another try after a lost answer makes nothing twice. `pause`
    waits for so many seconds.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_seconds: float = 60.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        scheme, _, rest = url.partition("://")
        if scheme not in ("http", "https") or not rest:
            raise ValueError(f"“{url}” is no address of a server: it begins with http:// or https://.")
        self.url, self._token = url.rstrip("/"), token
        self._timeout, self._pause = timeout_seconds, pause
        self._opener = urllib.request.build_opener(_NoRedirects)

    def json(
        self,
        method: str,
        path: str,
        data: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Any:
        """The answer to a request with `data` as JSON; None where there is none.

        Raises ApiError and UnreachableError.
        """
        body = None if data is None else json.dumps(data).encode()
        kind = "application/json" if body is not None else None
        content = self.content(method, path, body, kind, query=query, key=key)
        return json.loads(content) if content else None

    def content(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> bytes:
        """The bytes of the answer. Raises ApiError and UnreachableError."""
        headers = {"Content-Type": content_type} if content_type else {}
        if method == "POST":
            headers["Idempotency-Key"] = key or uuid.uuid4().hex
            body = body if body is not None else b""
        with self._tried(method, self.address(path, query), body, headers) as answer:
            read: bytes = answer.read()
            return read

    def open(self, path: str, *, query: Mapping[str, Any] | None = None, **headers: str) -> Any:
        """An answer to be read piece by piece; close it. Raises ApiError and UnreachableError."""
        return self._tried("GET", self.address(path, query), None, headers)

    def address(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        """The whole address of a path of the API."""
        given = {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in (query or {}).items()
            if value is not None
        }
        root = self.url if path.startswith("/api/") else f"{self.url}/api/v1"
        return f"{root}{path}" + (f"?{urllib.parse.urlencode(given)}" if given else "")

    def _tried(self, method: str, address: str, body: bytes | None, headers: Mapping[str, str]) -> Any:
        for attempt in range(1, TRIES + 1):
            wait = FIRST_WAIT_SECONDS * 2 ** (attempt - 1)
            try:
                return self._once(method, address, body, headers)
            except urllib.error.HTTPError as error:
                with error:
                    asked = error.headers.get("Retry-After", "")
                    refused = self._moved(error, address) or _refusal(error)
                pending = refused.status == 409 and "Idempotency-Key" in refused.detail
                if attempt == TRIES or not (refused.status in AGAIN or pending):
                    raise refused from None
                wait = min(float(asked), LONGEST_WAIT_SECONDS) if asked.isdecimal() else wait
            except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
                if attempt == TRIES:
                    reason = getattr(error, "reason", error)
                    raise UnreachableError(f"{self.url} does not answer: {reason}.") from None
            self._pause(wait)
        raise AssertionError("unreachable")

    def _once(self, method: str, address: str, body: bytes | None, headers: Mapping[str, str]) -> Any:
        request = urllib.request.Request(  # noqa: S310  (the scheme was looked at)
            address, data=body, method=method, headers={"Authorization": f"Bearer {self._token}", **headers}
        )
        return self._opener.open(request, timeout=self._timeout)

    def _moved(self, error: urllib.error.HTTPError, asked: str) -> ApiError | None:
        """The refusal of a server that is elsewhere, with the address to use."""
        told = error.headers.get("Location", "")
        if not told or not 300 <= error.code < 400:
            return None
        server = urllib.parse.urljoin(asked, told).removesuffix(asked.removeprefix(self.url))
        return ApiError(error.code, f"{self.url} sends on to {server}: give that address instead.")


def _refusal(error: urllib.error.HTTPError) -> ApiError:
    try:
        told = json.loads(error.read())
        return ApiError(error.code, str(told["detail"]), [str(one) for one in told.get("problems", [])])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ApiError(error.code, f"The server answered {error.code} {error.reason}.")
