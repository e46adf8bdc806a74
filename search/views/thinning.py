"""What the charts of a predictor's page are given when there is more than a page should carry.

Charts say how much is not drawn, and that the files have all. What they state in words is of everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from search.models import Predictor, Proposal, Sample

T = TypeVar("T")

MOST_SAMPLES = 2000
MOST_POINTS = 1000
FINISHED = (Sample.Status.SUCCEEDED, Sample.Status.FAILED)


def evenly(items: Sequence[T], most: int) -> list[T]:
    """At most so many of the items, the first and the last among them, evenly spread."""
    if len(items) <= most:
        return list(items)
    step = (len(items) - 1) / (most - 1)
    return [items[round(place * step)] for place in range(most)]


def drawn_samples(rows: Sequence[tuple[int, str, float | None]], most: int) -> set[int]:
    """Indices of the samples that are drawn, of (index, status, accuracy) in order.

    Those that were the best so far stay, so that this line is exact, and so do those that are not finished
    and the last one. The others are spread evenly.
    """
    best, kept, others = float("-inf"), set(), []
    for index, status, accuracy in rows:
        leads = accuracy is not None and accuracy > best
        if leads or status not in FINISHED or index == rows[-1][0]:
            kept.add(index)
        else:
            others.append(index)
        best = max(best, accuracy) if accuracy is not None else best
    return kept | set(evenly(others, max(2, most - len(kept))))


def samples_state(predictor: Predictor, *, given: bool) -> dict[str, Any]:
    """The samples that charts draw, the number of all, and what became of those left out."""
    rows = list(
        predictor.proposals.order_by("index").values_list("index", "sample__status", "sample__accuracy")
    )
    proposals = predictor.proposals.select_related("sample").defer("sample__losses").order_by("index")
    if len(rows) > MOST_SAMPLES:
        drawn = drawn_samples(rows, MOST_SAMPLES)
        proposals = proposals.filter(index__in=drawn)
        left = [status for index, status, _ in rows if index not in drawn]
    else:
        left = []
    return {
        "samples": [sample_state(proposal) | ({"reason": ""} if given else {}) for proposal in proposals],
        "sample_count": len(rows),
        "left_out": {
            "trained": left.count(Sample.Status.SUCCEEDED),
            "failed": left.count(Sample.Status.FAILED),
        },
    }


def quality_state(predictor: Predictor) -> dict[str, Any]:
    """The course of the quality; held-out predictions, and how many of all lie in their 95 % interval."""
    course = list(predictor.quality_points.all())
    quality = predictor.quality or {}
    scatter = quality.get("scatter", [])
    names = ("measured", "predicted", "deviation")
    return {
        "quality": [point.as_json() for point in evenly(course, MOST_POINTS)],
        "quality_count": len(course),
        "scatter": [
            {name: round(value, 6) for name, value in zip(names, row, strict=True)}
            for row in evenly(scatter, MOST_POINTS)
        ],
        "scatter_count": len(scatter),
        "held": round(quality.get("coverage_95", 0.0) * len(scatter)),
    }


def sample_state(proposal: Proposal) -> dict[str, Any]:
    """A sample as charts and tables show it."""
    sample = proposal.sample
    return {
        "index": proposal.index,
        "status": sample.status,
        "accuracy": sample.accuracy,
        "seconds": sample.seconds,
        "chosen_for": proposal.chosen_for,
        "reason": proposal.reason,
        "predicted": proposal.predicted,
        "deviation": proposal.deviation,
        "architecture": sample.architecture_id,
        "failure": sample.reason,
    }
