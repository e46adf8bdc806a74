"""Who asks: somebody's program with an access token, or their browser with its session."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from channels.db import database_sync_to_async
from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf
from redis.exceptions import RedisError

from chamnet_web.accounts.middleware import SAFE
from chamnet_web.accounts.models import AccessToken, Membership, Team
from chamnet_web.accounts.sockets import team_of_session
from devices.api.answers import Refused

logger = logging.getLogger(__name__)

MINUTE = 60


@dataclass(frozen=True, slots=True)
class Access:
    """A person in a team, by a token or in a session; `reader` says why they may not change anything.

    `find_owner` gives the team that the same token or session opens at the moment it is asked.
    """

    membership: Membership
    key: str
    find_owner: Callable[[], Awaitable[Team | None]]
    reader: str = ""


class TooManyRequests(Refused):
    """Asks to wait `seconds`."""

    def __init__(self, seconds: int) -> None:
        most = settings.API_REQUESTS_PER_MINUTE
        super().__init__(429, f"More than {most} requests in a minute: wait {seconds} s.")
        self.seconds = seconds


class TokenAccess(HttpBearer):
    """Knows a person by their access token; the request is then theirs, in the token's team."""

    def authenticate(self, request: HttpRequest, token: str) -> Access | None:
        found = by_token(token)
        if found is None:
            return None
        request.user = found.membership.user
        request.team = found.membership.team  # type: ignore[attr-defined]  # as the middleware of sessions
        request.membership = found.membership  # type: ignore[attr-defined]
        return _admitted(request, found)


class SessionAccess(APIKeyCookie):
    """Knows a person by their session; what changes something needs the CSRF token too."""

    param_name = settings.SESSION_COOKIE_NAME

    def __call__(self, request: HttpRequest) -> Access | None:
        if "Authorization" in request.headers or not request.user.is_authenticated:
            return None
        if check_csrf(request) is not None:
            raise Refused(403, "The CSRF token is missing or wrong: send it as the header X-CSRFToken.")
        found = by_session(request)
        if found is None:
            raise Refused(403, "You belong to no team.")
        return _admitted(request, found)

    def authenticate(self, request: HttpRequest, key: str | None) -> Access | None:
        """Part of the class this is built on; `__call__` does without."""
        return None


def admitted(request: HttpRequest) -> Access | None:
    """Whoever asks, let in; None for nobody. Raises Refused for those who are not."""
    return TokenAccess()(request) or SessionAccess()(request)


def by_token(text: str) -> Access | None:
    """The access of a token, unless it, its person, their membership or the team has ended."""
    token = AccessToken.find(text)
    if token is None:
        return None
    rows = Membership.objects.select_related("user", "team")
    membership = rows.filter(user=token.user_id, team=token.team_id).first()
    if membership is None:
        return None
    token.note_use()
    reader = "" if token.scope == AccessToken.Scope.WRITE else "This token may only read."
    return Access(membership, f"token:{token.pk}", partial(_team_of_token, text), reader)


@database_sync_to_async
def _team_of_token(text: str) -> Team | None:
    found = by_token(text)
    return found.membership.team if found else None


def by_session(request: HttpRequest) -> Access | None:
    """The access of a session, in the team that its person works in."""
    membership: Membership | None = getattr(request, "membership", None)
    if membership is None:
        return None
    key = request.session.session_key
    return Access(membership, f"session:{key}", partial(team_of_session, key))


def _admitted(request: HttpRequest, access: Access) -> Access:
    """Raises Refused for too many requests, and for changes by those who may only look."""
    if not getattr(request, "is_counted", False):
        _count(access)
        request.is_counted = True  # type: ignore[attr-defined]
    if request.method not in SAFE:
        if access.reader:
            raise Refused(403, access.reader)
        if not access.membership.may_change:
            raise Refused(403, f"You are a viewer in {access.membership.team}: viewers change nothing.")
    return access


def _count(access: Access) -> None:
    """Counts a request of this minute. A counter that is away lets everybody in."""
    now = int(time.time())
    counter, key = caches["rates"], f"api:{access.key}:{now // MINUTE}"
    try:
        counter.add(key, 0, 2 * MINUTE)
        made = counter.incr(key)
    except (RedisError, OSError, ValueError) as error:
        logger.warning("requests are not counted: %s", error)
        return
    if made > settings.API_REQUESTS_PER_MINUTE:
        raise TooManyRequests(MINUTE - now % MINUTE)
