"""Requests that happen once: the header `Idempotency-Key` on what makes something.

The key is reserved first, by a row that can be there once. Then what the request makes and its answer are
stored in one transaction: whoever sends it again gets the answer, and a process that is killed half way has
made nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from chamnet_web.accounts.models import OnceKey
from chamnet_web.api.access import admitted
from chamnet_web.api.errors import problem, refusal
from devices.api.agent import DeviceAuth
from devices.api.answers import Refused, content_of, secrets_of
from devices.forms import MOST_BYTES

HEADER = "Idempotency-Key"
LONGEST_KEY = 100
GIVEN_UP_AFTER = timedelta(minutes=10)
"""A request without an answer for so long was killed."""

View = Callable[..., HttpResponseBase]


def once(view: View) -> View:
    """Wraps a view of the API: bodies are within bounds, and requests with a key happen once."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        key = request.headers.get(HEADER, "") if request.method == "POST" else ""
        try:
            _look_at_body(request)
            holder = _holder(request) if key else None
            if holder is None:
                return view(request, *args, **kwargs)
            reserved = _reserve(holder, key, _fingerprint(request))
        except Refused as error:
            return refusal(error)
        if isinstance(reserved, HttpResponse):
            request.changes_nothing = True  # type: ignore[attr-defined]  # read by the trail of who did what
            return reserved
        return _perform(reserved, request, lambda: view(request, *args, **kwargs))

    return wrapped


def _look_at_body(request: HttpRequest) -> None:
    """Raises Refused for what is too large."""
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
    if _is_json(request) and _length(request) > most:
        raise Refused(413, f"The body is larger than {most} bytes.")
    if request.content_type == "multipart/form-data":
        request._body = content_of(request, most)  # before looking for a CSRF token uses the stream up


def _holder(request: HttpRequest) -> tuple[str, Any] | None:
    """Whose key it is, and in which team; None for nobody. Raises Refused for those who are not let in."""
    access = admitted(request)
    if access is not None:
        return f"person {access.membership.user_id}", access.membership.team
    token = DeviceAuth()(request)
    return None if token is None else (f"token {token.pk} of a device", token.device.owner)


def _reserve(holder: tuple[str, Any], key: str, fingerprint: str) -> OnceKey | HttpResponse:
    """The row of a key that was not used before; else the answer of when it was."""
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise Refused(422, f"{HEADER} is up to {LONGEST_KEY} printable characters.")
    who, team = holder
    rows = OnceKey.objects.filter(holder=who, team=team)
    rows.forgotten().delete()
    rows.filter(key=key, status=None, created_at__lt=timezone.now() - GIVEN_UP_AFTER).delete()
    try:
        with transaction.atomic():
            return OnceKey.objects.create(holder=who, team=team, key=key, fingerprint=fingerprint)
    except IntegrityError:
        known = rows.filter(key=key).first()
    if known is None or (known.status is None and known.fingerprint == fingerprint):
        return problem(409, f"A request with this {HEADER} is being worked on: ask again.")
    if known.fingerprint != fingerprint:
        return problem(422, f"This {HEADER} was used for another request.")
    response = HttpResponse(known.content, content_type="application/json", status=known.status)
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _perform(row: OnceKey, request: HttpRequest, run: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Runs the request and stores its answer with what it made; of a refused one nothing stays."""
    stored = False
    try:
        with transaction.atomic():
            response = run()
            if isinstance(response, HttpResponse) and response.status_code < 300:
                changes = {"status": response.status_code, "content": _kept(request, response)}
                stored = bool(OnceKey.objects.filter(pk=row.pk, status=None).update(**changes))
            if not stored:
                transaction.set_rollback(True)
    finally:
        if not stored:
            OnceKey.objects.filter(pk=row.pk, status=None).delete()
    return response


def _kept(request: HttpRequest, response: HttpResponse) -> str:
    """The answer without what is told once."""
    told = response.content.decode()
    secrets = secrets_of(request)
    return json.dumps(json.loads(told) | dict.fromkeys(secrets)) if secrets else told


def _fingerprint(request: HttpRequest) -> str:
    content = request.body if _is_json(request) else content_of(request, MOST_BYTES)
    request._body = content  # for a view that takes it for JSON, whatever it is called
    told = f"{request.method} {request.get_full_path()}\n".encode() + content
    return hashlib.sha256(told).hexdigest()


def _is_json(request: HttpRequest) -> bool:
    return request.content_type in ("application/json", "")


def _length(request: HttpRequest) -> int:
    text = request.META.get("CONTENT_LENGTH") or "0"
    return int(text) if text.isdecimal() else 0
