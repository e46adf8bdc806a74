"""Response headers that keep every page to its own origin, and addresses that no database understands."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBadRequest, JsonResponse
from django.http.response import HttpResponseBase

POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


class ContentSecurityPolicyMiddleware:
    """Adds the Content-Security-Policy: own origin, no inline script or style."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers["Content-Security-Policy"] = POLICY
        return response


class NoNulMiddleware:
    """Refuses addresses with a NUL character, which PostgreSQL has no text for. Forms do so themselves."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            problem = "The address holds the character NUL, which no text has."
            if request.path_info.startswith("/api/v1/"):
                return JsonResponse({"detail": problem, "problems": []}, status=400)
            return HttpResponseBadRequest(f"{problem}\n", content_type="text/plain; charset=utf-8")
        return self.get_response(request)
