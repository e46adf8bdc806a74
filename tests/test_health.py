"""What probes and Prometheus see, and what strangers do not."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from chamnet_web import health
from devices.runs.logs import JsonFormatter, SubjectFilter, about
from devices.runs.models import Run, Step
from devices.runs.services import start_run
from devices.runs.steps import claim

pytestmark = pytest.mark.django_db
PROXIED: dict[str, Any] = {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}


@pytest.fixture
def _broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(health.CHECKS, "broker", lambda: True)


@pytest.fixture
def _fresh() -> Iterator[None]:
    health._applied.cache_clear()
    yield
    health._applied.cache_clear()


@pytest.fixture(autouse=True)
def _storage_is_asked() -> None:
    cache.clear()


def figures(client: Client) -> dict[tuple[str, ...], float]:
    """Every figure by its name and the values of its labels."""
    response = client.get("/metrics")
    assert response.status_code == 200
    families = text_string_to_metric_families(response.content.decode())
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_a_process_that_answers_is_live_without_signing_in(client: Client) -> None:
    response = client.get("/health/live")
    assert (response.status_code, response.json()) == (200, {"ok": True})
    assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.usefixtures("_broker", "_fresh")
def test_it_is_ready_when_database_migrations_broker_and_storage_are_there(client: Client) -> None:
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert response.json() == {
        "ok": True,
        "checks": {"database": True, "migrations": True, "broker": True, "storage": True},
    }
    assert client.get("/health/ready", **PROXIED).json() == {"ok": True}


@pytest.mark.usefixtures("_fresh")
def test_a_broker_that_is_away_makes_it_unready_and_only_the_log_says_which(
    client: Client, settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    response = client.get("/health/ready", **PROXIED)
    assert (response.status_code, response.json()) == (503, {"ok": False})
    assert "not ready: the broker" in caplog.text


@pytest.mark.usefixtures("_broker", "_fresh")
def test_pending_migrations_make_it_unready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "django.db.migrations.executor.MigrationExecutor.migration_plan", lambda *_: [("one", False)]
    )
    assert client.get("/health/ready").json()["checks"] == {
        "database": True, "migrations": False, "broker": True, "storage": True,
    }  # fmt: skip


@pytest.mark.usefixtures("_broker")
def test_a_full_disk_makes_it_unready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(health.default_storage, "save", full)
    response = client.get("/health/ready")
    assert (response.status_code, response.json()["checks"]["storage"]) == (503, False)
    monkeypatch.undo()
    monkeypatch.setitem(health.CHECKS, "broker", lambda: True)
    assert not client.get("/health/ready").json()["checks"]["storage"]  # not written again so soon


def test_metrics_are_for_this_machine_or_for_who_has_the_token(client: Client, settings) -> None:
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", **PROXIED).status_code == 403
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.1").status_code == 403
    settings.METRICS_TOKEN = "a long token"
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer another").status_code == 403
    allowed: dict[str, Any] = {"REMOTE_ADDR": "192.0.2.1", "HTTP_AUTHORIZATION": "Bearer a long token"}
    assert client.get("/metrics", **allowed).status_code == 200


def test_metrics_say_what_waits_what_was_done_and_how_long_it_took(
    client: Client, owner, django_assert_max_num_queries
) -> None:
    def begin() -> Run:
        return start_run(
            owner=owner, kind="search", title="S", first_step="search.generations", queue="light"
        )

    waiting, done = begin(), begin()
    step = claim(done.steps.get().pk)
    assert step is not None
    with step.commit() as writer:
        writer.succeed()
    Step.objects.filter(pk=step.step.pk).update(seconds=3.0, lost=2)
    found = figures(client)
    assert found["chamnet_runs", "search", "queued"] == 1
    assert found["chamnet_runs", "search", "succeeded"] == 1
    assert found["chamnet_steps", "light", "ready"] == 1
    assert found["chamnet_steps", "train", "ready"] == 0
    assert 0 <= found["chamnet_oldest_ready_step_seconds", "light"] < 60
    assert found["chamnet_step_seconds_bucket", "search.generations", "2"] == 0
    assert found["chamnet_step_seconds_bucket", "search.generations", "5"] == 1
    assert found["chamnet_step_seconds_sum", "search.generations"] == 3.0
    assert found["chamnet_lease_expiries_total",] == 2
    waiting.refresh_from_db()
    done.refresh_from_db()
    assert found["chamnet_events_total",] == waiting.last_seq + done.last_seq
    assert found["chamnet_sockets_open", str(os.getpid())] == 0
    with django_assert_max_num_queries(6):
        client.get("/metrics")


def test_a_log_line_names_its_run_and_step_as_text_and_as_json() -> None:
    plain, structured = io.StringIO(), io.StringIO()
    logger = logging.Logger("work")
    for stream, formatter in (
        (plain, logging.Formatter("{levelname} {subject}{message}", style="{")),
        (structured, JsonFormatter()),
    ):
        handler = logging.StreamHandler(stream)
        handler.addFilter(SubjectFilter())
        handler.setFormatter(formatter)
        logger.addHandler(handler)
    with about(run="7f", step="train:3"):
        logger.info("begins")
        try:
            raise RuntimeError("out of fingers")
        except RuntimeError:
            logger.exception("failed")
    logger.info("elsewhere")
    assert plain.getvalue().startswith("INFO run 7f train:3: begins\n")
    assert plain.getvalue().endswith("INFO elsewhere\n")
    first, second, last = map(json.loads, structured.getvalue().splitlines())
    assert {name: first[name] for name in ("level", "logger", "run", "step", "message")} == {
        "level": "INFO", "logger": "work", "run": "7f", "step": "train:3", "message": "begins",
    }  # fmt: skip
    assert "RuntimeError: out of fingers" in second["error"]
    assert "run" not in last
