"""A team's page, and what is done there."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from chamnet_web.accounts import teams
from chamnet_web.accounts.audit import refused, told_to, words
from chamnet_web.accounts.forms import InviteForm, JoinForm, RoleForm, TeamForm
from chamnet_web.accounts.middleware import user_of
from chamnet_web.accounts.models import Invitation, Membership, Team
from chamnet_web.accounts.teams import SESSION_KEY
from devices.exports import Export, export, export_asked
from devices.listing import ROWS_AT_ONCE

ENTRIES_A_PAGE = 30
BACKEND = "django.contrib.auth.backends.ModelBackend"


@require_GET
def team_page(request: HttpRequest) -> HttpResponseBase:
    """Who belongs to the team, who is invited, and what was done."""
    return export_asked(request, lambda: _tables_of(request)) or _team_page(request)


@require_GET
def team_audit(request: HttpRequest, ending: str) -> HttpResponseBase:
    """Everything that was done in the team, as CSV or JSON."""
    _for_owners(request)
    entries = _team(request).audit
    head = ("at", "who", "action", "what")
    rows = ((one.at, one.username, words(one), one.path) for one in entries.iterator(chunk_size=ROWS_AT_ONCE))
    return export(request, Export("audit", head, lambda: rows), ending)


def _tables_of(request: HttpRequest) -> dict[str, Export]:
    """The tables of the team's page; who may not invite does not see invitations. No secret is among them."""
    team = _team(request)
    members = team.memberships.select_related("user")
    found = {
        "members": Export(
            "members",
            ("name", "role", "since"),
            lambda: ((one.user.get_username(), one.role, one.since) for one in members),
        )
    }
    if request.membership.may_invite:  # type: ignore[attr-defined]
        invitations = team.invitations.open().select_related("invited_by")
        found["invitations"] = Export(
            "invitations",
            ("role", "note", "invited_by", "created_at", "expires_at"),
            lambda: (
                (
                    one.role,
                    one.note,
                    one.invited_by and one.invited_by.get_username(),
                    one.created_at,
                    one.expires_at,
                )
                for one in invitations
            ),
        )
    return found


@require_POST
def team_invite(request: HttpRequest) -> HttpResponse:
    """Makes an invitation; its link is shown on the page that answers, and never again."""
    _for_owners(request)
    form = InviteForm(request.POST)
    if not form.is_valid():
        return _team_page(request, invite_form=form, status=422)
    _, path = Invitation.issue(team=_team(request), invited_by=user_of(request), **form.cleaned_data)
    return _team_page(request, link=request.build_absolute_uri(path))


@require_POST
def invitation_revoke(request: HttpRequest, invitation_id: int) -> HttpResponse:
    _for_owners(request)
    get_object_or_404(Invitation.objects.open(), pk=invitation_id, team=_team(request)).delete()
    return redirect("team")


@require_POST
def team_rename(request: HttpRequest) -> HttpResponse:
    _for_owners(request)
    form = TeamForm(request.POST, instance=_team(request))
    if not form.is_valid():
        return _team_page(request, name_form=form, status=422)
    form.save()
    return redirect("team")


@require_POST
def team_role(request: HttpRequest, membership_id: int) -> HttpResponse:
    _for_owners(request)
    membership = get_object_or_404(Membership, pk=membership_id, team=_team(request))
    form = RoleForm(request.POST)
    if not form.is_valid():
        raise Http404("There is no such role.")
    return _done(request, teams.change_role, membership=membership, role=form.cleaned_data["role"])


@require_POST
def team_remove(request: HttpRequest, membership_id: int) -> HttpResponse:
    _for_owners(request)
    membership = get_object_or_404(Membership, pk=membership_id, team=_team(request))
    return _done(request, teams.remove, membership=membership)


@require_POST
def team_leave(request: HttpRequest, team_id: int) -> HttpResponse:
    membership = _mine(request, team_id)
    told_to(request, membership.team)
    return _done(request, teams.remove, "account", membership=membership)


@require_POST
def team_switch(request: HttpRequest, team_id: int) -> HttpResponse:
    """Works in another of one's teams from now on."""
    request.session[SESSION_KEY] = _mine(request, team_id).team_id
    return redirect("overview")


@require_http_methods(["GET", "POST"])
def team_new(request: HttpRequest) -> HttpResponse:
    form = TeamForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = Team.begin(user=user_of(request), name=form.cleaned_data["name"])
        told_to(request, made)
        request.session[SESSION_KEY] = made.pk
        return redirect("team")
    return render(request, "accounts/team_form.html", {"form": form}, status=422 if form.errors else 200)


@login_not_required
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, secret: str) -> HttpResponse:
    """Takes an invitation: into one's account, or with a new one."""
    invitation = Invitation.find(secret)
    if invitation is None:
        return render(request, "accounts/join.html", {"invitation": None}, status=404)
    signed_in = request.user.is_authenticated
    form = None if signed_in else JoinForm(request.POST or None)
    if request.method == "POST":
        try:
            if form is None:
                teams.join(invitation=invitation, user=user_of(request))
            elif form.is_valid():
                name, password = form.cleaned_data["username"], form.cleaned_data["password1"]
                user = teams.join_as_new(invitation=invitation, username=name, password=password)
                login(request, user, backend=BACKEND)
        except teams.TeamError as error:
            refused(request, str(error))
            return redirect("overview")
        if form is None or form.is_valid():
            told_to(request, invitation.team)
            request.session[SESSION_KEY] = invitation.team_id
            return redirect("overview")
    context = {"invitation": invitation, "form": form}
    return render(request, "accounts/join.html", context, status=422 if form and form.errors else 200)


def _team_page(request: HttpRequest, status: int = 200, **more: Any) -> HttpResponse:
    team = _team(request)
    entries = Paginator(team.audit.all(), ENTRIES_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "team": team,
        "members": team.memberships.select_related("user"),
        "roles": Membership.Role.choices,
        "invitations": team.invitations.open().select_related("invited_by"),
        "entries": entries,
        "told": [(entry, words(entry)) for entry in entries],
        "invite_form": InviteForm(),
        "name_form": TeamForm(instance=team),
    } | more
    return render(request, "accounts/team.html", context, status=status)


def _done(request: HttpRequest, change: Any, there: str = "team", **what: Any) -> HttpResponse:
    """Does it, or says why it cannot be done."""
    try:
        change(**what)
    except teams.TeamError as error:
        refused(request, str(error))
    return redirect(there)


def _mine(request: HttpRequest, team_id: int) -> Membership:
    found: Membership = get_object_or_404(user_of(request).memberships, team=team_id, team__is_active=True)
    return found


def _for_owners(request: HttpRequest) -> None:
    if not request.membership.may_invite:  # type: ignore[attr-defined]
        raise PermissionDenied("Only owners of the team may do this.")


def _team(request: HttpRequest) -> Team:
    found: Team = request.team  # type: ignore[attr-defined]
    return found
