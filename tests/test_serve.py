"""`manage.py serve` as a person uses it: start, open, Ctrl-C, and what is refused."""

from __future__ import annotations

import os
import signal
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.serving import Serving, alive, children_of, free_port, installation, wait_until

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return installation(tmp_path_factory.mktemp("data"))


@pytest.fixture
def started() -> Iterator[list[Serving]]:
    """What a test starts, ended after it."""
    all_of_them: list[Serving] = []
    yield all_of_them
    for serving in all_of_them:
        serving.end()


@pytest.fixture
def serve(environment: dict[str, str], started: list[Serving]) -> Callable[[int], Serving]:
    def start(port: int) -> Serving:
        started.append(Serving(environment, port))
        return started[-1]

    return start


def sign_in_page(port: int, seconds: float = 10) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=seconds) as answer:
        assert answer.url.startswith(f"http://127.0.0.1:{port}/sign-in/")
        return str(answer.read().decode())


def test_it_opens_the_sign_in_page_and_ctrl_c_leaves_nothing_behind(serve: Callable[[int], Serving]) -> None:
    serving = serve(free_port())
    serving.wait_until_open()
    assert "<form" in sign_in_page(serving.port)
    with urllib.request.urlopen(f"http://127.0.0.1:{serving.port}/metrics", timeout=10) as figures:
        assert b"chamnet_sockets_open" in figures.read(), "who asks is known to be on this machine"
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


def web_servers(serving: Serving) -> set[int]:
    return {
        pid
        for pid in children_of(serving.process.pid)
        if b"uvicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()
    }


def test_a_child_that_dies_is_started_again_while_who_asks_waits(serve: Callable[[int], Serving]) -> None:
    serving = serve(free_port())
    serving.wait_until_open()
    (web,) = web_servers(serving)
    os.kill(web, signal.SIGKILL)
    assert "<form" in sign_in_page(serving.port, seconds=30), "nobody is turned away meanwhile"
    assert "The web server ended unexpectedly" in serving.output
    assert serving.stop(signal.SIGINT) == 0


def test_of_several_web_servers_the_others_answer_when_one_dies(
    environment: dict[str, str], started: list[Serving]
) -> None:
    serving = Serving(environment | {"WEB_WORKERS": "3"}, free_port())
    started.append(serving)
    serving.wait_until_open()
    first = web_servers(serving)
    assert len(first) == 3
    for pid in sorted(first)[:2]:
        os.kill(pid, signal.SIGKILL)
    assert "<form" in sign_in_page(serving.port)
    assert wait_until(lambda: len(web_servers(serving)) == 3, 20), serving.output
    assert serving.stop(signal.SIGTERM) == 0
    assert not any(map(alive, first))


def test_children_end_when_the_supervisor_is_killed(serve: Callable[[int], Serving]) -> None:
    serving = serve(free_port())
    serving.wait_until_open()
    below = children_of(serving.process.pid)
    serving.process.kill()
    assert wait_until(lambda: not any(map(alive, below)), 20), [pid for pid in below if alive(pid)]
