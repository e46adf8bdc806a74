"""Requests that happen once: the header `Idempotency-Key` on what makes something.

The key is reserved first, by a row that can be there once. Then what the request makes and its answer are
stored in one transaction: whoever sends it again gets the answer, and a process that is killed half way has
made nothing.
"""

from __future__ import annotations

import hashlib
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
from chamnet_web.api.access import Access, identify
from chamnet_web.api.errors import problem
from devices.api.answers import Refused, content_of
from devices.forms import MOST_BYTES

HEADER = "Idempotency-Key"
LONGEST_KEY = 100
KEPT = timedelta(days=1)
GIVEN_UP_AFTER = timedelta(minutes=10)
"""A request without an answer for so long was killed."""

View = Callable[..., HttpResponseBase]


def once(view: View) -> View:
    """Wraps a view of the API: bodies are within bounds, and requests with a key happen once."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if _is_json(request) and _length(request) > (settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0):
            return problem(413, f"The body is larger than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes.")
        key = request.headers.get(HEADER, "")
        access = identify(request) if key and request.method == "POST" else None
        if access is None:
            return view(request, *args, **kwargs)
        if len(key) > LONGEST_KEY or not key.isprintable():
            return problem(422, f"{HEADER} is up to {LONGEST_KEY} printable characters.")
        try:
            print_ = _fingerprint(request)
        except Refused as error:
            return problem(error.status, error.detail)
        reserved = _reserve(access, key, print_)
        if isinstance(reserved, HttpResponse):
            return reserved
        return _perform(reserved, lambda: view(request, *args, **kwargs))

    return wrapped


def _reserve(access: Access, key: str, fingerprint: str) -> OnceKey | HttpResponse:
    """The row of a key that was not used before; else the answer of when it was."""
    user, team, now = access.membership.user, access.membership.team, timezone.now()
    rows = OnceKey.objects.filter(user=user, team=team)
    rows.filter(created_at__lt=now - KEPT).delete()
    rows.filter(key=key, status=None, created_at__lt=now - GIVEN_UP_AFTER).delete()
    try:
        with transaction.atomic():
            return OnceKey.objects.create(user=user, team=team, key=key, fingerprint=fingerprint)
    except IntegrityError:
        known = rows.filter(key=key).first()
    if known is None or (known.status is None and known.fingerprint == fingerprint):
        return problem(409, f"A request with this {HEADER} is being worked on: ask again.")
    if known.fingerprint != fingerprint:
        return problem(422, f"This {HEADER} was used for another request.")
    response = HttpResponse(known.content, content_type="application/json", status=known.status)
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _perform(row: OnceKey, run: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Runs the request and stores its answer with what it made; of a refused one nothing stays."""
    stored = False
    try:
        with transaction.atomic():
            response = run()
            if isinstance(response, HttpResponse) and response.status_code < 300:
                changes = {"status": response.status_code, "content": response.content.decode()}
                stored = bool(OnceKey.objects.filter(pk=row.pk, status=None).update(**changes))
            if not stored:
                transaction.set_rollback(True)
    finally:
        if not stored:
            OnceKey.objects.filter(pk=row.pk, status=None).delete()
    return response


def _fingerprint(request: HttpRequest) -> str:
    content = request.body if _is_json(request) else content_of(request, MOST_BYTES)
    told = f"{request.method} {request.get_full_path()}\n".encode() + content
    return hashlib.sha256(told).hexdigest()


def _is_json(request: HttpRequest) -> bool:
    return request.content_type in ("application/json", "")


def _length(request: HttpRequest) -> int:
    text = request.META.get("CONTENT_LENGTH") or "0"
    return int(text) if text.isdecimal() else 0
