"""Sockets that watch runs, and people who browse a large installation, through a real server on loopback.

    python benchmarks/load.py [--sockets 200] [--people 50] [--seconds 30] [--web 2] [--postgres] [--json]

An installation of its own is filled with runs, events and a table's rows, and served by `manage.py serve`, on
SQLite and the embedded broker or, with `--postgres`, on PostgreSQL and Redis. Then, for so many seconds each:

    sockets    follow ten runs that together get `--rate` events a second, written by another process
    people     open a page each, at random, and think for one to three seconds; the sockets stay open

The figures:

    delay_ms       from an event's writing to its arrival at a socket: p50, p95, worst
    lost, doubled  events that a socket did not get, or got more than once
    page_ms        of whole answers: p50, p95, worst, and p95 by page
    failed         answers that were not 200
    memory_mb      of the web servers' processes: before, after the sockets' part, after both
    rows           what the installation holds
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

WATCHED = 10
EVENTS_A_RUN = 100
BATCH = 5_000
PERSON = "ada"


def fill(runs: int, rows: int) -> dict[str, Any]:
    """Rows of a large installation: finished searches with their events, and a table; their addresses."""
    from django.conf import settings
    from django.test import Client
    from django.utils import timezone

    from chamnet_web.accounts.models import User
    from devices.models import LatencyTable, TableEntry
    from devices.runs.models import Event, Run
    from search.models import Search
    from tests.search.world import predictor_of, roomy_space, search_of, table_of
    from tests.working import work_until_idle

    person = User.objects.create_user(PERSON)
    owner, space = person.teams.get(), roomy_space()
    table = table_of(owner, space)
    known = search_of(owner, predictor_of(owner, work_until_idle, space=space), table, work_until_idle)
    now = timezone.now()

    def finished(number: int) -> Run:
        then = now - timedelta(minutes=number)
        return Run(
            owner=owner, kind="search", title=f"Search “{number}”", status=Run.Status.SUCCEEDED,
            created_at=then, started_at=then, finished_at=then, last_seq=EVENTS_A_RUN,
        )  # fmt: skip

    def copied(run: Run, number: int) -> Search:
        return Search(
            owner=owner, run=run, name=f"Search {number}", predictor=known.predictor, table=table,
            latency_limit_ms=known.latency_limit_ms, population=16, generations=10, seed=number,
            front=known.front, created_at=run.created_at,
        )  # fmt: skip

    made = Run.objects.bulk_create((finished(number) for number in range(runs)), batch_size=BATCH)
    Search.objects.bulk_create((copied(run, n) for n, run in enumerate(made)), batch_size=500)
    events = (
        Event(run=run, seq=seq, kind="progress", data={"done": seq, "total": EVENTS_A_RUN, "message": "On"})
        for run in made
        for seq in range(1, EVENTS_A_RUN + 1)
    )
    Event.objects.bulk_create(events, batch_size=BATCH)
    large = LatencyTable.objects.get(pk=table.pk)
    entries = (
        TableEntry(table=large, key=f"other:operator={number}", samples_us=[1.0] * 8, repeats=8,
                   minimum_us=number, p10_us=number, p50_us=number, p90_us=number)
        for number in range(1, rows + 1)
    )  # fmt: skip
    TableEntry.objects.bulk_create(entries, batch_size=BATCH)
    watched = Run.objects.bulk_create(
        Run(owner=owner, kind="probe", title="Watched", status=Run.Status.RUNNING) for _ in range(WATCHED)
    )
    client = Client()
    client.force_login(person)
    pages = {
        "overview": "/",
        "searches": "/searches/",
        "searches, page 40": "/searches/?page=40",
        "search": known.get_absolute_url(),
        "predictors": "/predictors/",
        "predictor": known.predictor.get_absolute_url(),
        "devices": "/devices/",
        "table": table.get_absolute_url(),
        "table, filtered": f"{table.get_absolute_url()}?contains=9999",
        "models": "/models/",
    }
    return {
        "pages": pages,
        "watched": [str(run.pk) for run in watched],
        "cookie": client.cookies[settings.SESSION_COOKIE_NAME].value,
        "rows": {model.__name__: model.objects.count() for model in (Run, Event, TableEntry)},
    }


def write(runs: list[str], rate: float, seconds: float) -> dict[str, int]:
    """Writes events to the runs in turn; how many each has now."""
    from uuid import UUID

    from devices.runs.models import Run
    from devices.runs.writing import writing

    begun = time.monotonic()
    for number in range(int(rate * seconds)):
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))
        with writing(UUID(runs[number % len(runs)])) as writer:
            writer.event("note", {"number": number})
    return {str(pk): seq for pk, seq in Run.objects.filter(pk__in=runs).values_list("pk", "last_seq")}


@dataclass
class Sockets:
    """Every socket's events with their delays, gathered in a thread of its own."""

    port: int
    cookie: str
    seen: list[tuple[str, list[int]]] = field(default_factory=list)
    delays_ms: list[float] = field(default_factory=list)

    def open(self, runs: list[str], count: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        opening = asyncio.run_coroutine_threadsafe(self._open(runs, count), self._loop)
        opening.result(60)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    async def _open(self, runs: list[str], count: int) -> None:
        from websockets.asyncio.client import connect

        self._tasks = []
        for number in range(count):
            run = runs[number % len(runs)]
            socket = await connect(
                f"ws://127.0.0.1:{self.port}/ws/runs/{run}/?after=0",
                origin=f"http://127.0.0.1:{self.port}",  # type: ignore[arg-type]
                additional_headers={"Cookie": f"sessionid={self.cookie}"},
                open_timeout=30,
            )
            numbers: list[int] = []
            self.seen.append((run, numbers))
            self._tasks.append(asyncio.create_task(self._read(socket, numbers)))

    async def _read(self, socket: Any, numbers: list[int]) -> None:
        try:
            async for text in socket:
                event = json.loads(text)
                age = datetime.now(UTC) - datetime.fromisoformat(event["at"])
                self.delays_ms.append(1000 * age.total_seconds())
                numbers.append(event["seq"])
        finally:
            await socket.close()

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class People:
    """Persons who open pages for a while, each on a connection of their own."""

    def __init__(self, port: int, cookie: str, pages: dict[str, str]) -> None:
        self._port, self._cookie, self._pages = port, cookie, pages
        self.answers: list[tuple[str, float, int]] = []

    def browse(self, count: int, seconds: float) -> None:
        end = time.monotonic() + seconds
        people = [threading.Thread(target=self._person, args=(number, end)) for number in range(count)]
        for person in people:
            person.start()
        for person in people:
            person.join()

    def _person(self, number: int, end: float) -> None:
        dice = random.Random(number)  # noqa: S311  (who opens what, no secret)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        headers = {"Cookie": f"sessionid={self._cookie}", "Accept-Encoding": "gzip"}
        time.sleep(dice.uniform(0, 2))
        while time.monotonic() < end:
            name = dice.choice(list(self._pages))
            begun = time.perf_counter()
            connection.request("GET", self._pages[name], headers=headers)
            answer = connection.getresponse()
            answer.read()
            self.answers.append((name, 1000 * (time.perf_counter() - begun), answer.status))
            time.sleep(dice.uniform(1, 3))
        connection.close()


@contextlib.contextmanager
def installed(directory: Path, web: int, postgres: bool) -> Iterator[dict[str, str]]:
    """The environment of an empty installation with so many web servers."""
    from tests.serving import installation

    if not postgres:
        yield installation(directory, WEB_WORKERS=str(web))
        return
    from tests.services.servers import Postgres, Redis

    database, broker = Postgres(), Redis()
    try:
        database.start()
        broker.start()
        addresses = {"DATABASE_URL": database.create("load"), "REDIS_URL": broker.url()}
        yield installation(directory, WEB_WORKERS=str(web), **addresses)
    finally:
        broker.end()
        database.end()


def in_process(environment: dict[str, str], *arguments: object) -> Any:
    """What this file finds in a process on the installation."""
    done = subprocess.run(  # noqa: S603  (this very file)
        [sys.executable, __file__, *map(str, arguments)],
        cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return json.loads(done.stdout.rpartition("FOUND ")[2])


def memory_mb(pids: list[int]) -> float:
    """Resident memory of processes."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def spread(values: list[float]) -> dict[str, float]:
    p50, p95, worst = np.percentile(values, [50, 95, 100])
    return {"p50": round(p50, 1), "p95": round(p95, 1), "worst": round(worst, 1)}


def measure(
    environment: dict[str, str], filled: dict[str, Any], chosen: argparse.Namespace
) -> dict[str, Any]:
    """Both parts against a running server."""
    from tests.serving import Serving, children_of, free_port, wait_until

    running = Serving(environment, free_port())
    try:
        running.wait_until_open()
        web = [
            pid
            for pid in children_of(running.process.pid)
            if b"uvicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        people = People(running.port, filled["cookie"], filled["pages"])
        people.browse(2, 10)  # what is loaded once, is
        people.answers.clear()
        sockets = Sockets(running.port, filled["cookie"])
        sockets.open(filled["watched"], chosen.sockets)
        memory = [memory_mb(web)]
        last = in_process(
            environment, "--write", json.dumps([filled["watched"], chosen.rate, chosen.seconds])
        )
        wait_until(lambda: all((seen or [0])[-1] == last[run] for run, seen in sockets.seen), 20)
        memory.append(memory_mb(web))
        delays = list(sockets.delays_ms)
        people.browse(chosen.people, chosen.seconds)
        memory.append(memory_mb(web))
        sockets.close()
    finally:
        running.end()
    by_page = {name: [ms for page, ms, _ in people.answers if page == name] for name in filled["pages"]}
    return {
        "sockets": chosen.sockets,
        "events_a_second": chosen.rate,
        "delay_ms": spread(delays),
        "lost": sum(last[run] - len(set(seen)) for run, seen in sockets.seen),
        "doubled": sum(len(seen) - len(set(seen)) for _, seen in sockets.seen),
        "web_servers": len(web),
        "people": chosen.people,
        "pages": len(people.answers),
        "page_ms": spread([ms for _, ms, _ in people.answers]),
        "p95_ms_by_page": {name: spread(times)["p95"] for name, times in by_page.items() if times},
        "failed": sum(status != 200 for _, _, status in people.answers),
        "memory_mb": memory,
        "rows": filled["rows"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sockets", type=int, default=200)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--rate", type=float, default=50.0, help="events a second, over all runs")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--web", type=int, default=2, help="web servers")
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--fill", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--write", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.fill or chosen.write:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chamnet_web.settings")
        import django

        django.setup()
        found = fill(chosen.runs, chosen.rows) if chosen.fill else write(*json.loads(chosen.write))
        print("FOUND " + json.dumps(found))
        return
    with (
        tempfile.TemporaryDirectory(prefix="chamnet-load-") as directory,
        installed(Path(directory), chosen.web, chosen.postgres) as environment,
    ):
        filled = in_process(environment, "--fill", "--runs", chosen.runs, "--rows", chosen.rows)
        report = measure(environment, filled, chosen)
    report["database"] = "PostgreSQL" if chosen.postgres else "SQLite"
    print(json.dumps(report, indent=None if chosen.json else 2))


if __name__ == "__main__":
    main()
