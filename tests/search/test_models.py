"""Trained models: their files in every format, their card, their timings on devices, and trying them out."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import Client
from django.urls import reverse
from PIL import Image

from chamnet_web.accounts.models import Team, User
from devices.agent.engines import engine as make_engine
from devices.models import Device, DeviceToken, LatencyTable, NetworkMeasurement
from devices.runs.models import Run
from devices.timing import time_call
from search import queries
from search.models import ModelFile, ModelTiming, Search, TrainedModel
from search.services import catalogue
from search.services.cards import class_results
from search.services.models import start_model
from search.services.timings import file_for, start_timing, timeable_devices
from search.steps import model as steps
from search.training import datasets
from search.training.export import Exported
from search.training.loading import load_file
from tests.search.world import (
    TINY_FINAL,
    TINY_RECIPE,
    best_of,
    energy_of,
    predictor_of,
    roomy_space,
    search_of,
    table_of,
)
from tests.working import work_until_idle

Work = Callable[..., int]


@pytest.fixture(scope="module")
def trained(django_db_setup: Any, django_db_blocker: Any) -> Iterator[TrainedModel]:
    """A model trained once for all tests here; what each of them changes is undone."""
    recipes = {**catalogue.RECIPES, "seconds": TINY_RECIPE, "seconds-final": TINY_FINAL}
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch, transaction.atomic():
        for module in (catalogue, queries):
            patch.setattr(module, "RECIPES", recipes)
        owner = get_user_model().objects.create_user("grace", password="a long pass phrase").teams.get()
        space = roomy_space()
        predictor = predictor_of(owner, work_until_idle, space=space)
        search = search_of(owner, predictor, table_of(owner, space), work_until_idle)
        model = start_model(owner=owner, network=best_of(search), recipe="seconds-final", seed=0)
        work_until_idle()
        model.refresh_from_db()
        assert model.run.status == Run.Status.SUCCEEDED, model.run.reason
        yield model
        transaction.set_rollback(True)


@pytest.fixture
def model(trained: TrainedModel, db: None) -> TrainedModel:
    found: TrainedModel = TrainedModel.objects.select_related("run").get(pk=trained.pk)
    return found


@pytest.fixture
def visitor(client: Client, model: TrainedModel) -> Client:
    client.force_login(model.owner.members.get())
    return client


def test_the_first_timing_is_that_of_the_verified_file(model: TrainedModel) -> None:
    first, timing = model.files.get(format="torchscript"), model.timings.get(run=model.run)
    assert (timing.latency_ms, timing.latency_p50_ms) == (first.latency_ms, first.latency_p50_ms)
    assert timing.preprocessing_ms == first.preprocessing_ms


def test_every_file_downloads_loads_and_gives_the_accuracy_on_its_page(
    model: TrainedModel, visitor: Client, tmp_path: Path
) -> None:
    test = datasets.load_test("digits")
    images = np.ascontiguousarray(test.pixels().transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))
    page = visitor.get(model.get_absolute_url()).content.decode()
    for row in model.files.all():
        response = visitor.get(reverse("model-file", args=[model.pk, row.format]))
        path = tmp_path / row.download_name
        path.write_bytes(b"".join(response.streaming_content))
        assert response.headers["X-Content-SHA256"] == row.sha256
        loaded = load_file(path, row.format, threads=1)
        assert float((loaded.run(images).argmax(1) == test.labels).mean()) == row.accuracy
        assert row.get_format_display() in page
    assert visitor.get(reverse("model-file", args=[model.pk, "pickle"])).status_code == 404


@pytest.mark.usefixtures("tiny_recipes")
def test_a_format_that_fails_is_not_offered_and_says_why(
    search: Search, owner: Team, work: Work, monkeypatch: pytest.MonkeyPatch, signed_in: Client
) -> None:
    def spoil(exported: Exported, path: Path) -> None:
        with steps.torch.no_grad():
            next(exported.network.parameters()).add_(1.0)
        steps.export_program(exported, path)
        with steps.torch.no_grad():
            next(exported.network.parameters()).sub_(1.0)

    def trip(exported: Exported, path: Path) -> None:
        raise RuntimeError("this operator is not known")

    monkeypatch.setitem(steps._WRITERS, ModelFile.Format.PT2, spoil)
    monkeypatch.setitem(steps._WRITERS, ModelFile.Format.ONNX, trip)
    model = start_model(owner=owner, network=best_of(search), recipe="seconds-final", seed=0)
    work()
    model.refresh_from_db()
    assert model.run.status == Run.Status.SUCCEEDED, model.run.reason
    problems = {row.format: row.problem for row in model.files.all()}
    assert "outputs differ" in problems["pt2"]
    assert "this operator is not known" in problems["onnx"]
    assert problems["onnx-int8"] == "It is made from the ONNX file, which is not offered."
    assert (problems["torchscript"], problems["safetensors"]) == ("", "")
    page = signed_in.get(model.get_absolute_url()).content.decode()
    assert "Not offered" in page
    assert signed_in.get(reverse("model-file", args=[model.pk, "pt2"])).status_code == 404
    address = reverse("model-try", args=[model.pk])
    said = signed_in.post(address, {"image": png()}, headers={"Accept": "application/json"})
    assert said.json()["problem"] == "This model has no ONNX file to try it with."


def test_the_matrix_of_confusions_is_that_of_the_test_images(model: TrainedModel) -> None:
    counts = np.array(model.results)
    assert counts.sum() == model.test_images == 360
    assert counts.trace() / 360 == model.test_accuracy
    assert counts.sum(axis=1).tolist() == np.bincount(datasets.load_test("digits").labels).tolist()
    classes = class_results(model)
    assert [one["images"] for one in classes] == counts.sum(axis=1).tolist()
    assert classes[3]["recall"] == counts[3, 3] / counts[3].sum()


@pytest.mark.parametrize("ending", ["md", "html"])
def test_the_card_says_what_it_must(model: TrainedModel, visitor: Client, ending: str) -> None:
    visitor.post(reverse("model-licence", args=[model.pk]), {"licence": "Apache-2.0"})
    response = visitor.get(reverse("model-card", args=[model.pk, ending]))
    assert "attachment" in response.headers["Content-Disposition"]
    card = response.content.decode()
    known = datasets.dataset("digits")
    for said in (
        f"{100 * (model.test_accuracy or 0):.2f} % (95 %:", known.checksum[:16], model.recipe_id, "Seed",
        "Apache-2.0", model.network.device.name, "Most often taken for", "torch.jit.load",
        *(row.sha256 for row in model.files.all()),
    ):  # fmt: skip
        assert said in card, said
    assert visitor.get(reverse("model-card", args=[model.pk, "pdf"])).status_code == 404


def test_the_card_says_what_energy_is_predicted_where_it_was_measured(
    model: TrainedModel, visitor: Client, work: Work
) -> None:
    device = model.network.device
    energy = energy_of(model.owner, device, work, space=roomy_space(), count=40)
    visitor.post(reverse("model-timing", args=[model.pk]), {"device": device.pk})
    work()
    card = visitor.get(reverse("model-card", args=[model.pk, "md"])).content.decode()
    (line,) = (one for one in card.splitlines() if one.startswith(f"| Energy on {device.name}"))
    predicted = float(line.split("|")[2].split()[0])
    measured = [value for _, value in energy.measurements]
    assert min(measured) * 0.8 < predicted < max(measured) * 1.2
    assert ", predicted " in next(one for one in card.splitlines() if f"Latency on {device.name}" in one)


def test_the_snippet_of_the_card_classifies_an_image(
    model: TrainedModel, visitor: Client, tmp_path: Path
) -> None:
    row = model.files.get(format="torchscript")
    with row.file.open("rb") as content:
        (tmp_path / row.download_name).write_bytes(content.read())
    test = datasets.load_test("digits")
    Image.fromarray(test.pixels()[0, ..., 0]).save(tmp_path / "digit.png")
    card = visitor.get(reverse("model-card", args=[model.pk, "md"])).content.decode()
    program = card.partition("```python\n")[2].partition("```")[0]
    said = subprocess.run(
        [sys.executable, "-c", program, "digit.png"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONWARNINGS": "ignore"},
        capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip
    loaded = load_file(tmp_path / row.download_name, "torchscript", threads=1)
    image = test.pixels()[:1].transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    assert said.startswith(f"{loaded.run(np.ascontiguousarray(image)).argmax()}: ")


def png(seed: int = 0, size: tuple[int, int] = (30, 20)) -> io.BytesIO:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    buffer.seek(0)
    buffer.name = "image.png"
    return buffer


def test_an_image_is_tried_out_without_torch(model: TrainedModel, visitor: Client) -> None:
    test = datasets.load_test("digits")
    buffer = io.BytesIO()
    Image.fromarray(test.pixels()[0, ..., 0]).save(buffer, "PNG")
    buffer.seek(0)
    buffer.name = "digit.png"
    address = reverse("model-try", args=[model.pk])
    said = visitor.post(address, {"image": buffer}, headers={"Accept": "application/json"}).json()
    assert [set(guess) for guess in said["guesses"]] == [{"name", "probability"}] * 5
    shares = [guess["probability"] for guess in said["guesses"]]
    assert shares == sorted(shares, reverse=True)
    row = model.files.get(format="onnx")
    loaded = load_file(Path(row.file.path), "onnx", threads=1)
    image = test.pixels()[:1].transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    assert said["guesses"][0]["name"] == str(loaded.run(np.ascontiguousarray(image)).argmax())
    plain = visitor.post(address, {"image": png()}).content.decode()  # a browser without scripts
    assert "<meter" in plain


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "Choose an image."),
        ({"image": b"no image at all"}, "not an image of a known format"),
        ({"image": b"x" * 20_000_001}, "larger than 20 MB"),
    ],
)
def test_what_is_no_image_is_refused_with_a_sentence(
    model: TrainedModel, visitor: Client, files: dict[str, bytes], message: str
) -> None:
    sent: dict[str, Any] = {}
    for name, content in files.items():
        sent[name] = io.BytesIO(content)
        sent[name].name = "image.png"
    address = reverse("model-try", args=[model.pk])
    said = visitor.post(address, sent, headers={"Accept": "application/json"})
    assert (said.status_code, message in said.json()["problem"]) == (422, True)
    for value in sent.values():
        value.seek(0)
    assert message in visitor.post(address, sent).content.decode()


def test_timing_it_here_stands_beside_the_prediction_and_joins_the_calibration(
    model: TrainedModel, visitor: Client, work: Work
) -> None:
    device = model.network.device
    before = LatencyTable.objects.filter(device=device).count()
    response = visitor.post(reverse("model-timing", args=[model.pk]), {"device": device.pk})
    assert response.headers["Location"] == model.get_absolute_url()
    work()
    timing = ModelTiming.objects.filter(run__kind="timing").get()
    assert timing.run.status == Run.Status.SUCCEEDED, timing.run.reason
    assert timing.latency_ms is not None
    assert timing.predicted_ms is not None
    assert 0 < (timing.preprocessing_ms or 0) < timing.latency_ms <= (timing.latency_p50_ms or 0)
    model.refresh_from_db()
    assert model.latency_ms == timing.latency_ms
    newest = LatencyTable.objects.filter(device=device).order_by("-version")[0]
    assert LatencyTable.objects.filter(device=device).count() == before + 1
    assert newest.points.filter(label__startswith="model").exists()
    page = visitor.get(model.get_absolute_url()).content.decode()
    assert device.name in page


@pytest.mark.parametrize("engine", ["torchscript", "onnxruntime"])
def test_an_agent_times_the_file_on_its_device(
    model: TrainedModel, client: Client, work: Work, engine: str
) -> None:
    facts: dict[str, Any] = {"kind": "mobile-cpu", "data_type": "float32", "threads": 1, "batch_size": 2}
    device = Device.objects.create(owner=model.owner, name="Phone", engine=engine, **facts)
    _, text = DeviceToken.issue(device)
    key = {"Authorization": f"Bearer {text}"}
    timing = start_timing(model, device)
    work()
    wanted = client.get("/api/v1/agent/work", headers=key).json()
    assert {item["name"] for item in wanted["items"]} == {"network", "preprocessing"}
    assert {tuple(item["inputs"][0]) for item in wanted["items"]} == {(1, 8, 8)}

    runner = make_engine(engine, 1)
    values = {}
    for item in wanted["items"]:
        packed = client.get(item["url"], headers=key).getvalue()
        with runner.measuring():
            values[item["name"]] = time_call(runner.bind(gzip.decompress(packed), [[2, 1, 8, 8]]))
    body = json.dumps({"values": values})
    sent = client.post(wanted["results"], body, content_type="application/json", headers=key)
    assert sent.json() == {"counted": True}
    work()
    timing.refresh_from_db()
    assert timing.run.status == Run.Status.SUCCEEDED, timing.run.reason
    assert timing.latency_ms == min(values["network"]) / 1000
    assert timing.latency_p50_ms == pytest.approx(np.median(values["network"]) / 1000)
    assert timing.preprocessing_ms == pytest.approx(min(values["preprocessing"]) / 1000)
    assert timing.predicted_ms is None  # the phone has no table
    again = client.post(wanted["results"], body, content_type="application/json", headers=key)
    assert again.json() == {"counted": False}
    assert NetworkMeasurement.objects.get(run=timing.run).facts["preprocessing_us"] > 0


def test_only_devices_that_run_one_of_the_files_are_offered(
    model: TrainedModel, visitor: Client, stranger: User
) -> None:
    facts: dict[str, Any] = {"owner": model.owner, "kind": "dsp", "threads": 1, "batch_size": 1}
    engines = {"Float": "onnxruntime", "Bytes": "onnxruntime", "Other": "external"}
    made = {
        name: Device.objects.create(
            name=name, engine=engine, data_type="int8" if name == "Bytes" else "float32", **facts
        )
        for name, engine in engines.items()
    }
    offered = {device.name for device in timeable_devices(model, model.owner)}
    assert offered == {"Float", model.network.device.name}
    assert file_for(model, made["Other"]) is None
    with pytest.raises(ValueError, match="runs none of this model's files"):
        start_timing(model, made["Bytes"])
    address = reverse("model-timing", args=[model.pk])
    assert visitor.post(address, {"device": made["Bytes"].pk}).status_code == 404
    assert visitor.post(address, {"device": "nonsense"}).status_code == 404
    visitor.force_login(stranger)
    addresses = [
        model.get_absolute_url(),
        reverse("model-file", args=[model.pk, "onnx"]),
        reverse("model-card", args=[model.pk, "html"]),
    ]
    assert [visitor.get(one).status_code for one in addresses] == [404] * 3
    posts = [reverse(name, args=[model.pk]) for name in ("model-timing", "model-licence", "model-try")]
    assert [visitor.post(one).status_code for one in posts] == [404] * 3
