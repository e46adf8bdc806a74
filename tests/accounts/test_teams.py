"""Teams: who sees what, who may change what, how one joins and leaves, and what is written down of it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from chamnet_web.accounts.models import AuditEntry, Invitation, Membership, Team, User
from chamnet_web.accounts.teams import TeamError, change_role, join, remove

pytestmark = pytest.mark.django_db


def member(team: Team, name: str, role: str) -> User:
    user = User.objects.create_user(name, password="a long pass phrase", invited=True)
    Membership.objects.create(team=team, user=user, role=role)
    return user


@pytest.fixture
def team(ada: User) -> Team:
    return ada.teams.get()


def link_of(page: str) -> str:
    found = re.search(r"http://testserver(/join/[^<]+)<", page)
    assert found is not None
    return found[1]


def test_every_account_begins_with_a_team_of_its_own(ada: User, stranger: User) -> None:
    assert ada.teams.get() != stranger.teams.get()
    assert ada.memberships.get().role == "owner"


def test_an_invitation_makes_one_account_and_holds_once(signed_in: Client, team: Team) -> None:
    page = signed_in.post(reverse("team-invite"), {"role": "viewer", "note": "Grace"}).content.decode()
    link = link_of(page)
    assert link not in signed_in.get(reverse("team")).content.decode()
    browser = Client()
    answer = browser.get(link).content.decode()
    assert "invited as viewer" in answer
    weak = {"username": "grace", "password1": "12345678", "password2": "12345678"}
    assert browser.post(link, weak).status_code == 422
    strong = {"username": "grace", "password1": "correct horse battery", "password2": "correct horse battery"}
    assert browser.post(link, strong).status_code == 302
    grace = User.objects.get(username="grace")
    assert [(one.team, one.role) for one in grace.memberships.all()] == [(team, "viewer")]
    assert browser.get("/").status_code == 200
    again = Client().get(link)
    assert (again.status_code, "does not hold" in again.content.decode()) == (404, True)


def test_somebody_with_an_account_joins_with_it(
    client: Client, stranger: User, team: Team, ada: User
) -> None:
    _, link = Invitation.issue(team=team, role="member", note="", invited_by=ada)
    client.force_login(stranger)
    assert client.post(link).headers["Location"] == "/"
    assert set(stranger.teams.all()) == {stranger.teams.order_by("pk").first(), team}
    assert f"in {team.name}" in client.get("/").content.decode()


def test_an_invitation_is_used_by_one_of_two(team: Team, ada: User, stranger: User) -> None:
    invitation, _ = Invitation.issue(team=team, role="member", note="", invited_by=ada)
    third = User.objects.create_user("third")
    join(invitation=invitation, user=stranger)
    with pytest.raises(TeamError, match="used in the meantime"):
        join(invitation=invitation, user=third)
    with pytest.raises(TeamError, match="belong to"):
        join(invitation=invitation, user=stranger)


def test_an_invitation_can_be_taken_back(signed_in: Client, team: Team, ada: User) -> None:
    invitation, link = Invitation.issue(team=team, role="member", note="", invited_by=ada)
    signed_in.post(reverse("invitation-revoke", args=[invitation.pk]))
    assert Client().get(link).status_code == 404


@pytest.mark.parametrize(
    "lose_rights",
    [lambda one: remove(membership=one), lambda one: change_role(membership=one, role="member")],
    ids=["removed", "made a member"],
)
def test_an_owners_invitations_end_with_their_rights(
    team: Team, ada: User, lose_rights: Callable[[Membership], None]
) -> None:
    olga = member(team, "olga", "owner")
    other = Team.begin(user=olga, name="The lab")
    links = [
        Invitation.issue(team=one, role="owner", note="", invited_by=who)[1]
        for one, who in ((team, olga), (team, ada), (other, olga))
    ]
    lose_rights(team.memberships.get(user=olga))
    assert [Client().get(link).status_code for link in links] == [404, 200, 200]


def test_viewers_look_and_change_nothing(client: Client, team: Team) -> None:
    client.force_login(member(team, "vera", "viewer"))
    assert client.get("/devices/").status_code == 200
    for name in ("quickstart", "device-new", "team-invite", "team-rename"):
        answer = client.post(reverse(name), {"name": "mine"})
        assert answer.status_code == 403
        assert "Viewers look" in answer.content.decode()
    assert 'class="is-viewer"' in client.get("/").content.decode()
    assert client.post(reverse("sign-out-everywhere")).status_code == 302


def test_members_invite_nobody(client: Client, team: Team, ada: User) -> None:
    client.force_login(member(team, "mary", "member"))
    first = ada.memberships.get()
    assert client.post(reverse("team-invite"), {"role": "owner"}).status_code == 403
    assert client.post(reverse("team-role", args=[first.pk]), {"role": "viewer"}).status_code == 403
    assert client.post(reverse("team-remove", args=[first.pk])).status_code == 403
    assert client.get(reverse("team-audit", args=["csv"])).status_code == 403
    assert "Invite somebody" not in client.get(reverse("team")).content.decode()


def test_owners_set_roles_and_remove_members_of_their_own_team_only(
    signed_in: Client, team: Team, stranger: User
) -> None:
    mary = member(team, "mary", "member").memberships.get()
    signed_in.post(reverse("team-role", args=[mary.pk]), {"role": "viewer"})
    mary.refresh_from_db()
    assert mary.role == "viewer"
    assert signed_in.post(reverse("team-role", args=[mary.pk]), {"role": "god"}).status_code == 404
    signed_in.post(reverse("team-remove", args=[mary.pk]))
    assert not Membership.objects.filter(pk=mary.pk).exists()
    foreign = stranger.memberships.get()
    assert signed_in.post(reverse("team-remove", args=[foreign.pk])).status_code == 404


def test_the_last_owner_stays_one(team: Team, ada: User) -> None:
    mine = ada.memberships.get()
    with pytest.raises(TeamError, match="last owner"):
        change_role(membership=mine, role="member")
    with pytest.raises(TeamError, match="last owner"):
        remove(membership=mine)
    member(team, "olga", "owner")
    remove(membership=mine)
    assert not ada.teams.exists()


def test_whoever_belongs_to_no_team_is_told_so(client: Client, team: Team, ada: User) -> None:
    member(team, "olga", "owner")
    remove(membership=ada.memberships.get())
    client.force_login(ada)
    answer = client.get("/searches/")
    assert (answer.status_code, "no team" in answer.content.decode()) == (403, True)
    client.post(reverse("team-new"), {"name": "Again"})
    assert client.get("/searches/").status_code == 200


def test_one_works_in_one_team_at_a_time(signed_in: Client, ada: User, team: Team, stranger: User) -> None:
    other = Team.begin(user=ada, name="The lab")
    signed_in.post(reverse("team-switch", args=[other.pk]))
    assert "The lab" in signed_in.get(reverse("team")).content.decode()
    assert signed_in.post(reverse("team-switch", args=[stranger.teams.get().pk])).status_code == 404


def test_what_is_done_is_written_down_with_who_did_it(signed_in: Client, team: Team) -> None:
    signed_in.post(reverse("team-rename"), {"name": "=cmd"})
    signed_in.post(reverse("quickstart"))
    signed_in.get("/")
    signed_in.post(reverse("device-new"), {"name": ""})  # refused
    entries = [(entry.username, entry.action) for entry in AuditEntry.objects.filter(team=team)]
    assert entries == [("ada", "quickstart"), ("ada", "team-rename"), ("ada", "signed-in")]
    page = signed_in.get(reverse("team")).content.decode()
    assert "began quick start" in page
    assert (
        "ada,renamed the team,/team/"
        in signed_in.get(reverse("team-audit", args=["csv"])).getvalue().decode()
    )


def told(team: Team) -> list[tuple[str, str]]:
    return [(entry.username, entry.action) for entry in AuditEntry.objects.filter(team=team).reverse()]


def test_what_was_refused_is_not_written_down(signed_in: Client, team: Team, ada: User) -> None:
    mine = ada.memberships.get()
    before = told(team)
    wrong = {"old_password": "no", "new_password1": "correct horse", "new_password2": "correct horse"}
    assert signed_in.post(reverse("password-change"), wrong).status_code == 422
    signed_in.post(reverse("factor-remove"), {"password": "no"})
    signed_in.post(reverse("team-leave", args=[team.pk]))
    signed_in.post(reverse("team-role", args=[mine.pk]), {"role": "viewer"})
    assert told(team) == before


def test_joining_and_leaving_are_told_to_the_team_that_they_concern(
    signed_in: Client, team: Team, ada: User, stranger: User
) -> None:
    other = stranger.teams.get()
    _, link = Invitation.issue(team=other, role="member", note="", invited_by=stranger)
    signed_in.post(link)
    signed_in.post(reverse("team-switch", args=[team.pk]))
    signed_in.post(reverse("team-leave", args=[other.pk]))
    _, link = Invitation.issue(team=other, role="member", note="", invited_by=stranger)
    new = {"username": "grace", "password1": "correct horse battery", "password2": "correct horse battery"}
    Client().post(link, new)
    assert [entry for entry in told(other) if entry[1] in ("join", "team-leave")] == [
        ("ada", "join"),
        ("ada", "team-leave"),
        ("grace", "join"),
    ]
    assert not {"join", "team-leave"} & {action for _, action in told(team)}
