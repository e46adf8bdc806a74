"""A worker killed in mid-training costs that step's time, or an epoch's, and nothing else."""

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
owner = User.objects.create_user("ada").teams.get()
start_predictor(owner=owner, name="P", space=tiny_space(), dataset="digits",
                recipe="seconds", budget=6, initial=3, seed=0)
"""


SEARCHED = """
from chamnet_web.accounts.models import User
from tests.search.world import predictor_of, roomy_space, search_of, table_of
from tests.working import work_until_idle
owner, space = User.objects.create_user("ada").teams.get(), roomy_space()
search_of(owner, predictor_of(owner, work_until_idle, space=space), table_of(owner, space), work_until_idle)
"""

BEGIN_MODEL = """
from chamnet_web.accounts.models import Team
from search.models import Candidate
from search.services.models import start_model
start_model(owner=Team.objects.get(), network=Candidate.objects.get(rank=1), recipe="seconds-final", seed=3)
"""


def shell(environment: dict[str, str], code: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", code], cwd=ROOT, env=environment, check=True, timeout=120
    )


def train_worker(serving: Serving) -> int:
    """The process that trains: a child of the train queue's worker."""
    main = [
        pid
        for pid in children_of(serving.process.pid)
        if b"-Q\x00train\x00" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    worker = next(pid for pid in main if children_of(pid))  # the parent of the pool
    return next(iter(children_of(worker)))


def rows(database: Path, query: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(database, timeout=20)) as connection:
        return connection.execute(query).fetchall()


def test_a_killed_training_is_done_again_and_every_other_once(tmp_path: Path) -> None:
    environment = installation(tmp_path, STEP_LEASE_SECONDS="4", SWEEP_SECONDS="1")
    database = tmp_path / "chamnet.sqlite3"
    shell(environment, BEGIN)
    serving = Serving(environment, free_port())
    try:
        serving.wait_until_open()
        training = "select payload from runs_step where kind = 'predictor.train' and status = 'leased'"
        assert wait_until(lambda: rows(database, training), 60), serving.output
        child = train_worker(serving)
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


def test_a_final_training_that_is_killed_ends_with_the_same_weights(tmp_path: Path) -> None:
    # An export may take seconds in which nothing can be said; the lease is long enough for that.
    environment = installation(tmp_path, STEP_LEASE_SECONDS="15", SWEEP_SECONDS="1", TRAIN_WORKERS="1")
    database = tmp_path / "chamnet.sqlite3"
    shell(environment, SEARCHED)
    shell(environment, BEGIN_MODEL)
    over = "select count(*) from runs_run where kind = 'model' and status = 'succeeded'"
    serving = Serving(environment, free_port())
    try:
        serving.wait_until_open()
        assert wait_until(lambda: rows(database, over) == [(1,)], 240), serving.output
        shell(environment, BEGIN_MODEL)
        under_way = (
            "select max(number) from search_epoch group by model_id having max(number) between 5 and 30"
        )
        assert wait_until(lambda: rows(database, under_way), 120), serving.output
        os.kill(train_worker(serving), signal.SIGKILL)
        assert wait_until(lambda: rows(database, over) == [(2,)], 240), serving.output
        assert serving.stop(signal.SIGINT) == 0
    finally:
        serving.end()
    lost = "select max(lost) as most from runs_step where kind = 'model.train' group by run_id order by most"
    assert rows(database, lost) == [(0,), (1,)]
    # The weights' file holds nothing but the weights and what they belong to: equal bytes, equal training.
    weights = "select sha256, problem from search_modelfile where format = 'safetensors'"
    (first, second) = rows(database, weights)
    assert first == second
    assert first[1] == ""
    losses = "select number, count(distinct loss), count(*) from search_epoch group by number"
    assert rows(database, losses) == [(number, 1, 2) for number in range(1, 41)]
    assert len(rows(database, "select distinct test_accuracy from search_trainedmodel")) == 1
