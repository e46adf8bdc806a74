"""The API with the routers of every room, and its addresses."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from django.http import HttpRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import URLPattern, re_path

from chamnet_web.api.access import SessionAccess, TokenAccess
from chamnet_web.api.document import Api
from chamnet_web.api.errors import handle_errors, not_allowed, not_found
from chamnet_web.api.once import once
from devices.api import agent, devices, runs, tables
from devices.api.agent import DeviceAuth
from search.api import costs, datasets, models, predictors, published, recipes, searches, spaces, studies

View = Callable[..., HttpResponseBase]

people = [TokenAccess(), SessionAccess()]
api = Api(
    title="ChamNet",
    version="1",
    description="Everything the pages do: devices and their latency tables, predictors, searches, models.",
    docs_url=None,
    auth=people,
    urls_namespace="api",
)
handle_errors(api)
api.add_router("/devices", devices.router)
api.add_router("/tables", tables.router, auth=[DeviceAuth(), *people])
api.add_router("", spaces.tables)
api.add_router("/spaces", spaces.router)
api.add_router("/datasets", datasets.router)
api.add_router("/uploads", datasets.uploads)
api.add_router("/recipes", recipes.router)
api.add_router("/predictors", predictors.router)
api.add_router("", costs.router)
api.add_router("/searches", searches.router)
api.add_router("/candidates", searches.candidates)
api.add_router("/candidates", models.candidates)
api.add_router("/models", models.router)
api.add_router("/published", published.router)
api.add_router("/studies", studies.router)
api.add_router("/quickstart", studies.quickstart)
api.add_router("/runs", runs.router)
api.add_router("/agent", agent.router, auth=DeviceAuth())


@cache
def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of every operation of the API."""
    return [
        (path, method, operation)
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method, operation in methods.items()
    ]


def told(view: View) -> View:
    """Notes what a request does in the API's words, for the trail of who did what; and has methods that an
    address does not take refused in the shape of other errors."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.resolver_match is not None and request.method not in ("GET", "HEAD", "OPTIONS"):
            route = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", request.resolver_match.route)
            summary = _summaries().get((f"/{route}", str(request.method).lower()))
            if summary:
                request.action = f"by API: {summary.lower()}"  # type: ignore[attr-defined]
        response = view(request, *args, **kwargs)
        return not_allowed(response) if isinstance(response, HttpResponseNotAllowed) else response

    return wrapped


@cache
def _summaries() -> dict[tuple[str, str], str]:
    return {
        (path, method): operation["summary"].partition(":")[0] for path, method, operation in operations()
    }


def _urls() -> tuple[Any, str, str]:
    """The API's addresses. Their own keys open them: Django's middleware knows sessions only."""
    patterns, name, namespace = api.urls
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            view = told(once(pattern.callback))
            vars(view).update(login_required=False, csrf_exempt=True)
            pattern.callback = view
    missing: Any = wraps(not_found)(lambda request, path: not_found(request, path))
    vars(missing).update(login_required=False, csrf_exempt=True)
    return [*patterns, re_path(r"^(?P<path>[\s\S]*)$", missing)], name, namespace


urls = _urls()
