"""`manage.py serve` as a person uses it: start, open, Ctrl-C, and what is refused."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.services


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def wait_until(true: Callable[[], object], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.1)
    return bool(true())


def alive(pid: int) -> bool:
    """Whether the process exists and is more than a zombie that nobody has collected yet."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def children_of(pid: int) -> set[int]:
    """All processes below `pid`."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for child in map(int, task.read_text().split()):
                found |= {child} | children_of(child)
    return found


class Serving:
    """A running `manage.py serve` and what it has printed."""

    def __init__(self, environment: dict[str, str], port: int) -> None:
        self.port, self.lines = port, list[str]()
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", str(port)],
            cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            self.lines.extend(lines)

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def wait_until_open(self) -> None:
        assert wait_until(lambda: "Open http" in self.output or self.process.poll() is not None, 60), (
            self.output
        )
        assert f"Open http://127.0.0.1:{self.port}/" in self.output, self.output

    def stop(self, number: int, seconds: float = 20) -> int:
        self.process.send_signal(number)
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code

    def end(self) -> None:
        """Whatever the test left, goes."""
        below = children_of(self.process.pid) if self.process.poll() is None else set()
        self.process.kill()
        self.process.wait(5)
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._reader.join(5)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An installation of its own, migrated, on fresh data."""
    fresh = tmp_path_factory.mktemp("data")
    unset = {"REDIS_URL", "DATABASE_URL", "HOST", "PORT", "PYTHONWARNINGS"}
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    made = kept | {"DATA_DIR": str(fresh), "TRAIN_WORKERS": "1", "LIGHT_WORKERS": "1"}
    for command in (["migrate"], ["collectstatic", "--noinput"]):
        subprocess.run(
            [sys.executable, "manage.py", *command, "--verbosity", "0"],
            cwd=ROOT,
            env=made,
            check=True,
            timeout=120,
        )
    return made


@pytest.fixture
def serve(environment: dict[str, str]) -> Iterator[Callable[[int], Serving]]:
    started: list[Serving] = []

    def start(port: int) -> Serving:
        started.append(Serving(environment, port))
        return started[-1]

    yield start
    for serving in started:
        serving.end()


def sign_in_page(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        assert answer.url.startswith(f"http://127.0.0.1:{port}/sign-in/")
        return str(answer.read().decode())


def test_it_opens_the_sign_in_page_and_ctrl_c_leaves_nothing_behind(serve: Callable[[int], Serving]) -> None:
    serving = serve(free_port())
    serving.wait_until_open()
    assert "<form" in sign_in_page(serving.port)
    below = children_of(serving.process.pid)
    assert len(below) >= 5  # broker, web server, two workers, clock

    assert serving.stop(signal.SIGINT) == 0, serving.output
    assert wait_until(lambda: not any(map(alive, below)), 3)
    assert "Traceback" not in serving.output


def test_a_second_one_on_the_same_data_and_one_on_a_taken_port_are_refused_in_a_sentence(
    serve: Callable[[int], Serving], environment: dict[str, str], tmp_path: Path
) -> None:
    first = serve(free_port())
    first.wait_until_open()

    second = serve(free_port())
    assert second.process.wait(30) == 1
    assert wait_until(lambda: "It already runs on the data in" in second.output, 5), second.output

    elsewhere = Serving(environment | {"DATA_DIR": str(tmp_path)}, first.port)
    assert elsewhere.process.wait(30) == 1
    elsewhere.end()
    assert f"Port {first.port} is taken by another program" in elsewhere.output
    assert "Traceback" not in second.output + elsewhere.output
    assert "<form" in sign_in_page(first.port)
    assert first.stop(signal.SIGTERM) == 0


def test_a_child_that_dies_is_started_again_and_said_so(serve: Callable[[int], Serving]) -> None:
    serving = serve(free_port())
    serving.wait_until_open()
    web = next(
        pid
        for pid in children_of(serving.process.pid)
        if b"uvicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    os.kill(web, signal.SIGKILL)
    assert wait_until(lambda: "The web server ended unexpectedly" in serving.output, 10), serving.output

    def answers() -> bool:
        with contextlib.suppress(OSError):
            return "<form" in sign_in_page(serving.port)
        return False

    assert wait_until(answers, 30), serving.output
    assert serving.stop(signal.SIGINT) == 0


def test_children_end_when_the_supervisor_is_killed(serve: Callable[[int], Serving]) -> None:
    serving = serve(free_port())
    serving.wait_until_open()
    below = children_of(serving.process.pid)
    serving.process.kill()
    assert wait_until(lambda: not any(map(alive, below)), 20), [pid for pid in below if alive(pid)]
