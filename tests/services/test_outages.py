"""What people and probes see while the broker, the database or room on the disk is away, and afterwards."""

from __future__ import annotations

import contextlib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.services.installed import QUICK, on_servers, scenario
from tests.services.servers import Postgres, Redis
from tests.services.test_postgres import serving
from tests.serving import Serving, wait_until

pytestmark = pytest.mark.services


def status(running: Serving, path: str) -> int:
    """The answer's status; 0 without an answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{running.port}{path}", timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@contextlib.contextmanager
def at_work(
    tmp_path: Path, postgres: Postgres, redis: Redis, name: str
) -> Iterator[tuple[Serving, dict[str, str]]]:
    environment = on_servers(tmp_path, postgres, redis, name, **QUICK)
    scenario(environment, "prepare")
    with serving(environment, complains=True) as running:
        assert status(running, "/health/ready") == 200
        yield running, environment


def succeeds(environment: dict[str, str], run: str) -> bool:
    over = "select status from runs_run where id = %s and finished_at is not null"

    def status_of() -> list[tuple[str]]:
        with (
            contextlib.suppress(psycopg.OperationalError),
            psycopg.connect(environment["DATABASE_URL"]) as rows,
        ):
            return rows.execute(over, [run]).fetchall()
        return []

    assert wait_until(status_of, 120)
    return status_of() == [("succeeded",)]


def test_without_its_broker_pages_go_on_and_work_continues_when_it_is_back(
    tmp_path: Path, postgres: Postgres, redis_server: Redis
) -> None:
    with at_work(tmp_path, postgres, redis_server, "no_broker") as (running, environment):
        redis_server.kill()
        try:
            assert status(running, "/health/live") == 200
            assert status(running, "/health/ready") == 503
            assert status(running, "/sign-in/") == 200
            # What is begun now is announced when the broker is back.
            run = scenario(environment, "small", seconds=60)
        finally:
            redis_server.start()
        assert succeeds(environment, run)
        assert status(running, "/health/ready") == 200


def test_without_its_database_it_says_so_and_work_continues_when_it_is_back(
    tmp_path: Path, postgres: Postgres, redis_server: Redis
) -> None:
    with at_work(tmp_path, postgres, redis_server, "no_database") as (running, environment):
        run = scenario(environment, "small")
        postgres.kill()
        try:
            assert status(running, "/health/live") == 200
            assert status(running, "/health/ready") == 503
        finally:
            postgres.start()
        assert succeeds(environment, run)
        assert status(running, "/health/ready") == 200
