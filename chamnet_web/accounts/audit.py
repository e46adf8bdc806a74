"""Who did what, when: written by one middleware and at sign-in, read on the team's page."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from chamnet_web.accounts.models import AuditEntry, Team, User

# The name of an address -> what was done by posting to it. What is not here is told by its name.
WORDS = {
    "signed-in": "signed in",
    "signed-out": "signed out",
    "device-new": "registered a device",
    "token-new": "made a token for an agent",
    "token-revoke": "revoked a token",
    "table-new": "began to measure a latency table",
    "table-import": "imported a latency table",
    "table-complete": "completed a latency table",
    "cost-new": "began an energy or latency predictor",
    "uploads": "began an upload",
    "upload-drop": "dropped an upload",
    "dataset-new": "brought a data set",
    "dataset-inspect": "looked into a built-in data set",
    "dataset-remove": "removed a data set",
    "predictor-new": "began an accuracy predictor",
    "predictor-import": "imported an accuracy predictor",
    "predictor-refit": "fitted a predictor anew",
    "search-new": "began a search",
    "search-published": "added published networks",
    "front-keep": "kept a network of a front",
    "model-new": "began a final training",
    "model-timing": "timed a model",
    "model-licence": "changed a model's licence",
    "study-new": "began a study",
    "recipe-new": "made a recipe",
    "quickstart": "began quick start",
    "run-action": "steered a run",
    "run-notify": "set when a run's end is told",
    "notices": "set the team's notices",
    "notices-secret": "replaced the secret of webhooks",
    "notices-test": "sent a test notice",
    "team-invite": "invited somebody",
    "invitation-revoke": "revoked an invitation",
    "team-rename": "renamed the team",
    "team-role": "changed a role",
    "team-remove": "removed a member",
    "team-leave": "left the team",
    "team-new": "began a team",
    "join": "joined",
    "factor-new": "turned on the second factor",
    "factor-remove": "turned off the second factor",
    "account-tokens": "made an access token",
    "account-token-revoke": "revoked an access token",
    "password-change": "changed their password",
    "sign-out-everywhere": "ended all their sessions",
}
# Reading in disguise, many pieces of one thing, or written down elsewhere.
UNTOLD = frozenset(
    {
        "upload",
        "predictor-estimate",
        "model-estimate",
        "model-try",
        "sign-in",
        "sign-out",
        "second-factor",
        "team-switch",
    }
)


def refused(request: HttpRequest, why: str) -> None:
    """Says why nothing was done, where the answer is a page like any other. Nothing is written down."""
    messages.error(request, why)
    request.changes_nothing = True  # type: ignore[attr-defined]  # read by the middleware


def told_to(request: HttpRequest, team: Team) -> None:
    """What the request does concerns this team, which need not be the one that the person works in."""
    request.audited_team = team  # type: ignore[attr-defined]


def record(request: HttpRequest, response: HttpResponseBase) -> None:
    """Writes down what a request changed, unless nobody of a team made it."""
    team = getattr(request, "audited_team", None) or getattr(request, "team", None)
    match = request.resolver_match
    if team is None or match is None or match.url_name is None or match.url_name in UNTOLD:
        return
    user: Any = request.user
    action: str = getattr(request, "action", match.url_name)  # the API says what it did itself
    path = response.headers.get("Location", "") or request.path
    AuditEntry.objects.create(
        team=team,
        user=user,
        username=user.get_username(),
        action=action[:60],
        path=path.partition("?")[0][:300],
    )


def tell_session(user: User, action: str) -> None:
    """Writes a sign-in or sign-out down in each of the person's teams."""
    AuditEntry.objects.bulk_create(
        AuditEntry(team_id=team, user=user, username=user.get_username(), action=action, path="")
        for team in user.memberships.values_list("team", flat=True)
    )


def words(entry: AuditEntry) -> str:
    """What an entry says was done."""
    return WORDS.get(entry.action, entry.action.replace("-", " "))
