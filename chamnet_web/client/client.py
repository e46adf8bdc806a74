"""What can be asked of a server, a method each; answers are the API's objects as dictionaries."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

from chamnet_web.client.transport import ApiError, Transport, UnreachableError

Facts = dict[str, Any]
Run = dict[str, Any]
PIECE = 2**20
FINAL = frozenset({"succeeded", "failed", "cancelled"})
FOLLOW_TRIES = 10
STEADY_SECONDS = 10.0
"""A stream that lasted so long was none that failed, though it brought nothing."""


class RunEndedError(Exception):
    """A run that was waited for failed or was cancelled; `run` is what it ended as."""

    def __init__(self, run: Run) -> None:
        reason = run["reason"] or "no reason is known."
        super().__init__(f"“{run['title']}” {run['status']}: {reason}")
        self.run = run


class Client:
    """One person's way to one server. Lists are iterators that ask for further parts as they are read."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_seconds: float = 60.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.transport = Transport(url, token, timeout_seconds=timeout_seconds, pause=pause)
        self._pause = pause

    def items(self, path: str, **query: Any) -> Iterator[Facts]:
        """Everything of a list, such as "/devices"."""
        address: str | None = path
        while address is not None:
            page = self.transport.json("GET", address, query=query)
            yield from page["items"]
            address, query = page["next"], {}

    def get(self, path: str, **query: Any) -> Facts:
        """One thing, such as "/models/ID"."""
        found: Facts = self.transport.json("GET", path, query=query)
        return found

    def post(self, path: str, data: Facts | None = None, *, key: str | None = None) -> Facts:
        """Makes or begins something. The same `key` and data make one thing, however often they are sent."""
        made: Facts = self.transport.json("POST", path, data, key=key)
        return made

    def devices(self, **filters: Any) -> Iterator[Facts]:
        return self.items("/devices", **filters)

    def tables(self, **filters: Any) -> Iterator[Facts]:
        return self.items("/tables", **filters)

    def spaces(self) -> Iterator[Facts]:
        return self.items("/spaces")

    def datasets(self) -> Iterator[Facts]:
        return self.items("/datasets/trainable")

    def recipes(self) -> Iterator[Facts]:
        return self.items("/recipes")

    def predictors(self, **filters: Any) -> Iterator[Facts]:
        return self.items("/predictors", **filters)

    def searches(self, **filters: Any) -> Iterator[Facts]:
        return self.items("/searches", **filters)

    def candidates(self, search_id: str) -> Iterator[Facts]:
        return self.items(f"/searches/{search_id}/candidates")

    def models(self, **filters: Any) -> Iterator[Facts]:
        return self.items("/models", **filters)

    def studies(self, **filters: Any) -> Iterator[Facts]:
        return self.items("/studies", **filters)

    def runs(self, **filters: Any) -> Iterator[Run]:
        return self.items("/runs", **filters)

    def run(self, run_id: str) -> Run:
        return self.get(f"/runs/{run_id}")

    def register(self, name: str, kind: str, **fields: Any) -> Facts:
        """Registers a device."""
        return self.post("/devices", {"name": name, "kind": kind, **fields})

    def profile(self, device_id: str, space_id: str) -> Facts:
        """Begins to measure a device's latency table for a space."""
        return self.post(f"/devices/{device_id}/tables", {"space": space_id})

    def import_table(self, device_id: str, path: str | Path) -> Facts:
        """Takes a latency table in that was measured elsewhere."""
        file = Path(path)
        query = {"device_id": device_id, "name": file.name}
        content = self.transport.content("POST", "/tables", file.read_bytes(), "text/plain", query=query)
        made: Facts = json.loads(content)
        return made

    def build(self, name: str, space: str, dataset: str, **fields: Any) -> Facts:
        """Begins to build an accuracy predictor."""
        return self.post("/predictors", {"name": name, "space": space, "dataset": dataset, **fields})

    def search(self, name: str, predictor: str, table: str, latency_limit_ms: float, **fields: Any) -> Facts:
        """Begins a search."""
        asked = {"name": name, "predictor": predictor, "table": table, "latency_limit_ms": latency_limit_ms}
        return self.post("/searches", asked | fields)

    def train(self, candidate_id: str, recipe: str = "minutes-final", seed: int = 0) -> Facts:
        """Begins the final training of a candidate."""
        return self.post(f"/candidates/{candidate_id}/train", {"recipe": recipe, "seed": seed})

    def act(self, run_id: str, action: str) -> Run:
        """Pauses, resumes, cancels or stops a run."""
        return self.post(f"/runs/{run_id}/actions/{action}")

    def upload(
        self,
        path: str | Path,
        name: str,
        *,
        on_progress: Callable[[int, int], None] | None = None,
        **fields: Any,
    ) -> Facts:
        """Sends a data set in pieces and begins to read it; one that was sent in part goes on from there."""
        file = Path(path)
        size = file.stat().st_size
        state = self.post("/uploads", {"name": file.name, "size": size})
        with file.open("rb") as content:
            while state["received"] < size:
                content.seek(state["received"])
                piece = content.read(state["piece"])
                address, query = f"/uploads/{state['id']}", {"offset": state["received"]}
                answer = self.transport.content(
                    "PUT", address, piece, "application/octet-stream", query=query
                )
                state = json.loads(answer)
                if on_progress is not None:
                    on_progress(state["received"], size)
        return self.post("/datasets", {"name": name, "upload": state["id"], **fields})

    def download(self, model_id: str, file_format: str, folder: str | Path = ".") -> Path:
        """Fetches a file of a model and gives its path.

        It gets its name only when its SHA-256 is what the server says. Raises ApiError, or ValueError for a
        file that arrived damaged.
        """
        files = {one["format"]: one for one in self.get(f"/models/{model_id}")["files"]}
        known = files.get(file_format)
        if known is None or known["problem"] or not known["name"]:
            offered = ", ".join(name for name, one in files.items() if not one["problem"]) or "none yet"
            raise ApiError(404, f"This model has no file “{file_format}”. It has: {offered}.")
        target = Path(folder) / Path(known["name"]).name
        partial = target.with_name(f".{target.name}.{os.getpid()}.part")
        digest = hashlib.sha256()
        try:
            with (
                self.transport.open(f"/models/{model_id}/files/{file_format}") as answer,
                partial.open("wb") as out,
            ):
                while piece := answer.read(PIECE):
                    digest.update(piece)
                    out.write(piece)
            if digest.hexdigest() != known["sha256"]:
                raise ValueError(
                    f"{target.name} arrived damaged: its SHA-256 is not the server's. Try again."
                )
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return target

    def events(self, run_id: str, after: int = 0) -> Iterator[Facts]:
        """A run's events as they come, until it has ended. Lost connections go on after the last event.

        Raises UnreachableError when streams end at once again and again.
        """
        failures = 0
        while True:
            before, began, lost = after, time.monotonic(), "its streams end at once"
            try:
                with self._stream(run_id, after) as lines:
                    for event in _events(lines):
                        after = event["seq"]
                        yield event
                if self.run(run_id)["status"] in FINAL and self._is_told(run_id, after):
                    return
            except (OSError, HTTPException, UnreachableError) as error:
                lost = str(error)
            was_steady = after > before or time.monotonic() - began >= STEADY_SECONDS
            failures = 0 if was_steady else failures + 1
            if failures > FOLLOW_TRIES:
                raise UnreachableError(f"{self.transport.url} was lost: {lost}")
            self._pause(min(2.0**failures, 30.0))

    def wait(self, run_id: str, on_progress: Callable[[Run], None] | None = None) -> Run:
        """Follows a run to its end and gives it. Raises RunEndedError unless it succeeded."""
        run = self.run(run_id)
        if on_progress is not None:
            on_progress(run)
        for event in self.events(run_id, run["last_seq"]):
            of_run = event["data"] if event["kind"] in ("status", "progress") else {}
            changed = {name: value for name, value in of_run.items() if name in run}
            run = run | changed | {"last_seq": event["seq"]}
            if on_progress is not None:
                on_progress(run)
        run = self.run(run_id)
        if on_progress is not None:
            on_progress(run)
        if run["status"] != "succeeded":
            raise RunEndedError(run)
        return run

    def _stream(self, run_id: str, after: int) -> Any:
        return self.transport.open(
            f"/runs/{run_id}/events", query={"after": after}, Accept="text/event-stream"
        )

    def _is_told(self, run_id: str, after: int) -> bool:
        return bool(self.get(f"/runs/{run_id}/events", after=after, limit=1)["is_final"])


def _events(lines: Any) -> Iterator[Facts]:
    """The events of a stream: each has its whole content in one line. One that was cut off is none."""
    for line in lines:
        if line.startswith(b"data: ") and line.endswith(b"\n"):
            event: Facts = json.loads(line[len(b"data: ") :])
            yield event
