"""The page of one's access tokens."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from chamnet_web.accounts.forms import AccessTokenForm
from chamnet_web.accounts.models import AccessToken
from devices.exports import Export, export_asked

NEW_TOKEN = "new_access_token"  # noqa: S105  (a key of the session, until it was shown)


@require_http_methods(["GET", "POST"])
def tokens(request: HttpRequest) -> HttpResponseBase:
    """One's tokens in every team, and the form for another in the team one works in."""
    user: Any = request.user
    team = request.team  # type: ignore[attr-defined]  # the middleware's
    held = user.access_tokens.active().select_related("team")
    if file := export_asked(request, lambda: {"tokens": _file_of(held)}):
        return file
    form = AccessTokenForm(request.POST or None)
    if request.method == "POST" and team is not None and form.is_valid():
        days = form.cleaned_data["days"]
        _, text = AccessToken.issue(
            user=user,
            team=team,
            name=form.cleaned_data["name"],
            scope=form.cleaned_data["scope"],
            expires_at=timezone.now() + timedelta(days=days) if days else None,
        )
        request.session[NEW_TOKEN] = text
        return redirect("account-tokens")
    context = {
        "form": form,
        "tokens": held,
        "new_token": request.session.pop(NEW_TOKEN, None),
        "server": request.build_absolute_uri("/").rstrip("/"),
    }
    status = 422 if form.errors else 200
    return render(request, "accounts/tokens.html", context, status=status)


def _file_of(tokens: Iterable[AccessToken]) -> Export:
    """What the page tells of tokens: of each its ending, never the token nor its digest."""
    head = ("name", "ending", "team", "scope", "created_at", "used_at", "expires_at")
    return Export(
        "access-tokens",
        head,
        lambda: (
            (one.name, one.ending, one.team.name, one.scope, one.created_at, one.used_at, one.expires_at)
            for one in tokens
        ),
    )


@require_POST
def token_revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    """Ends a token for good."""
    user: Any = request.user
    token = get_object_or_404(user.access_tokens.active(), pk=token_id)
    token.revoke()
    messages.success(request, f"The token “{token.name}” is revoked: programs that use it are refused.")
    return redirect("account-tokens")
