"""What a model's card says, from its rows: the same for the page, for Markdown and for HTML."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from search.models import Candidate, CostPredictor, ModelFile, ModelTiming, TrainedModel
from search.services.datasets import dataset_of
from search.services.problems import device_cost
from search.training.accuracy import wilson_interval

Fact = tuple[str, object]


def card_sections(model: TrainedModel) -> dict[str, list[Fact]]:
    """Facts by heading, of a model that is trained and checked."""
    network = model.network
    architecture, known = network.architecture, dataset_of(model.owner, network.predictor.dataset)
    device = network.device
    return {
        "Measured": _measured(model),
        "Predicted": _predicted(model),
        "Device": [
            ("Name", device.name),
            (
                "Engine",
                f"{device.get_engine_display()}, {device.data_type}, {device.threads} threads, "
                f"batch {device.batch_size}",
            ),
            ("Latency from", str(network.latency_source)),
        ],
        "Training": [
            ("Data set", f"{known.label}, {len(known.classes)} classes, SHA-256 {known.checksum[:16]}…"),
            ("Images", f"{known.train_images:,} training, {known.validation_images:,} validation"),
            ("Recipe", f"{model.recipe_name} ({model.recipe_id})"),
            ("Seed", model.seed),
            *((name, value) for name, value in sorted((model.versions or {}).items())),
        ],
        "Architecture": [
            *architecture.values.items(),
            ("Parameters", f"{architecture.parameters:,}"),
            ("Multiply-adds", f"{architecture.multiply_adds:,}"),
        ],
        "Licence": [("Of the model", model.licence or "not stated")],
        "Files": [
            (row.get_format_display(), f"{row.download_name}, {row.size_bytes:,} bytes, SHA-256 {row.sha256}")
            for row in model.files.filter(problem="")
        ],
    }


def _measured(model: TrainedModel) -> list[Fact]:
    low, high = wilson_interval(model.test_accuracy or 0.0, model.test_images or 1)
    facts: list[Fact] = [
        ("Test accuracy", f"{_percent(model.test_accuracy)} (95 %: {100 * low:.2f} to {100 * high:.2f})"),
        ("Test images", model.test_images),
        ("Validation accuracy", _percent(model.validation_accuracy)),
    ]
    for timing in last_timings(model):
        said = f"{timing.latency_ms:.3f} ms minimum, {timing.latency_p50_ms:.3f} ms median"
        if timing.predicted_ms is not None:
            said += f", predicted {timing.predicted_ms:.3f} ms"
        if timing.network_ms is not None:
            said += f"; the network alone, which is what is predicted, {timing.network_ms:.3f} ms"
        facts.append((f"Latency on {timing.device.name}", f"{said} ({timing.get_format_display()})"))
    for row in model.files.filter(problem="").exclude(format=ModelFile.Format.TORCHSCRIPT):
        said = f"{_percent(row.accuracy)}, outputs differ by up to {row.max_difference:.2g}"
        facts.append((f"As {row.get_format_display()}", said))
    return facts


def last_timings(model: TrainedModel) -> list[ModelTiming]:
    """The newest timing on each device and in each format."""
    rows = model.timings.exclude(latency_ms=None).select_related("device").order_by("created_at")
    return list({(row.device_id, row.format): row for row in rows}.values())


def _predicted(model: TrainedModel) -> list[Fact]:
    """What the search predicted; of a scaled network only its latency was."""
    network, candidate = model.network, model.candidate
    facts: list[Fact] = []
    if candidate is not None:
        ends = f"{100 * candidate.accuracy_low:.2f} to {100 * candidate.accuracy_high:.2f}"
        facts.append(("Accuracy", f"{_percent(candidate.accuracy)} ({ends})"))
    ends = f"{network.latency_low_ms:.3f} to {network.latency_high_ms:.3f}"
    facts.append(("Latency", f"{network.latency_ms:.3f} ms ({ends})"))
    if network.limit_ms is not None:
        facts.append(("Limit", f"{network.limit_ms:g} ms"))
    for limit in (candidate.limits if candidate is not None else [])[1:]:
        said = f"{limit['value']:.4g} {limit['unit']} ({limit['low']:.4g} to {limit['high']:.4g})"
        facts.append((str(limit["name"]).capitalize(), said))
    return facts + (_energies(candidate) if candidate is not None else [])


def _energies(candidate: Candidate) -> list[Fact]:
    """What the network is predicted to use where energy was measured and the search had no limit on it."""
    limited = {limit["name"] for limit in candidate.limits}
    space = candidate.search.predictor.space
    rows = CostPredictor.objects.usable().filter(
        owner=candidate.search.owner_id, space=space, quantity=CostPredictor.Quantity.ENERGY
    )
    newest = {row.device_id: row for row in rows.select_related("device", "table").order_by("version")}
    genes = np.array([candidate.genes], dtype=np.int64)
    facts: list[Fact] = []
    for row in newest.values():
        if row.subject in limited:
            continue
        cost = device_cost(space.load(), row, math.inf)
        low, high = cost.intervals(genes)
        said = f"{cost.quantiles(genes, 0.5)[0]:.4g} mJ an image ({low[0]:.4g} to {high[0]:.4g})"
        facts.append((f"Energy on {row.device.name}", said))
    return facts


def class_results(model: TrainedModel) -> list[dict[str, Any]]:
    """Per class: images, share found (recall), share right of what was taken for it (precision), and what it
    is taken for most."""
    counts: list[list[int]] = model.results or []
    names = dataset_of(model.owner, model.network.predictor.dataset).classes
    found = []
    for place, row in enumerate(counts):
        images, taken = sum(row), sum(other[place] for other in counts)
        wrong = [(count, other) for other, count in enumerate(row) if other != place and count]
        most = max(wrong, default=None)
        found.append(
            {
                "name": names[place],
                "images": images,
                "recall": row[place] / images if images else None,
                "precision": row[place] / taken if taken else None,
                "confused": f"{names[most[1]]} ({most[0]})" if most else "",
                "row": row,
            }
        )
    return found


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f} %"
