"""Files that came as text in a request."""

from __future__ import annotations

from django.core.files.uploadedfile import SimpleUploadedFile


def sent(name: str, text: str) -> SimpleUploadedFile:
    """The text as a form takes a file."""
    return SimpleUploadedFile(name, text.encode("utf-8"), content_type="text/csv")
