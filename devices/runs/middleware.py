"""What a browser is told when nothing more can be begun."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from devices.runs.services import TooManyRunsError


class TooManyRunsMiddleware:
    """Answers a request that would begin one run too many."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, TooManyRunsError):
            return None
        return render(request, "too_many_runs.html", {"reason": str(exception)}, status=429)
