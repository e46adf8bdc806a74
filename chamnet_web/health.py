"""Whether this process can do its work, for what starts and stops processes or sends them requests."""

from __future__ import annotations

import functools
import ipaddress
import logging
import secrets
from collections.abc import Callable

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from devices.runs.figures import exposition

logger = logging.getLogger(__name__)

BROKER_SECONDS = 2.0
STORAGE_SECONDS = 10
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP")


@login_not_required
@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The process answers. Whatever else is away, starting it anew would not help."""
    return JsonResponse({"ok": True})


@login_not_required
@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Everything that requests need is there: 200, else 503. What is missing is only told to `may_see`."""
    checks = {name: check() for name, check in CHECKS.items()}
    answer: dict[str, object] = {"ok": all(checks.values())}
    if may_see(request):
        answer["checks"] = checks
    return JsonResponse(answer, status=200 if answer["ok"] else 503)


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Figures of the whole installation for Prometheus."""
    if not may_see(request):
        return HttpResponseForbidden(
            "Metrics need “Authorization: Bearer METRICS_TOKEN”, or a request from this machine.\n",
            content_type="text/plain; charset=utf-8",
        )
    content, content_type = exposition()
    return HttpResponse(content, content_type=content_type)


def may_see(request: HttpRequest) -> bool:
    """With METRICS_TOKEN who has it; without, who asks from this machine itself and not through a proxy."""
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return secrets.compare_digest(given.encode(), settings.METRICS_TOKEN.encode())
    if settings.BEHIND_TLS or any(name in request.META for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        logger.warning("not ready: the database: %s", error)
        connection.close()
        return False
    return True


def _migrations_are_applied() -> bool:
    try:
        return _applied()
    except (DatabaseError, _PendingError) as error:
        logger.warning("not ready: migrations: %s", error)
        return False


class _PendingError(Exception):
    """Migrations that this code brings are not applied."""


@functools.cache
def _applied() -> bool:
    """True, and from then on without asking: nobody takes a migration back under a running process."""
    executor = MigrationExecutor(connection)
    if plan := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise _PendingError(f"{len(plan)} are not applied: run manage.py migrate")
    return True


def _broker_answers() -> bool:
    try:
        options = {"socket_timeout": BROKER_SECONDS, "socket_connect_timeout": BROKER_SECONDS}
        with redis.Redis.from_url(settings.REDIS_URL, **options) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError) as error:
        logger.warning("not ready: the broker: %s", error)
        return False


def _storage_is_writable() -> bool:
    """As it was at most STORAGE_SECONDS ago: whoever asks makes nobody write more often."""
    return bool(cache.get_or_set("storage-is-writable", _write_and_delete, STORAGE_SECONDS))


def _write_and_delete() -> bool:
    try:
        name = default_storage.save(f"health/{secrets.token_hex(8)}", ContentFile(b"ok"))
        default_storage.delete(name)
    except Exception as error:  # noqa: BLE001  (of a storage that may be anybody's)
        logger.warning("not ready: the files' storage: %s", error)
        return False
    return True


CHECKS: dict[str, Callable[[], bool]] = {
    "database": _database_answers,
    "migrations": _migrations_are_applied,
    "broker": _broker_answers,
    "storage": _storage_is_writable,
}
