"""Files that come and go by the API."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from devices.api.answers import Refused
from devices.files import is_there, stored_attachment


def sent(name: str, text: str) -> SimpleUploadedFile:
    """The text as a form takes a file."""
    return SimpleUploadedFile(name, text.encode("utf-8"), content_type="text/csv")


def present(stored: Any) -> Any:
    """A stored file that is there. Raises Refused for one that is gone from the storage."""
    if not is_there(stored):
        raise Refused(404, "The file is gone from the server.")
    return stored


def attachment(request: HttpRequest, stored: Any, name: str) -> HttpResponseBase:
    """A stored file to be saved as `name`. Raises Refused as `present`."""
    return stored_attachment(request, present(stored), name)
