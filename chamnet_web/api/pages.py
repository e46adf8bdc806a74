"""The page that lists what the API can do."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from chamnet_web.api.routes import operations


@require_GET
def api_page(request: HttpRequest) -> HttpResponse:
    """Every operation by subject."""
    subjects: dict[str, list[dict[str, Any]]] = {}
    for path, method, operation in operations():
        facts = {"method": method.upper(), "path": path, "operation": operation}
        subjects.setdefault(operation["tags"][0], []).append(facts)
    context = {"subjects": [(tag, f"subject-{n}", found) for n, (tag, found) in enumerate(subjects.items())]}
    return render(request, "api.html", context)
