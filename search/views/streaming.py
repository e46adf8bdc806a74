"""Long files handed out piece by piece, so that no answer is held in memory whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse


def streamed(request: HttpRequest, pieces: Iterator[str], *, kind: str, name: str) -> StreamingHttpResponse:
    """The pieces as a file to keep, each made when the one before is on its way."""
    content = _in_turn(pieces) if isinstance(request, ASGIRequest) else pieces
    response = StreamingHttpResponse(content, content_type=f"{kind}; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


async def _in_turn(pieces: Iterator[str]) -> AsyncIterator[str]:
    """The pieces for an asynchronous server, which must not be blocked while the database makes one."""
    following = sync_to_async(partial(next, pieces, None))
    while (piece := await following()) is not None:
        yield piece
