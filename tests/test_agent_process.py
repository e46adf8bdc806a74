"""The agent as a person runs it: fetched from the server, another process, killed and started again."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from devices.tables.plan import NETWORK_ROUNDS, ROUNDS
from tests.serving import ROOT, Serving, free_port, installation, wait_until

pytestmark = pytest.mark.services

BEGIN = """
import json
from chamnet_web.accounts.models import User
from devices.models import Device, DeviceToken
from search.services.tables import build_table
from tests.search.world import tiny_space
owner = User.objects.create_user("ada").teams.get()
device = Device.objects.create(owner=owner, name="Phone", kind="other", engine={engine!r},
                               data_type="float32", threads=1, batch_size=1)
build_table(device=device, space=tiny_space())
print(DeviceToken.issue(device)[1])
"""
# Modules that the agent must not need are not there for it.
RUN = """
import runpy, sys
for name in ("django", {other!r}):
    sys.modules[name] = None
sys.argv = ["chamnet-agent.pyz", *{arguments!r}]
runpy.run_path("chamnet-agent.pyz", run_name="__main__")
"""
OTHER = {"torchscript": "onnxruntime", "onnxruntime": "torch"}
TIMINGS = 5


class Installation:
    """A server, its database, and agents that are fetched from it."""

    def __init__(self, folder: Path, engine: str) -> None:
        self.folder, self.engine = folder, engine
        self.environment = installation(folder / "data")
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.agents: list[subprocess.Popen[str]] = []
        begun = subprocess.run(
            [sys.executable, "manage.py", "shell", "-v", "0", "-c", BEGIN.format(engine=engine)],
            cwd=ROOT, env=self.environment, check=True, timeout=60, capture_output=True, text=True,
        )  # fmt: skip
        self.token = begun.stdout.split()[-1]
        self.serving = self.serve()
        urllib.request.urlretrieve(f"{self.address}/agent/chamnet-agent.pyz", folder / "chamnet-agent.pyz")

    def serve(self) -> Serving:
        serving = Serving(self.environment, self.port)
        try:
            serving.wait_until_open()
        except AssertionError:
            serving.end()
            raise
        return serving

    def query(self, query: str) -> list[Any]:
        database = self.folder / "data" / "chamnet.sqlite3"
        with contextlib.closing(sqlite3.connect(database, timeout=20)) as connection:
            return connection.execute(query).fetchall()

    def number(self) -> int:
        """Assignments that were handed in."""
        return int(self.query("select number from devices_latencytable")[0][0])

    def agent(self) -> subprocess.Popen[str]:
        cache = str(self.folder / "cache")
        arguments = ["--server", self.address, "--token", self.token, "--once", "--cache", cache]
        code = RUN.format(other=OTHER[self.engine], arguments=arguments)
        process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=self.folder, text=True, stderr=subprocess.PIPE
        )
        self.agents.append(process)
        return process

    def end(self) -> None:
        for process in self.agents:
            process.kill()
            process.communicate()
        self.serving.end()


@pytest.mark.parametrize("engine", ["torchscript", "onnxruntime"])
def test_a_killed_agent_goes_on_where_it_was_and_waits_for_a_lost_server(tmp_path: Path, engine: str) -> None:
    here = Installation(tmp_path, engine)
    try:
        first = here.agent()
        assert wait_until(lambda: here.number() >= 3, 120), here.serving.output
        first.send_signal(signal.SIGKILL)
        first.wait(10)
        reached = here.number()
        assert 3 <= reached < ROUNDS + NETWORK_ROUNDS

        assert here.serving.stop(signal.SIGINT) == 0
        second = here.agent()
        assert second.stderr is not None
        assert "No connection" in second.stderr.readline()
        here.serving.end()
        here.serving = here.serve()
        _, said = second.communicate(timeout=180)
        assert second.returncode == 0, said
        over = "select status, reason from runs_run where status in ('succeeded', 'failed')"
        assert wait_until(lambda: here.query(over), 60), said
        assert here.query(over) == [("succeeded", "")]

        repeats = {count for (count,) in here.query("select distinct repeats from devices_tableentry")}
        assert min(repeats) == ROUNDS * TIMINGS
        assert all(count % TIMINGS == 0 for count in repeats)
        (samples,) = here.query("select network_samples_us from devices_latencytable")[0]
        assert {len(one) for one in json.loads(samples)} == {NETWORK_ROUNDS * TIMINGS}
        facts = json.loads(here.query("select provenance from devices_latencytable")[0][0])
        assert facts["engine"].startswith("ONNX Runtime" if engine == "onnxruntime" else "TorchScript")
        assert here.serving.stop(signal.SIGINT) == 0
    finally:
        here.end()
