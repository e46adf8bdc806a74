"""Files that come and go by the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from devices.api.answers import Refused

PIECE = 2**18


def sent(name: str, text: str) -> SimpleUploadedFile:
    """The text as a form takes a file."""
    return SimpleUploadedFile(name, text.encode("utf-8"), content_type="text/csv")


def present(stored: Any) -> Any:
    """A stored file that is there. Raises Refused for one that is gone from the storage."""
    if not stored or not stored.storage.exists(stored.name):
        raise Refused(404, "The file is gone from the server.")
    return stored


def attachment(request: HttpRequest, stored: Any, name: str) -> HttpResponseBase:
    """A stored file to be saved as `name`, read piece by piece as it is sent. Raises Refused as `present`."""
    present(stored)
    kind = "application/octet-stream"
    if not hasattr(request, "scope"):
        return FileResponse(stored.open("rb"), as_attachment=True, filename=name, content_type=kind)
    # On an asynchronous server an ordinary file would be read whole before its first byte is sent.
    response = StreamingHttpResponse(_pieces(stored), content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Length"] = str(stored.size)
    return response


async def _pieces(stored: Any) -> AsyncIterator[bytes]:
    with await sync_to_async(stored.open)("rb") as file:
        while piece := await sync_to_async(file.read)(PIECE):
            yield piece
