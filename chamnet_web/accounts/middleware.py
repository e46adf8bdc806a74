"""What holds for every request of somebody who is signed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from chamnet_web.accounts.audit import record
from chamnet_web.accounts.models import Membership, User
from chamnet_web.accounts.teams import SESSION_KEY, membership_of

Next = Callable[[HttpRequest], HttpResponseBase]
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# What everybody may change, whatever their role: it concerns their account alone.
OWN_ACCOUNT = frozenset(
    {"sign-in", "second-factor", "sign-out", "sign-out-everywhere", "password-change", "account", "join",
     "team-switch", "team-new", "team-leave", "factor-new", "factor-remove", "account-tokens",
     "account-token-revoke"}
)  # fmt: skip


def user_of(request: HttpRequest) -> User:
    """Who is signed in, where signing in is required."""
    return request.user  # type: ignore[return-value]


class OneTimePasswordMiddleware:
    """Sends a person who signed in with a one-time password to choose their own."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        allowed = {reverse("password-change"), reverse("sign-out")}
        if getattr(request.user, "password_is_one_time", False) and request.path not in allowed:
            return redirect("password-change")
        return self.get_response(request)


class TeamMiddleware:
    """Sets `request.team` and `request.membership`, and keeps viewers from changing anything.

    The team is the one the person switched to last, else their oldest. Views ask for the objects of
    `request.team`, so those of any other team do not exist for them.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.membership = _membership(request)  # type: ignore[attr-defined]
        request.team = request.membership.team if request.membership else None  # type: ignore[attr-defined]
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        if not request.user.is_authenticated or not getattr(view, "login_required", True):
            return None
        name = request.resolver_match.url_name if request.resolver_match else None
        if name in OWN_ACCOUNT:
            return None
        membership: Membership | None = request.membership  # type: ignore[attr-defined]
        if membership is None:
            return render(request, "accounts/no_team.html", status=403)
        if request.method not in SAFE and not membership.may_change:
            return render(request, "accounts/viewer.html", status=403)
        return None


class AuditMiddleware:
    """Writes down who changed what.

    A view that was posted to and only read says so: it sets `request.changes_nothing`.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        changes = request.method not in SAFE and not getattr(request, "changes_nothing", False)
        if changes and response.status_code < 400:
            record(request, response)
        return response


def _membership(request: HttpRequest) -> Membership | None:
    if not request.user.is_authenticated:
        return None
    return membership_of(request.user, request.session.get(SESSION_KEY))
