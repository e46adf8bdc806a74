"""What owners and members do with teams. Every function is one transaction."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from chamnet_web.accounts.models import Invitation, Membership, Team, User


class TeamError(ValueError):
    """Why a team cannot be changed so; the message is a sentence for a person."""


SESSION_KEY = "team"


def memberships_of(user: User) -> list[Membership]:
    """A person's memberships in active teams, the oldest first."""
    return list(user.memberships.filter(team__is_active=True).select_related("team"))


def membership_of(user: User, chosen: int | None) -> Membership | None:
    """In the team that was chosen, else in the oldest; None for somebody who belongs to none."""
    found = memberships_of(user)
    return next((one for one in found if one.team_id == chosen), found[0] if found else None)


def join(*, invitation: Invitation, user: User) -> Membership:
    """Uses an invitation up. Raises TeamError when somebody was faster, or the person is a member already."""
    with transaction.atomic():
        if Membership.objects.filter(team=invitation.team, user=user).exists():
            raise TeamError(f"You belong to {invitation.team} already.")
        used = Invitation.objects.open().filter(pk=invitation.pk).update(accepted_at=timezone.now())
        if not used:
            raise TeamError("This invitation was used in the meantime.")
        return Membership.objects.create(team=invitation.team, user=user, role=invitation.role)


def join_as_new(*, invitation: Invitation, username: str, password: str) -> User:
    """Makes an account for whoever was invited. Raises TeamError as `join` does."""
    with transaction.atomic():
        user = User.objects.create_user(username, password=password, invited=True)
        join(invitation=invitation, user=user)
    return user


def change_role(*, membership: Membership, role: str) -> None:
    """Who is no longer an owner invites nobody: their open invitations go.

    Raises TeamError for the last owner, who cannot become less.
    """
    with transaction.atomic():
        _hold(membership.team_id)
        if role != Membership.Role.OWNER:
            _not_the_last_owner(membership)
            _take_back_invitations(membership)
        Membership.objects.filter(pk=membership.pk).update(role=role)


def remove(*, membership: Membership) -> None:
    """Ends a membership and the person's open invitations; what else they made stays with the team.

    Raises TeamError for the last owner.
    """
    with transaction.atomic():
        _hold(membership.team_id)
        _not_the_last_owner(membership)
        _take_back_invitations(membership)
        membership.delete()


def end_sessions(user: User) -> None:
    """Signs the person out everywhere."""
    user.session_epoch += 1
    user.save(update_fields=["session_epoch"])


def _hold(team_id: int) -> None:
    """Two owners who leave at the same moment wait for each other."""
    Team.objects.select_for_update().get(pk=team_id)


def _not_the_last_owner(membership: Membership) -> None:
    owners = Membership.objects.filter(team=membership.team_id, role=Membership.Role.OWNER)
    if not owners.exclude(pk=membership.pk).exists():
        raise TeamError(
            f"{membership.user} is the last owner of {membership.team}: make somebody else an owner first."
        )


def _take_back_invitations(membership: Membership) -> None:
    Invitation.objects.open().filter(team=membership.team_id, invited_by=membership.user_id).delete()
