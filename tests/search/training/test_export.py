from __future__ import annotations

import copy
import json
import os
import signal
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from devices.profiling.torchscript import load
from search.training.batches import Preprocess, as_tensor
from search.training.card import model_card, usage_snippet
from search.training.export import (
    EXTRA_FILES,
    Exported,
    export_int8,
    export_onnx,
    export_program,
    export_torchscript,
    export_weights,
    sha256_of,
)
from search.training.loading import load_file
from search.training.onnx_session import onnx_session
from search.training.trainer import TrainingResult, predict_logits, train
from search.training.verification import (
    LARGEST_LOSS,
    VerificationError,
    VerifierKilledError,
    preprocessing_file,
    time_file,
    verify,
)
from tests.search.training.examples import (
    STRIPES,
    quick_recipe,
    small_layers,
    small_network,
    stripes,
    stripes_data,
)
from tests.serving import children_of

TEST = stripes(48, seed=3)


@pytest.fixture(scope="module")
def trained() -> TrainingResult:
    return train(small_network(resolution=12), stripes_data(), quick_recipe(), seed=0)


@pytest.fixture(scope="module")
def exported(trained: TrainingResult) -> Exported:
    return Exported(
        network=trained.network,
        preprocessing=trained.preprocessing,
        dataset=STRIPES,
        architecture={"values": {"resolution": 12}},
        metrics={"validation_accuracy": trained.validation_accuracy},
    )


