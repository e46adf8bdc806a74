"""Whose runs a WebSocket, or any other long connection of a session, may follow."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Any

from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.middleware import BaseMiddleware
from django.conf import settings

from chamnet_web.accounts.models import Team
from chamnet_web.accounts.teams import SESSION_KEY, membership_of


class TeamInScope(BaseMiddleware):
    """Adds `find_owner` to the scope: the team that the socket's person works in at the moment it is asked.

    Place it inside the session's middleware.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        find_owner = partial(team_of_session, scope["session"].session_key)
        return await super().__call__(dict(scope, find_owner=find_owner), receive, send)


async def team_of_session(key: str | None) -> Team | None:
    """The team that a session's person works in now; None once the session has ended."""
    session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = await get_user({"session": session})
    if not user.is_authenticated or user.password_is_one_time:
        return None
    membership = await database_sync_to_async(membership_of)(user, session.get(SESSION_KEY))
    return membership.team if membership else None
