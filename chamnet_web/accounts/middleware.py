"""A one-time password opens exactly one page: the one that replaces it."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse


class OneTimePasswordMiddleware:
    """Sends a person who signed in with a one-time password to choose their own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        allowed = {reverse("password-change"), reverse("sign-out")}
        if getattr(request.user, "password_is_one_time", False) and request.path not in allowed:
            return redirect("password-change")
        return self.get_response(request)