@pytest.fixture(scope="module")
def file(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "model.pt"
    export_torchscript(exported, path)
    return path


@pytest.fixture(scope="module")
def files(exported: Exported, file: Path) -> dict[str, Path]:
    """The network in every format."""
    found = {name: file.with_name(f"model.{name}") for name in ("pt2", "onnx", "onnx-int8", "safetensors")}
    export_program(exported, found["pt2"])
    export_onnx(exported, found["onnx"])
    calibration = [as_tensor(stripes(32, seed=seed)).contiguous().numpy() for seed in (5, 6)]
    export_int8(found["onnx"], exported, found["onnx-int8"], calibration)
    export_weights(exported, found["safetensors"])
    return found | {"torchscript": file}


FORMATS = ["torchscript", "pt2", "onnx", "onnx-int8", "safetensors"]
Logits = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_verifies_in_a_fresh_process(
    files: dict[str, Path], logits: Logits, tmp_path: Path, name: str
) -> None:
    found = verify(
        files[name],
        images=TEST.pixels(),
        labels=TEST.labels,
        logits=logits,
        threads=1,
        batch_size=1,
        scratch=tmp_path,
        file_format=name,
    )
    assert 0 < found.latency_ms <= found.latency_p50_ms
    assert found.sha256 == sha256_of(files[name])
    if name == "onnx-int8":
        assert found.max_difference > 1e-4
        assert abs(found.accuracy - (logits.argmax(1) == TEST.labels).mean()) <= LARGEST_LOSS
    else:
        assert found.max_difference <= 1e-4


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_takes_images_of_any_size_and_agrees(
    files: dict[str, Path], exported: Exported, name: str
) -> None:
    loaded = load_file(files[name], name, threads=1)
    assert json.loads(loaded.extra["classes.json"]) == list(STRIPES.classes)
    assert json.loads(loaded.extra["architecture.json"]) == {"values": {"resolution": 12}}
    for height, width in ((8, 8), (12, 12), (40, 30), (5, 64)):
        images = np.random.default_rng(0).random((3, 1, height, width), dtype=np.float32)
        with torch.inference_mode():
            wanted = exported.whole()(torch.from_numpy(images)).numpy()
        assert loaded.run(images).shape == (3, 3)
        if name != "onnx-int8":
            assert np.abs(loaded.run(images) - wanted).max() < 1e-4


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_is_believed_when_it_is_damaged_or_another_networks(
    files: dict[str, Path], logits: Logits, tmp_path: Path, name: str
) -> None:
    damaged = tmp_path / files[name].name
    content = files[name].read_bytes()
    damaged.write_bytes(content[: len(content) // 2])
    shared: dict[str, Any] = {
        "images": TEST.pixels(),
        "labels": TEST.labels,
        "threads": 1,
        "batch_size": 1,
        "file_format": name,
    }
    with pytest.raises(VerificationError, match="does not load and run in a fresh process"):
        verify(damaged, logits=logits, scratch=tmp_path, **shared)
    other = tmp_path / "other"
    other.mkdir()
    turned = np.roll(logits, 1, axis=1)
    with pytest.raises(VerificationError, match=r"outputs differ|In 8 bits"):
        verify(files[name], logits=turned, scratch=other, **shared)


def test_a_file_is_timed_alone_and_less_its_preprocessing(
    files: dict[str, Path], trained: TrainingResult
) -> None:
    for name in ("torchscript", "onnx"):
        whole, alone = time_file(files[name], name, trained.preprocessing, threads=1, batch_size=2)
        assert 0 < min(alone) < min(whole)


@pytest.mark.parametrize("name", ["torchscript", "onnx"])
def test_preprocessing_can_be_had_as_a_file_of_its_own(
    trained: TrainingResult, tmp_path: Path, name: str
) -> None:
    content = preprocessing_file(trained.preprocessing, name)
    images = np.random.default_rng(0).random((2, 1, 12, 12), dtype=np.float32)
    wanted = Preprocess(trained.preprocessing)(torch.from_numpy(images)).numpy()
    if name == "onnx":
        (found,) = onnx_session(content, 1).run(None, {"images": images})
    else:
        (tmp_path / "p.pt").write_bytes(content)
        found = load(tmp_path / "p.pt")[0](torch.from_numpy(images)).numpy()
    assert np.abs(found - wanted).max() < 1e-5


@pytest.fixture(scope="module")
def logits(trained: TrainingResult) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    outputs: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = predict_logits(
        trained.network, trained.preprocessing, TEST
    ).numpy()
    return outputs


def test_the_file_carries_what_its_user_needs(file: Path, trained: TrainingResult) -> None:
    _, extra = load(file, EXTRA_FILES)
    content = {name: json.loads(text) for name, text in extra.items()}
    assert content["classes.json"] == ["lying", "standing", "leaning"]
    assert content["preprocessing.json"] == trained.preprocessing.to_json()
    assert content["architecture.json"] == {"values": {"resolution": 12}}
    assert content["versions.json"]["torch"] == torch.__version__
    assert content["metrics.json"] == {"validation_accuracy": trained.validation_accuracy}


def test_the_file_takes_images_of_any_size_and_number(file: Path) -> None:
    module, _ = load(file)
    with torch.inference_mode():
        assert module(torch.rand(1, 1, 8, 8)).shape == (1, 3)
        assert module(torch.rand(5, 1, 40, 30)).shape == (5, 3)


def test_a_fresh_process_gives_the_trained_networks_outputs(
    file: Path,
    trained: TrainingResult,
    logits: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    tmp_path: Path,
) -> None:
    found = verify(
        file,
        images=TEST.pixels(),
        labels=TEST.labels,
        logits=logits,
        threads=1,
        batch_size=2,
        scratch=tmp_path,
    )
    assert found.max_difference <= 1e-4
    assert found.accuracy == (logits.argmax(1) == TEST.labels).mean()
    assert 0 < found.preprocessing_ms < found.latency_ms <= found.latency_p50_ms
    assert found.sha256 == sha256_of(file)


def test_images_that_are_a_tie_within_the_tolerance_may_fall_either_way(
    exported: Exported, tmp_path: Path
) -> None:
    undecided = copy.deepcopy(exported.network)
    *_, classifier = (module for module in undecided.modules() if isinstance(module, nn.Linear))
    nn.init.zeros_(classifier.weight)
    nn.init.zeros_(classifier.bias)
    path = tmp_path / "undecided.pt"
    export_torchscript(replace(exported, network=undecided), path)
    shown = TEST[np.flatnonzero(TEST.labels != 2)]
    last = np.tile(np.array([0, 0, 5e-5], dtype=np.float32), (len(shown), 1))
    found = verify(
        path,
        images=shown.pixels(),
        labels=shown.labels,
        logits=last,
        threads=1,
        batch_size=1,
        scratch=tmp_path,
    )
    assert (found.agreement, found.accuracy) == (0.0, 0.5)


def test_a_file_of_another_network_is_refused_with_the_difference(
    file: Path, logits: np.ndarray[tuple[int, ...], np.dtype[np.float32]], tmp_path: Path
) -> None:
    with pytest.raises(VerificationError, match=r"outputs differ by up to 0\.01; 0\.0001 is allowed"):
        verify(
            file,
            images=TEST.pixels(),
            labels=TEST.labels,
            logits=logits + np.float32(0.01),
            threads=1,
            batch_size=1,
            scratch=tmp_path,
        )


def test_a_checking_process_that_is_killed_says_nothing_about_the_file(
    file: Path, logits: np.ndarray[tuple[int, ...], np.dtype[np.float32]], tmp_path: Path
) -> None:
    def kill() -> None:
        for pid in children_of(os.getpid()):
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(VerifierKilledError, match="is there enough memory"):
        verify(
            file,
            images=TEST.pixels(),
            labels=TEST.labels,
            logits=logits,
            threads=1,
            batch_size=1,
            scratch=tmp_path,
            on_wait=kill,
        )


def test_a_damaged_file_is_refused_with_the_reason(
    file: Path, logits: np.ndarray[tuple[int, ...], np.dtype[np.float32]], tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.pt"
    damaged.write_bytes(file.read_bytes()[:-5000])
    with pytest.raises(VerificationError, match="does not load and run in a fresh process: RuntimeError"):
        verify(
            damaged,
            images=TEST.pixels(),
            labels=TEST.labels,
            logits=logits,
            threads=1,
            batch_size=1,
            scratch=tmp_path,
        )


def test_the_cards_program_loads_the_file_and_names_a_class(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(file.parent)
    monkeypatch.setattr(sys, "argv", ["classify.py"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a user's own concern: torch.jit.load
        exec(compile(usage_snippet(file.name), "snippet", "exec"), {})
    name, _, share = capsys.readouterr().out.strip().partition(": ")
    assert name in STRIPES.classes
    assert 0 <= float(share.rstrip("%")) <= 100


def test_a_card_holds_its_facts_the_layers_and_the_program() -> None:
    layers = small_layers()
    card = model_card("A model", {"Measured": [("Test accuracy", "97 %")]}, layers=layers, file="stripes.pt")
    assert card.startswith("# A model\n\n## Measured\n\n|  |  |\n| --- | --- |\n| Test accuracy | 97 % |\n")
    assert all(f"| {layer.name} | {layer.operator.kind} |" in card for layer in layers)
    assert f"| {sum(layer.operator.parameters for layer in layers):,} |" in card
    assert usage_snippet("stripes.pt") in card
    assert card.endswith("```\n")


def test_a_name_with_markup_cannot_break_a_cards_table() -> None:
    card = model_card("A model", {"Device": [("Name", "a | b\n<script>")]})
    assert "| Name | a \\| b &lt;script> |" in card
