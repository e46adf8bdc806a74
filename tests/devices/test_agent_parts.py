"""The agent's own parts: engines, files, energy, and a connection that comes and goes."""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import threading
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from devices.agent.client import Client, CorruptFileError, RefusedError
from devices.agent.engines import EngineMissingError, engine
from devices.agent.main import _measured
from devices.meters import available
from devices.operators import Layer
from devices.profiling import torchscript_network
from devices.profiling.onnx_files import onnx_network
from search.spaces import preset
from tests.devices.meters.test_meters import METER_PROGRAM

SPACES = [preset("chamnet-mobile-small"), preset("chamnet-res-small")]
OPERATORS = {
    (one.kind, one.activation): one for space in SPACES for one in sorted(space.operators(), key=str)
}


@pytest.mark.parametrize("name", sorted(OPERATORS), ids="-".join)
def test_both_engines_compute_the_same_of_the_same_operator(name: tuple[str, str]) -> None:
    operator = OPERATORS[name]
    layers = (Layer("operator", operator, (-1, -2) if operator.kind == "add" else (-1,)),)
    check_same(layers, 1 if operator.kind == "linear" else operator.size)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_both_engines_compute_the_same_of_the_same_network(space: Any) -> None:
    layers = space.lower([len(gene.choices) - 1 for gene in space.genes])
    check_same(layers, layers[0].operator.size)


def check_same(layers: tuple[Layer, ...], size: int) -> None:
    first = layers[0].operator
    shape = (2, first.in_channels) if first.kind == "linear" else (2, first.in_channels, size, size)
    count = 2 if min(layers[0].inputs) == -2 else 1
    images = [np.random.default_rng(seed).random(shape, dtype=np.float32) for seed in range(count)]
    session = onnxruntime.InferenceSession(onnx_network(layers), providers=["CPUExecutionProvider"])
    (one,) = session.run(None, {f"image{place}": image for place, image in enumerate(images)})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*")
        module = torch.jit.load(io.BytesIO(torchscript_network(layers)))
    with torch.inference_mode():
        other = module(*[torch.from_numpy(image) for image in images]).numpy()
    assert one.shape == other.shape
    assert np.isfinite(one).all()
    assert np.abs(one - other).max() <= 1e-4 * max(1.0, np.abs(one).max())


@pytest.mark.parametrize("kind", ["torchscript", "onnxruntime"])
def test_an_engine_runs_a_file_on_images_of_its_shape(kind: str) -> None:
    space = SPACES[0]
    layers = space.lower([0] * len(space.genes))
    content = onnx_network(layers) if kind == "onnxruntime" else torchscript_network(layers)
    made = engine(kind, 1)
    first = layers[0].operator
    call = made.bind(content, [[3, first.in_channels, first.size, first.size]])
    with made.measuring():
        result = call()
    output = result[0] if isinstance(result, list) else result
    assert tuple(output.shape) == (3, space.classes)
    assert kind[:4] in made.name.lower()


def test_the_agent_measures_energy_with_a_program_and_nothing_without_a_meter(tmp_path: Path) -> None:
    layers = SPACES[0].lower([0] * len(SPACES[0].genes))
    first = layers[0].operator
    (tmp_path / "meter.py").write_text(METER_PROGRAM)
    item = {"name": "network", "inputs": [[first.in_channels, first.size, first.size]]}
    work = {"quantity": "energy", "items": [item]}
    files: Any = SimpleNamespace(content=lambda item: onnx_network(layers))
    made = engine("onnxruntime", 1)
    meters = available(f"{sys.executable} {tmp_path / 'meter.py'}")
    found = _measured(files, made, work, 1, meters[:1])
    assert len(found["values"]["network"]) == 3
    assert all(millijoules > 0 for millijoules in found["values"]["network"])
    assert found["facts"]["meter"].startswith("program")
    with pytest.raises(RefusedError, match="no meter"):
        _measured(files, made, work, 1, [])


def test_an_engine_that_is_not_there_is_named() -> None:
    with pytest.raises(EngineMissingError, match="external"):
        engine("external", 1)


class Server(HTTPServer):
    """Answers with what the test puts in `answers`: (status, body), the last again and again."""

    answers: list[tuple[int, bytes]]
    asked: list[str]


class Answer(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, body = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if 300 <= status < 400:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Answer)
    made.answers, made.asked = [], []
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def client_of(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Client, list[str]]:
    said: list[str] = []
    monkeypatch.setattr("devices.agent.client.time.sleep", lambda seconds: None)
    address = f"http://127.0.0.1:{server.server_port}"
    return Client(address, "t", tmp_path / "cache", lambda reason, seconds: said.append(reason)), said


def test_the_agent_tries_again_until_the_server_is_back(server: Server, client_of: Any) -> None:
    client, said = client_of
    server.answers = [(503, b""), (502, b"x"), (200, b'{"a": 1}')]
    assert client.get("/x") == {"a": 1}
    assert len(said) == 2
    assert "503" in said[0]


def test_the_agent_gives_up_what_the_server_refuses(server: Server, client_of: Any) -> None:
    client, said = client_of
    server.answers = [(422, b'{"detail": "Not those."}')]
    with pytest.raises(RefusedError, match="Not those"):
        client.get("/x")
    server.answers = [(401, b"")]
    with pytest.raises(RefusedError, match="revoked"):
        client.get("/x")
    assert said == []


def test_the_agent_takes_its_token_nowhere_else(server: Server, client_of: Any) -> None:
    client, _ = client_of
    server.answers = [(301, b"")]
    with pytest.raises(RefusedError, match=r"sends on to http://\S+/elsewhere: give that address"):
        client.get("/x")
    assert server.asked == ["/x"]


def test_the_agent_uses_no_file_that_is_not_what_the_server_built(server: Server, client_of: Any) -> None:
    client, _ = client_of
    good, bad = gzip.compress(b"good"), gzip.compress(b"evil")
    item = {"name": "a", "url": "/f", "sha256": hashlib.sha256(good).hexdigest()}
    server.answers = [(200, bad), (200, good)]
    with pytest.raises(CorruptFileError, match="SHA-256"):
        client.content(item)
    assert client.content(item) == b"good"
    assert client.content(item) == b"good"
    assert len(server.asked) == 2
    (cached,) = client._cache.glob("*.gz")
    cached.write_bytes(bad)
    assert client.content(item) == b"good"
    assert len(server.asked) == 3
