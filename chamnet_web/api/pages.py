"""The page that lists what the API can do."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from chamnet_web.api.routes import operations
from devices.exports import Export, export_asked


@require_GET
def api_page(request: HttpRequest) -> HttpResponseBase:
    """Every operation by subject."""
    subjects: dict[str, list[dict[str, Any]]] = {}
    for path, method, operation in operations():
        facts = {"method": method.upper(), "path": path, "operation": operation}
        subjects.setdefault(operation["tags"][0], []).append(facts)
    tables = [(tag, f"subject-{n}", found) for n, (tag, found) in enumerate(subjects.items())]
    if file := export_asked(request, lambda: {anchor: _file_of(tag, found) for tag, anchor, found in tables}):
        return file
    context = {"subjects": tables}
    return render(request, "api.html", context)


def _file_of(subject: str, found: list[dict[str, Any]]) -> Export:
    rows = [(one["operation"]["summary"], one["method"], one["path"]) for one in found]
    return Export(f"api-{subject.replace(' ', '-')}", ("summary", "method", "path"), lambda: rows)
