"""An installation on PostgreSQL and Redis: only those two settings differ from one on SQLite."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.services.servers import Postgres, Redis
from tests.serving import ROOT, installation

# As the supervisor starts its processes: with other numbers of threads, sums round otherwise.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
WORKERS = dict.fromkeys(("WEB_WORKERS", "TRAIN_WORKERS", "LIGHT_WORKERS"), "2")
QUICK = {"STEP_LEASE_SECONDS": "15", "SWEEP_SECONDS": "1"}


def on_servers(data: Path, postgres: Postgres, redis: Redis, name: str, **settings: str) -> dict[str, str]:
    """The environment of a migrated installation with a database of its own."""
    addresses = {"DATABASE_URL": postgres.create(name), "REDIS_URL": redis.url()}
    redis.flush()
    return installation(data, **WORKERS, **addresses, **settings)


def scenario(environment: dict[str, str], *arguments: object, seconds: float = 300) -> Any:
    """What `tests.services.scenario` found in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.services.scenario", *map(str, arguments)],
        cwd=ROOT, env=environment | ONE_THREAD, capture_output=True, text=True, timeout=seconds,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-1000:]
    return json.loads(done.stdout.rpartition("FOUND ")[2])
