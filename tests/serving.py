"""A whole installation as processes: what the tests of `serve` and of the browser start."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "a long pass phrase"  # of the account that a furnished installation has


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

    def __init__(self, environment: dict[str, str], port: int, *options: str) -> None:
        self.port, self.lines = port, list[str]()
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", str(port), *options],
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


def installation(data: Path, **settings: str) -> dict[str, str]:
    """The environment of an installation of its own on fresh data, migrated, with its static files."""
    unset = {"REDIS_URL", "DATABASE_URL", "HOST", "PORT", "PYTHONWARNINGS", "DJANGO_SETTINGS_MODULE"}
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    made = (
        kept
        | {"DATA_DIR": str(data), **dict.fromkeys(("WEB_WORKERS", "TRAIN_WORKERS", "LIGHT_WORKERS"), "1")}
        | settings
    )
    data.mkdir(parents=True, exist_ok=True)
    (data / "static").symlink_to(_static_files())
    _manage(made, "migrate")
    return made


@cache
def _static_files() -> Path:
    """The static files, collected once for all installations of this process."""
    directory = Path(tempfile.mkdtemp(prefix="chamnet-static-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    _manage(
        os.environ | {"DATA_DIR": str(directory), "DJANGO_SETTINGS_MODULE": "chamnet_web.settings"},
        "collectstatic",
        "--noinput",
    )
    return directory / "static"


def _manage(environment: Mapping[str, str], *command: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", *command, "--verbosity", "0"],
        cwd=ROOT,
        env=environment,
        check=True,
        timeout=120,
    )


def furnish(environment: dict[str, str]) -> dict[str, str]:
    """Fills an installation with something of everything; the addresses of its pages by name."""
    said = subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", "from tests.browser.furnish import main; main()"],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=180,
    ).stdout
    addresses: dict[str, str] = json.loads(said.rpartition("ADDRESSES ")[2])
    return addresses
