"""Starting and stopping the processes of an installation on one machine.

Each child leads its own process group, so that Ctrl-C reaches the supervisor alone and a stop reaches a
child's own children. A stop is TERM, a wait, then KILL: open sockets and trainings may outlast a TERM.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

STOP_SECONDS = 10.0
LOOK_SECONDS = 0.5
LONGEST_BACKOFF = 30.0
HEALTHY_SECONDS = 20.0
_PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    """One process to keep alive. One that `outlives` the others is stopped after them. `files` are numbers of
    open files that it is given."""

    name: str
    command: Sequence[str]
    outlives: bool = False
    files: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    started_at: float = 0.0
    due_at: float | None = None

    def start(self, environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(  # noqa: S603  (the commands are our own)
            self.command,
            env=environment,
            start_new_session=True,
            preexec_fn=_end_with_parent,
            pass_fds=self.files,
        )
        self.started_at, self.due_at = time.monotonic(), None

    def signal(self, number: int) -> None:
        """Signals the child's whole group, if there still is one."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def next_backoff(self) -> float:
        """Seconds to wait before the next start: doubled each time, forgotten after a healthy while."""
        if time.monotonic() - self.started_at > HEALTHY_SECONDS:
            self.restarts = 0
        self.restarts += 1
        return min(2.0 ** (self.restarts - 1), LONGEST_BACKOFF)


class Supervisor:
    """Keeps children alive until it is told to stop; `say` gets a sentence for the person at the terminal."""

    def __init__(self, environment: Mapping[str, str], say: Callable[[str], object]) -> None:
        self.environment, self.say = environment, say
        self.children: list[Child] = []
        self._stopping = threading.Event()

    def start(
        self, name: str, command: Sequence[str], *, outlives: bool = False, files: Sequence[int] = ()
    ) -> Child:
        """Starts a child and keeps it alive from now on."""
        child = Child(name, command, outlives, files)
        child.start(self.environment)
        self.children.append(child)
        return child

    def install_signal_handlers(self) -> None:
        """INT and TERM stop everything; a second one stops waiting."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.request_stop())

    def request_stop(self) -> None:
        if self.stopping:
            for child in self.children:
                child.signal(signal.SIGKILL)
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def watch(self) -> None:
        """Restarts children that end, waiting longer each time, until a stop is requested."""
        while not self._stopping.wait(LOOK_SECONDS):
            for child in self.children:
                if not child.is_alive:
                    self._revive(child)

    def stop(self) -> None:
        """Ends every child, and those that outlive the others after them."""
        for outlives in (False, True):
            self._stop([child for child in self.children if child.outlives == outlives])

    def _stop(self, group: Sequence[Child]) -> None:
        for child in group:
            child.signal(signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        while any(child.is_alive for child in group) and time.monotonic() < end:
            time.sleep(0.05)
        for child in group:
            child.signal(signal.SIGKILL)
            if child.process is not None:
                child.process.wait()

    def _revive(self, child: Child) -> None:
        now = time.monotonic()
        if child.due_at is None:
            wait = child.next_backoff()
            self.say(f"{child.name} ended unexpectedly; it starts again in {wait:.0f} s.")
            child.due_at = now + wait
        elif now >= child.due_at:
            child.start(self.environment)


def _end_with_parent() -> None:
    """Runs in the child before its program: it gets a TERM when the supervisor is killed (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
