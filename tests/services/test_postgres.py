"""PostgreSQL, Redis and four workers do what SQLite and one worker do."""

from __future__ import annotations

import hashlib
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.services.installed import on_servers, scenario
from tests.services.on_postgres import run_pytest
from tests.services.servers import Postgres, Redis
from tests.serving import Serving, free_port, installation, wait_until

pytestmark = pytest.mark.services
FAIR_BUDGET = 16
# Leases and events; rows that can be there once; lists' filters, sorts and files; imports; odd characters;
# the queries of every page.
ON_BOTH = (
    "tests/devices/runs",
    "tests/devices/test_import.py",
    "tests/devices/test_lists.py",
    "tests/search/test_lists.py",
    "tests/accounts",
    "tests/api/test_once.py",
    "tests/api/test_nul.py",
    "tests/test_nul.py",
    "tests/test_every_address.py",
)


@contextmanager
def serving(environment: dict[str, str], *, complains: bool = False) -> Iterator[Serving]:
    """Runs meanwhile, then stops cleanly; unless it `complains` for a reason, without a traceback."""
    running = Serving(environment, free_port())
    try:
        running.wait_until_open()
        yield running
        assert running.stop(signal.SIGINT) == 0, running.output
        assert complains or "Traceback" not in running.output, running.output
    finally:
        running.end()


def test_from_a_device_to_a_verified_file(tmp_path: Path, postgres: Postgres, redis_server: Redis) -> None:
    environment = on_servers(tmp_path, postgres, redis_server, "chain")
    scenario(environment, "prepare")
    with serving(environment):
        found = scenario(environment, "chain")
    assert found["database"] == "django.db.backends.postgresql"
    assert hashlib.sha256(Path(found["path"]).read_bytes()).hexdigest() == found["sha256"]
    assert not (tmp_path / "chamnet.sqlite3").exists()
    assert not (tmp_path / "redis").exists()
    known = scenario(environment, "integrity")
    assert (known["event_gaps"], known["rows_without_file"], known["files_without_row"]) == ([], [], [])


def test_two_builds_and_three_searches_share_the_workers(
    tmp_path: Path, postgres: Postgres, redis_server: Redis
) -> None:
    environment = on_servers(tmp_path, postgres, redis_server, "fair")
    scenario(environment, "prepare")
    builds = scenario(environment, "fair", FAIR_BUDGET)
    with serving(environment), psycopg.connect(environment["DATABASE_URL"], autocommit=True) as rows:
        unfinished = "select count(*) from runs_run where status not in ('succeeded', 'failed')"
        assert wait_until(lambda: rows.execute(unfinished).fetchall() == [(0,)], 240)
        failed = rows.execute("select title, reason from runs_run where status = 'failed'").fetchall()
        ended = rows.execute(
            "select run_id::text from runs_event where kind = 'sample.finished' order by at"
        ).fetchall()
        order = [run for (run,) in ended if run in builds]
        last = rows.execute(
            "select max(at) from runs_event where kind = 'generation' and run_id in "
            "(select id from runs_run where title like '%Fair%')"
        ).fetchall()
        trained_before = rows.execute(
            "select count(*) from runs_event where kind = 'sample.finished' and at < %s", last[0]
        ).fetchall()
    assert failed == []
    # While both builds have work, neither gets less than a third of the trainings.
    shares: Counter[str] = Counter()
    for run in order:
        shares[run] += 1
        if shares[run] == FAIR_BUDGET:
            break
    assert len(shares) == 2
    assert min(shares.values()) >= shares.total() / 3, shares
    # The searches on the other queue do not wait for the builds, nor the builds for them.
    assert trained_before[0][0] > 0


def test_what_databases_could_do_differently_they_do_alike(postgres: Postgres) -> None:
    done = run_pytest(
        postgres.create("rows"), "-q", "-n", "2", "-p", "no:cacheprovider", *ON_BOTH,
        capture_output=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]


def test_parts_of_an_installation_start_apart(
    tmp_path: Path, postgres: Postgres, redis_server: Redis
) -> None:
    environment = on_servers(tmp_path, postgres, redis_server, "apart")
    scenario(environment, "prepare")
    apart = [Serving(environment, free_port(), "--only", part) for part in ("train", "light", "beat")]
    try:
        run = scenario(environment, "small")
        with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as rows:
            over = "select status from runs_run where id = %s and status in ('succeeded', 'failed')"
            assert wait_until(lambda: rows.execute(over, [run]).fetchall(), 120), [a.output for a in apart]
            assert rows.execute(over, [run]).fetchall() == [("succeeded",)]
        assert [one.stop(signal.SIGINT) for one in apart] == [0, 0, 0]
        assert [one.output.split("  ")[0] for one in apart] == [
            "Started: train",
            "Started: light",
            "Started: beat",
        ]
    finally:
        for one in apart:
            one.end()


def test_parts_need_a_broker_that_they_share(tmp_path: Path) -> None:
    alone = Serving(installation(tmp_path), free_port(), "--only", "web")
    try:
        assert alone.process.wait(30) == 1
        assert wait_until(lambda: "Set REDIS_URL to run its parts apart." in alone.output, 5), alone.output
    finally:
        alone.end()
