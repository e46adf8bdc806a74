"""The client for scripts and notebooks, against the application behind a real server."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.core.files.base import ContentFile
from django.db import connections

from chamnet_web.accounts.models import Team, User
from chamnet_web.client import ApiError, Client, RunEndedError, UnreachableError
from chamnet_web.client.login import Login, NotLoggedInError, recall, remember
from devices.api import events
from devices.models import Device
from devices.runs import following
from devices.runs.models import Run
from devices.runs.services import start_run
from devices.runs.writing import writing
from search.models import ImageSet, ModelFile
from search.services.models import start_model
from tests.api.conftest import found, searched, token_of
from tests.api.live import served
from tests.search.world import begin_predictor, finish, table_of
from tests.serving import ROOT, free_port

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr("devices.runs.writing.nudge_watchers", lambda run_id: None)
    monkeypatch.setattr(events, "LOOK_AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(following, "LOOK_AGAIN_SECONDS", 0.05)
    with served() as found_at:
        yield found_at


@pytest.fixture
def chamnet(address: str, ada: User) -> Client:
    return Client(address, token_of(ada), pause=lambda seconds: None)


def begun(owner: Team) -> Run:
    run = start_run(
        owner=owner, kind="table", title="A run", first_step="table.measure", queue="light", total=3
    )
    run.steps.all().delete()
    return run


def test_it_needs_the_standard_library_alone() -> None:
    code = "import sys, chamnet_web.client as c; print(*sorted({n.partition('.')[0] for n in sys.modules}))"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    loaded = {name for name in said.stdout.split() if not name.startswith("_")}
    assert "chamnet_web" in loaded
    assert not loaded & {"celery", "django", "numpy", "requests", "torch", "typer"}


def test_lists_are_read_to_their_end(chamnet: Client, owner: Team) -> None:
    names = [f"D{number}" for number in range(7)]
    for name in names:
        chamnet.register(name, "gpu")
    assert [one["name"] for one in chamnet.devices(limit=3)] == names
    assert [one["name"] for one in chamnet.devices(limit=1, q="D5")] == ["D5"]


def test_a_refusal_is_the_servers_sentence(chamnet: Client) -> None:
    with pytest.raises(ApiError, match="Ensure this value is greater") as refused:
        chamnet.register("Phone", "gpu", threads=0)
    assert refused.value.status == 422
    assert refused.value.problems[0].startswith("threads: ")


def test_nobody_is_known_by_a_wrong_token(address: str, owner: Team) -> None:
    with pytest.raises(ApiError) as refused:
        list(Client(address, "wrong").devices())
    assert refused.value.status == 401


def test_a_server_that_is_away_is_asked_again_and_then_said(owner: Team) -> None:
    waits: list[float] = []
    with pytest.raises(UnreachableError, match="does not answer"):
        list(Client(f"http://127.0.0.1:{free_port()}", "x", pause=waits.append).devices())
    assert waits == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", ""])
def test_an_address_that_is_none_is_said(url: str) -> None:
    with pytest.raises(ValueError, match="http"):
        Client(url, "x")


def test_a_request_that_came_too_soon_waits_and_makes_one_thing(
    address: str, ada: User, settings: Any
) -> None:
    settings.API_REQUESTS_PER_MINUTE = 1
    waits: list[float] = []

    def pause(seconds: float) -> None:
        waits.append(seconds)
        caches["rates"].clear()

    chamnet = Client(address, token_of(ada), pause=pause)
    for number in range(3):
        chamnet.register(f"D{number}", "gpu")
    assert Device.objects.count() == 3
    assert waits
    assert max(waits) > 0.5  # what the server asked for


@contextmanager
def answering(answer: Callable[[str], tuple[int, dict[str, str], bytes]]) -> Iterator[tuple[str, list[Any]]]:
    """The address of a server that answers so to a path: status, headers, content; and what it was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append((self.command, self.path, self.headers.get("Authorization")))
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, headers, content = answer(self.path)
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer

        def log_message(self, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join(10)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_its_address_is_said(status: int) -> None:
    with (
        answering(lambda path: (200, {}, b"{}")) as (there, asked_there),
        answering(lambda path: (status, {"Location": f"{there}{path}"}, b"")) as (here, asked_here),
    ):
        chamnet = Client(here, "secret", pause=lambda seconds: None)
        for ask in (lambda: chamnet.register("D", "gpu"), lambda: chamnet.get("/devices/1", limit=1)):
            with pytest.raises(ApiError, match=f"sends on to {there}: give that address") as refused:
                ask()
            assert refused.value.status == status
    assert [method for method, _, _ in asked_here] == ["POST", "GET"]
    assert asked_there == []


def test_a_stream_that_ends_at_once_is_asked_for_less_and_less_and_then_given_up() -> None:
    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        return (
            (200, {}, b"retry: 2000\n\ndata: {") if "/events" in path else (200, {}, b'{"status": "running"}')
        )

    waits: list[float] = []
    with answering(answer) as (address, asked):
        with pytest.raises(UnreachableError, match="streams end at once"):
            list(Client(address, "x", pause=waits.append).events("1"))
        assert len([path for _, path, _ in asked if "/events" in path]) == 11
    assert waits == [2.0, 4.0, 8.0, 16.0, *[30.0] * 6]


@pytest.mark.parametrize("variable", ["CHAMNET_URL", "CHAMNET_TOKEN"], ids=["address alone", "token alone"])
def test_the_token_of_one_server_is_not_taken_for_another(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("CHAMNET_URL", "CHAMNET_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    stored = Login("https://one.example", "token of one")
    remember(stored)
    assert recall() == stored
    monkeypatch.setenv(variable, "https://two.example")
    with pytest.raises(NotLoggedInError, match=f"{variable} is set and .* is not: set both"):
        recall()


def test_what_happens_within_a_run_is_not_taken_for_its_own_state(chamnet: Client, owner: Team) -> None:
    run = begun(owner)
    followed = threading.Event()

    def work() -> None:
        followed.wait(20)
        with writing(run.pk) as writer:
            writer.start()
            writer.event("sample.finished", {"status": "failed", "total": 99, "message": "within"})
            writer.progress(done=2)
        finish(run)
        connections.close_all()

    worker = threading.Thread(target=work)
    worker.start()
    shown: list[tuple[Any, ...]] = []

    def show(run: dict[str, Any]) -> None:
        shown.append(tuple(run[name] for name in ("status", "total", "done")))
        followed.set()

    chamnet.wait(str(run.pk), show)
    worker.join(20)
    assert ("running", 3, 2) in shown
    assert {(status, total) for status, total, _ in shown} == {
        ("queued", 3),
        ("running", 3),
        ("succeeded", 3),
    }


def test_a_run_is_followed_over_lost_connections(
    chamnet: Client, owner: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LONGEST_SECONDS", 0.1)
    run, seen = begun(owner), list[int]()
    followed = threading.Event()

    def work() -> None:
        followed.wait(20)
        for done in (1, 2, 3):
            with writing(run.pk) as writer:
                writer.start()
                writer.progress(done=done)
        finish(run)
        connections.close_all()

    worker = threading.Thread(target=work)
    worker.start()

    def show(run: dict[str, Any]) -> None:
        seen.append(run["done"])
        followed.set()

    ended = chamnet.wait(str(run.pk), show)
    worker.join(20)
    assert ended["status"] == "succeeded"
    assert seen == sorted(seen)
    assert seen[-1] == 3
    numbers = [one["seq"] for one in chamnet.events(str(run.pk))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_run_that_failed_says_why(chamnet: Client, owner: Team) -> None:
    run = begun(owner)
    with writing(run.pk) as writer:
        writer.fail("The device is gone.")
    with pytest.raises(RunEndedError, match="The device is gone"):
        chamnet.wait(str(run.pk))


def trained(owner: Team) -> ModelFile:
    """A model that counts as verified, with a file of a few bytes."""
    search = searched(owner, begin_predictor(owner), table_of(owner))
    model = start_model(owner=owner, network=found(search), recipe="seconds-final", seed=0)
    model.run.steps.all().delete()
    content = b"weights" * 1000
    row = ModelFile(model=model, format="torchscript", size_bytes=len(content))
    row.sha256 = hashlib.sha256(content).hexdigest()
    row.file.save("model.bin", ContentFile(content))
    model.test_accuracy = 0.9
    model.save()
    finish(model.run)
    return row


def test_a_file_is_fetched_whole_or_not_at_all(chamnet: Client, owner: Team, tmp_path: Path) -> None:
    row = trained(owner)
    path = chamnet.download(str(row.model_id), "torchscript", tmp_path)
    assert path.read_bytes() == b"weights" * 1000
    assert path.name == row.download_name
    path.unlink()
    Path(row.file.path).write_bytes(b"damaged" * 1000)
    with pytest.raises(ValueError, match="damaged"):
        chamnet.download(str(row.model_id), "torchscript", tmp_path)
    Path(row.file.path).unlink()
    with pytest.raises(ApiError, match="gone from the server"):
        chamnet.download(str(row.model_id), "torchscript", tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ApiError, match="It has: torchscript"):
        chamnet.download(str(row.model_id), "onnx", tmp_path)


def test_a_data_set_is_sent_in_pieces(chamnet: Client, tmp_path: Path) -> None:
    path, told = tmp_path / "images.zip", list[tuple[int, int]]()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("cat/1.png", b"x" * 5 * 2**20)
    path.write_bytes(buffer.getvalue())
    made = chamnet.upload(path, "Mine", on_progress=lambda done, size: told.append((done, size)))
    row = ImageSet.objects.get(pk=made["id"])
    assert row.upload is not None
    assert row.upload.path.read_bytes() == path.read_bytes()
    assert [done for done, _ in told] == [4 * 2**20, path.stat().st_size]
