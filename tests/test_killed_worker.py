"""A worker killed in mid-training costs that step's time and nothing else."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.serving import ROOT, Serving, children_of, free_port, installation, wait_until

pytestmark = pytest.mark.services

BEGIN = """
from chamnet_web.accounts.models import User
from search.services.predictors import start_predictor
from tests.search.world import tiny_space
start_predictor(owner=User.objects.create_user("ada"), name="P", space=tiny_space(), dataset="digits",
                recipe="seconds", budget=6, initial=3, seed=0)
"""


def rows(database: Path, query: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(database, timeout=20)) as connection:
        return connection.execute(query).fetchall()


def test_a_killed_training_is_done_again_and_every_other_once(tmp_path: Path) -> None:
    environment = installation(tmp_path, STEP_LEASE_SECONDS="4", SWEEP_SECONDS="1")
    database = tmp_path / "chamnet.sqlite3"
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", BEGIN], cwd=ROOT, env=environment, check=True, timeout=60
    )
    serving = Serving(environment, free_port())
    try:
        serving.wait_until_open()
        training = "select payload from runs_step where kind = 'predictor.train' and status = 'leased'"
        assert wait_until(lambda: rows(database, training), 60), serving.output
        main = [
            pid
            for pid in children_of(serving.process.pid)
            if b"-Q\x00train\x00" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        worker = next(pid for pid in main if children_of(pid))  # the parent of the pool
        (child, *_) = children_of(worker)
        lost = rows(database, training)
        os.kill(child, signal.SIGKILL)

        final = "select status, reason from runs_run where status in ('succeeded', 'failed')"
        assert wait_until(lambda: rows(database, final), 180), serving.output
        assert rows(database, final) == [("succeeded", "")]
        trained = rows(
            database,
            "select payload, attempts, status from runs_step where kind = 'predictor.train' order by id",
        )
        assert len(trained) == 6
        assert {status for _, _, status in trained} == {"done"}
        assert [(payload,) for payload, attempts, _ in trained if attempts > 1] == lost
        assert rows(database, "select count(*) from search_sample where status = 'succeeded'") == [(6,)]
        assert serving.stop(signal.SIGINT) == 0
    finally:
        serving.end()
