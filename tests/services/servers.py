"""A real PostgreSQL and a real Redis on loopback, on data of their own, killed and started at will."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import redis

from tests.serving import children_of, free_port, wait_until

START_SECONDS = 30.0


class MissingError(Exception):
    """A server's program is not on this machine; the message says what to install."""


def program(name: str, package: str) -> str:
    """Where a server's program is: on the path, or where Debian puts PostgreSQL's. Raises MissingError."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    found = shutil.which(name) or next(map(str, places), None)
    if found is None:
        raise MissingError(f"These tests start {name}, which is not here: apt-get install {package}")
    return found


class Server(ABC):
    """One server process on a port and in a directory of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="chamnet-server-"))
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def _command(self) -> Sequence[str]: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    def _rights(self) -> dict[str, Any]:
        """As whom it runs, as arguments of Popen."""
        return {}

    def start(self) -> None:
        log = (self.directory / "log.txt").open("ab")
        with log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log, **self._rights())
        assert wait_until(self._answers, START_SECONDS), (self.directory / "log.txt").read_text()

    def kill(self) -> None:
        """KILL, to the server and to every process below it."""
        assert self._process is not None
        for pid in [self._process.pid, *children_of(self._process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(10)
        assert wait_until(lambda: not _listens(self.port), 10)

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


class Postgres(Server):
    """PostgreSQL, as its own system user where the tests run as root: it refuses to run as root."""

    def __init__(self) -> None:
        initdb, self._postgres = program("initdb", "postgresql"), program("postgres", "postgresql")
        super().__init__()
        self._data = self.directory / "data"
        if os.getuid() == 0:
            os.chown(self.directory, pwd.getpwnam("postgres").pw_uid, -1)
        # Texts sort as a language has it, as in most installations, and not by bytes as in SQLite.
        subprocess.run(
            [initdb, "-D", str(self._data), "-U", "chamnet", "--auth=trust", "--encoding=UTF8",
             "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, timeout=120, **self._rights(),
        )  # fmt: skip

    def _rights(self) -> dict[str, Any]:
        if os.getuid() != 0:
            return {"cwd": self.directory}
        user = pwd.getpwnam("postgres")
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": self.directory}

    def _command(self) -> Sequence[str]:
        # What was committed survives a killed process without fsync; only a power cut would lose it.
        return [self._postgres, "-D", str(self._data), "-p", str(self.port), "-h", "127.0.0.1",
                "-k", "", "-F", "-c", "max_connections=200"]  # fmt: skip

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url("postgres")):
            return True
        return False

    def url(self, database: str) -> str:
        return f"postgres://chamnet@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """The address of a new, empty database."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"'.encode())
        return self.url(database)


class Redis(Server):
    """Redis that keeps nothing on disk: a killed one has forgotten every message."""

    def __init__(self) -> None:
        self._redis = program("redis-server", "redis-server")
        super().__init__()

    def _command(self) -> Sequence[str]:
        return [self._redis, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory),
                "--save", "", "--appendonly", "no"]  # fmt: skip

    def _answers(self) -> bool:
        return _listens(self.port)

    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def flush(self) -> None:
        """Forgets everything, as after a restart."""
        with redis.Redis.from_url(self.url()) as client:
            client.flushall()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
