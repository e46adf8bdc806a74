"""Data sets brought through the form and its uploads, as a browser does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.test import Client
from django.urls import reverse

from search.models import ImageSet

Work = Callable[..., int]


def send(client: Client, content: bytes, name: str = "pets.zip", chunk: int = 4000) -> str:
    """Uploads in pieces, as the browser does; the upload's id."""
    said = client.post(
        reverse("uploads"), json.dumps({"name": name, "size": len(content)}), content_type="application/json"
    )
    assert said.status_code == 201, said.content
    state = said.json()
    while state["received"] < len(content):
        piece = content[state["received"] : state["received"] + chunk]
        said = client.put(
            f"{state['url']}?offset={state['received']}", piece, content_type="application/octet-stream"
        )
        assert said.status_code == 200, said.content
        state = said.json()
    return str(state["id"])


def bring(client: Client, work: Work, content: bytes, **changes: Any) -> ImageSet:
    upload = send(client, content, changes.pop("file_name", "pets.zip"))
    response = client.post(reverse("dataset-new"), {"name": "Pets", "upload": upload, "size": 8} | changes)
    assert response.status_code == 302, response.content.decode()
    work()
    return ImageSet.objects.get(name=changes.get("name", "Pets"))
