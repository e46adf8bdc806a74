"""A backup restored into an empty installation has everything, on the same database or another."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.services.installed import on_servers, scenario
from tests.services.servers import Postgres, Redis
from tests.serving import ROOT, installation

pytestmark = pytest.mark.services


def manage(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *map(str, arguments)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_from_sqlite_to_postgresql_and_back_nothing_is_lost(
    tmp_path: Path, postgres: Postgres, redis_server: Redis
) -> None:
    first = installation(tmp_path / "first", TRAIN_WORKERS="2")
    (expected,) = scenario(first, "alone", 0).values()
    under_way = scenario(first, "small")
    before = scenario(first, "counts")
    assert before["search.modelfile"] > 1

    second = on_servers(tmp_path / "second", postgres, redis_server, "restored")
    third = installation(tmp_path / "third", TRAIN_WORKERS="2")
    source = first
    for number, target in enumerate((second, third)):
        file = tmp_path / f"{number}.tar"
        done = manage(source, "backup", file)
        assert done.returncode == 0, done.stderr
        assert "rows and" in done.stdout
        done = manage(target, "restore", file)
        assert done.returncode == 0, done.stderr
        assert scenario(target, "counts") == before
        assert scenario(target, "facts", 0) == expected
        known = scenario(target, "integrity")
        assert (known["event_gaps"], known["rows_without_file"], known["files_without_row"]) == ([], [], [])
        source = target

    # What was under way goes on, and new rows take new numbers.
    assert scenario(second, "finish", under_way) == "succeeded"
    assert "in use" in manage(second, "restore", tmp_path / "0.tar").stderr
    assert "is there already" in manage(first, "backup", tmp_path / "0.tar").stderr


def test_what_is_no_backup_is_refused_in_a_sentence(tmp_path: Path) -> None:
    environment = installation(tmp_path / "data")
    text, other = tmp_path / "text.tar", tmp_path / "other.tar"
    text.write_text("nothing")
    with tarfile.open(other, "w") as archive:
        archive.add(text, "storage/../../escaped")
    for file, said in (
        (text, "is no backup"),
        (other, "has no manifest"),
        (tmp_path / "none", "is no backup"),
    ):
        done = manage(environment, "restore", file)
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr
