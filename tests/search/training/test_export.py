from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from devices.profiling.torchscript import load
from search.training.card import model_card, usage_snippet
from search.training.export import EXTRA_FILES, export_torchscript, sha256_of
from search.training.trainer import TrainingResult, predict_logits, train
from search.training.verification import VerificationError, verify
from tests.search.training.examples import (
    STRIPES,
    quick_recipe,
    small_layers,
    small_network,
    stripes,
    stripes_data,
)

TEST = stripes(48, seed=3)


@pytest.fixture(scope="module")
def trained() -> TrainingResult:
    return train(small_network(resolution=12), stripes_data(), quick_recipe(), seed=0)


@pytest.fixture(scope="module")
def file(trained: TrainingResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "model.pt"
    digest = export_torchscript(
        trained.network,
        path,
        preprocessing=trained.preprocessing,
        dataset=STRIPES,
        architecture={"values": {"resolution": 12}},
        metrics={"validation_accuracy": trained.validation_accuracy},
    )
    assert digest == sha256_of(path)
    return path


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
