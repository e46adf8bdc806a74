"""Stored files handed out piece by piece, so that none is held in memory whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import FileResponse, HttpRequest, StreamingHttpResponse

PIECE = 2**18
KIND = "application/octet-stream"


def is_there(stored: Any) -> bool:
    """Whether a row names a file and the storage has it."""
    return bool(stored) and stored.storage.exists(stored.name)


def stored_attachment(request: HttpRequest, stored: Any, name: str) -> StreamingHttpResponse:
    """A stored file to be saved as `name`, read as it is sent under either kind of server."""
    if not isinstance(request, ASGIRequest):
        return FileResponse(stored.open("rb"), as_attachment=True, filename=name, content_type=KIND)
    # On an asynchronous server an ordinary file would be read whole before its first byte is sent.
    response = StreamingHttpResponse(_pieces(stored), content_type=KIND)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Length"] = str(stored.size)
    return response


async def _pieces(stored: Any) -> AsyncIterator[bytes]:
    with await sync_to_async(stored.open)("rb") as file:
        while piece := await sync_to_async(file.read)(PIECE):
            yield piece
