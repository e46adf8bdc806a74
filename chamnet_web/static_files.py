"""Static files, answered before Django: a page loads dozens, each of which would take a thread there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.middleware.security import SecurityMiddleware
from whitenoise.middleware import WhiteNoiseMiddleware

Message = MutableMapping[str, Any]
Application = Callable[[Any, Any, Any], Awaitable[None]]

CONDITIONS = {
    b"accept-encoding": "HTTP_ACCEPT_ENCODING",
    b"if-modified-since": "HTTP_IF_MODIFIED_SINCE",
    b"if-none-match": "HTTP_IF_NONE_MATCH",
    b"range": "HTTP_RANGE",
}
"""What WhiteNoise's answer depends on, under the names it knows."""


class StaticFiles:
    """An ASGI application: WhiteNoise's files, and another application for every other address.

    Where pages are only for TLS, an open request is left to the other application too, which leads it there.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        # Without a list of files, as in debugging, Django's middleware finds them.
        self._files = WhiteNoiseMiddleware(lambda request: HttpResponseNotFound()).files
        self._added = [_security_headers(scheme) for scheme in ("http", "https")]

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        found = self._files.get(scope["path"])
        if found is None or (settings.SECURE_SSL_REDIRECT and scope["scheme"] != "https"):
            await self._application(scope, receive, send)
            return
        answer = found.get_response(scope["method"], _conditions(scope["headers"]))
        told = [*answer.headers, *self._added[scope["scheme"] == "https"]]
        headers = [(name.lower().encode(), value.encode()) for name, value in told]
        await send({"type": "http.response.start", "status": int(answer.status), "headers": headers})
        await send({"type": "http.response.body", "body": _content(answer.file)})


def _security_headers(scheme: str) -> list[tuple[str, str]]:
    """What Django's middleware adds to every answer by the settings."""
    request, response = HttpRequest(), HttpResponse()
    request._get_scheme = lambda: scheme  # type: ignore[attr-defined]  # what servers override
    del response.headers["Content-Type"]
    SecurityMiddleware(lambda _: response).process_response(request, response)
    return list(response.headers.items())


def _content(file: Any) -> bytes:
    """All of it: such files are small, and the kernel has them in memory."""
    if file is None:
        return b""
    with file:
        content: bytes = file.read()
        return content


def _conditions(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {CONDITIONS[name]: value.decode("latin-1") for name, value in headers if name in CONDITIONS}
