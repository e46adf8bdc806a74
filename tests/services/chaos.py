"""Kills parts of an installation at random moments and compares what its jobs left with an undisturbed run.

    python -m tests.services.chaos --kills 100 --seed 1 --json

Every round begins a table, a predictor, a search and a final training with seeds of that round. While they
are at work the web server, workers, their children, the clock, Redis and PostgreSQL get KILL, at moments and
in an order that follow from `--seed`. The supervisor restarts what is its own; the two servers come back
after a moment, Redis empty. The same jobs then run alone, in one process on SQLite.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.services.installed import QUICK, on_servers, scenario
from tests.services.servers import Postgres, Redis, Server
from tests.services.watching import Watchers
from tests.serving import Serving, children_of, free_port, installation

# What is killed, by words of its command line; of a worker's children one is taken at random.
PROCESSES = {
    "web": b"uvicorn",
    "train worker": b"-Q\0train\0",
    "light worker": b"-Q\0light\0",
    "housekeeper": b"-Q\0housekeeping\0",
    "clock": b"\0beat\0",
}
TARGETS = ("web", "train worker", "train child", "train child", "light worker", "light child", "housekeeper",
           "clock", "redis", "postgres")  # fmt: skip
ATTEMPTS = 10
"""Tries of a step: chance kills a short one again and again, which no worker does that fails by itself."""
ROUND_SECONDS = 900.0
KILLS_A_ROUND = 25
"""After which a round may end in peace: while something dies every few seconds, nothing long ends."""


@dataclass
class Report:
    """What was done and what was found; every list under `wrong` is empty when nothing was lost."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    seconds: float = 0.0
    undisturbed_seconds: float = 0.0
    sockets_reconnected: int = 0
    events: int = 0
    samples: int = 0
    retried_steps: int = 0
    wrong: list[str] = field(default_factory=list)


class Chaos:
    """One installation, its servers, and the dice."""

    def __init__(self, data: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.report = Report(seed)
        self.postgres, self.redis = Postgres(), Redis()
        self.postgres.start()
        self.redis.start()
        self.environment = on_servers(
            data, self.postgres, self.redis, "chaos", **QUICK, STEP_ATTEMPTS=str(ATTEMPTS)
        )
        scenario(self.environment, "prepare")
        self.serving = Serving(self.environment, free_port())
        self.serving.wait_until_open()
        self.watchers = Watchers(self.serving.port, scenario(self.environment, "session"))

    def end(self) -> None:
        self.watchers.stop()
        self.serving.stop(signal.SIGINT, 40)
        self.serving.end()
        self.redis.end()
        self.postgres.end()

    def round(self, seed: int, kills: int, between: tuple[float, float]) -> list[str]:
        """Begins the jobs of a seed, kills until they are over or so often; their runs."""
        runs: list[str] = scenario(self.environment, "begin", seed)
        self.watchers.watch(runs)
        end = time.monotonic() + ROUND_SECONDS
        last = min(kills, self.report.kills.total() + KILLS_A_ROUND)
        while not self._over(runs):
            if time.monotonic() > end:
                self.report.wrong.append(f"seed {seed}: not over after {ROUND_SECONDS:.0f} s")
                break
            time.sleep(self.random.uniform(*between))
            if self.report.kills.total() < last:
                self._kill(self.random.choice(TARGETS))
        self.report.rounds += 1
        return runs

    def _over(self, runs: list[str]) -> bool:
        query = "select count(*) from runs_run where id = any(%s::uuid[]) and finished_at is not null"
        try:
            with psycopg.connect(self.environment["DATABASE_URL"], connect_timeout=5) as rows:
                return rows.execute(query, [runs]).fetchall() == [(len(runs),)]
        except psycopg.OperationalError:
            return False

    def _kill(self, target: str) -> None:
        servers: dict[str, Server] = {"redis": self.redis, "postgres": self.postgres}
        if target in servers:
            servers[target].kill()
            time.sleep(self.random.uniform(0.2, 3.0))
            servers[target].start()
        elif (pid := self._pid(target)) is None:
            return  # it is down from an earlier kill
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.report.kills[target] += 1

    def _pid(self, target: str) -> int | None:
        name = target.replace("child", "worker")
        for pid in sorted(children_of(self.serving.process.pid)):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if PROCESSES[name] in Path(f"/proc/{pid}/cmdline").read_bytes():
                    below = sorted(children_of(pid))
                    if name == target:
                        return pid
                    return self.random.choice(below) if below else None
        return None

    def compare(self, undisturbed: dict[str, Any], runs: list[str]) -> None:
        """Fills in the report."""
        wrong = self.report.wrong
        for seed, expected in undisturbed.items():
            found = scenario(self.environment, "facts", seed)
            wrong += [
                f"seed {seed}: {name} is {found[name]}, undisturbed {expected[name]}"
                for name in expected
                if found[name] != expected[name]
            ]
            self.report.samples += len(found["samples"])
        known = scenario(self.environment, "integrity")
        for name in ("event_gaps", "rows_without_file", "files_without_row", "open_steps"):
            wrong += [f"{name}: {one}" for one in known[name]]
        if known["unfinished_samples"]:
            wrong.append(f"{known['unfinished_samples']} samples are not trained")
        wrong += self._unseen({run: known["last_seq"][run] for run in runs})
        with psycopg.connect(self.environment["DATABASE_URL"]) as rows:
            ((retried,),) = rows.execute("select count(*) from runs_step where attempts > 1").fetchall()
        self.report.retried_steps = retried

    def _unseen(self, last: dict[str, int]) -> list[str]:
        """Runs of which the sockets missed an event or saw one twice, after a moment to catch up."""
        end = time.monotonic() + 30
        while time.monotonic() < end and any(
            (self.watchers.seen[run] or [0])[-1] < seq for run, seq in last.items()
        ):
            time.sleep(0.2)
        self.report.events = sum(last.values())
        self.report.sockets_reconnected = self.watchers.reconnected
        return [
            f"a socket saw {len(self.watchers.seen[run])} of {seq} events of run {run}"
            for run, seq in last.items()
            if self.watchers.seen[run] != list(range(1, seq + 1))
        ]


def run(kills: int, seed: int, between: tuple[float, float] = (2.0, 6.0)) -> Report:
    """Rounds until so many kills were done, and the comparison."""
    with tempfile.TemporaryDirectory(prefix="chamnet-chaos-") as directory:
        begun = time.monotonic()
        chaos = Chaos(Path(directory) / "data", seed)
        try:
            runs: list[str] = []
            while chaos.report.kills.total() < kills and not chaos.report.wrong:
                runs += chaos.round(chaos.report.rounds, kills, between)
            chaos.report.seconds = round(time.monotonic() - begun, 1)
            alone = installation(Path(directory) / "alone", TRAIN_WORKERS="2")
            begun = time.monotonic()
            undisturbed = scenario(alone, "alone", *range(chaos.report.rounds), seconds=3600)
            chaos.report.undisturbed_seconds = round(time.monotonic() - begun, 1)
            chaos.compare(undisturbed, runs)
        except BaseException:
            sys.stderr.write(chaos.serving.output[-20_000:])
            raise
        finally:
            chaos.end()
    return chaos.report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    report = run(chosen.kills, chosen.seed)
    if chosen.json:
        print(json.dumps(vars(report), indent=1))
    else:
        print(f"{report.kills.total()} kills in {report.rounds} rounds: {len(report.wrong)} wrong")
        print("\n".join(report.wrong))
    raise SystemExit(bool(report.wrong))


if __name__ == "__main__":
    main()
