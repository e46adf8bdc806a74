"""The examples of the documentation do what they say, against the application behind a real server."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches

from chamnet_web.accounts.models import Team, User
from devices.api import events
from devices.runs import following
from search.forms import predictors as forms
from search.models import Candidate, ModelFile
from search.services import catalogue
from tests.api.conftest import token_of
from tests.api.live import served, working
from tests.search.conftest import tiny_recipes
from tests.search.world import table_of, tiny_space
from tests.serving import ROOT, free_port

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["tiny_recipes"]


@pytest.fixture
def site(
    owner: Team, ada: User, monkeypatch: pytest.MonkeyPatch, tiny_recipes: None, tmp_path: Path
) -> Iterator[dict[str, str]]:
    """What the environment of a person's terminal has; the server has a small latency table."""
    for module in (forms, catalogue):
        monkeypatch.setattr(module, "space_for", tiny_space)
    monkeypatch.setattr("devices.runs.writing.nudge_watchers", lambda run_id: None)
    monkeypatch.setattr(events, "LOOK_AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(following, "LOOK_AGAIN_SECONDS", 0.1)
    table = table_of(owner)
    caches["rates"].clear()
    with served() as address, working():
        yield {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "XDG_CONFIG_HOME": str(tmp_path / "settings"),
            "CHAMNET_URL": address,
            "CHAMNET_TOKEN": token_of(ada),
            "TABLE": str(table.pk),
        }


def blocks(file: str, kind: str) -> list[str]:
    found = re.findall(rf"^```{kind}\n(.*?)^```", (ROOT / "docs" / file).read_text(), re.S | re.M)
    assert found
    return found


def run(line: str, environment: dict[str, str], folder: Path, **options: Any) -> Any:
    """A line of a shell, where `chamnet` is the command of this folder."""
    command = line.replace("chamnet ", f'"{sys.executable}" -m chamnet_web.client ', 1)
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        **options,
    )


def test_the_examples_in_python_do_what_they_say(
    site: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("CHAMNET_URL", "CHAMNET_TOKEN"):
        monkeypatch.setenv(name, site[name])
    names: dict[str, Any] = {}
    for block in blocks("api.md", "python"):
        exec(compile(block, "docs/api.md", "exec"), names)
    said = capsys.readouterr().out
    assert "422 Your team already has a device called “Board in the lab”." in said
    assert "6 of 6" in said
    assert "“Fast” succeeded" in said


def test_the_examples_of_the_command_do_what_they_say(site: dict[str, str], tmp_path: Path) -> None:
    (block,) = blocks("command.md", "sh")
    said: dict[str, str] = {}
    for line in block.strip().splitlines():
        verb = line.split()[1]
        done = run(line, site, tmp_path)
        assert done.returncode == 0, (line, done.stderr)
        said[verb] = done.stdout
        if verb == "search":
            site["SEARCH"] = done.stdout.strip()
            site["CANDIDATE"] = str(Candidate.objects.get(search__pk=site["SEARCH"], rank=1).pk)
        elif verb == "train":
            site["MODEL"] = done.stdout.strip()
    assert site["CANDIDATE"][:8] in said["candidates"]
    path = tmp_path / said["download"].strip()
    assert path.stat().st_size == ModelFile.objects.get(format="torchscript").size_bytes
    assert "model" in said["list"]


def test_the_command_logs_in_and_says_what_is_wrong_in_a_sentence(
    site: dict[str, str], tmp_path: Path
) -> None:
    address, token = site.pop("CHAMNET_URL"), site.pop("CHAMNET_TOKEN")
    first = run("chamnet list devices", site, tmp_path)
    assert (first.returncode, first.stderr) == (4, "Log in first: chamnet login https://your-server\n")
    wrong = run(f"chamnet login {address}", site, tmp_path, input="wrong\n")
    assert wrong.returncode == 4
    done = run(f"chamnet login {address}", site, tmp_path, input=f"{token}\n")
    assert done.returncode == 0, done.stderr
    assert token not in done.stdout + done.stderr
    kept = tmp_path / "settings" / "chamnet" / "login.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    listed = run("chamnet list devices --json", site, tmp_path)
    assert [one["name"] for one in json.loads(listed.stdout)] == ["This machine"]
    refused = run('chamnet register "This machine"', site, tmp_path)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[0].startswith("Your team already has a device called")
    assert "Traceback" not in refused.stderr
    assert run("chamnet list nonsense", site, tmp_path).returncode == 2
    elsewhere = {"CHAMNET_URL": f"http://127.0.0.1:{free_port()}"}
    half = run("chamnet list devices", site | elsewhere, tmp_path)
    assert (half.returncode, half.stderr[:49]) == (4, "CHAMNET_URL is set and CHAMNET_TOKEN is not: set ")
    away = run("chamnet watch 1", site | elsewhere | {"CHAMNET_TOKEN": "x"}, tmp_path)
    assert (away.returncode, "does not answer" in away.stderr) == (3, True)
