"""Figures of an installation in Prometheus's text format.

They are taken from the rows when somebody asks, so that any web process answers for all workers. Only the
number of open sockets is that of the process that answers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db.models import Count, Min, Q, Sum
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from devices.runs.announce import messages
from devices.runs.following import open_sockets
from devices.runs.models import Run, Step

BUCKETS_SECONDS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200)


def exposition() -> tuple[bytes, str]:
    """The figures of this moment and their content type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Rows())
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Rows(Collector):
    def collect(self) -> Iterator[Metric]:
        yield _runs()
        yield from _queues()
        yield _durations()
        lost = Step.objects.aggregate(lost=Sum("lost"))["lost"] or 0
        yield CounterMetricFamily("chamnet_lease_expiries", "Leases that expired.", value=lost)
        events = Run.objects.aggregate(events=Sum("last_seq"))["events"] or 0
        yield CounterMetricFamily("chamnet_events", "Events written.", value=events)
        sockets = GaugeMetricFamily(
            "chamnet_sockets_open", "Sockets and event streams that a web process serves.", labels=["process"]
        )
        sockets.add_metric([str(os.getpid())], open_sockets())
        yield sockets


def _runs() -> Metric:
    family = GaugeMetricFamily("chamnet_runs", "Runs by kind and status.", labels=["kind", "status"])
    for row in Run.objects.order_by().values("kind", "status").annotate(count=Count("pk")):
        family.add_metric([row["kind"], row["status"]], row["count"])
    return family


def _queues() -> Iterable[Metric]:
    depth = GaugeMetricFamily("chamnet_steps", "Open steps.", labels=["queue", "status"])
    hints = GaugeMetricFamily("chamnet_queue_messages", "Messages at the broker.", labels=["queue"])
    oldest = GaugeMetricFamily(
        "chamnet_oldest_ready_step_seconds",
        "For how long the oldest ready step has waited.",
        labels=["queue"],
    )
    active = Step.objects.open().filter(run__status__in=Run.ACTIVE).order_by()
    rows: dict[tuple[str, str], Mapping[str, Any]] = {
        (row["queue"], row["status"]): row
        for row in active.values("queue", "status").annotate(count=Count("pk"), since=Min("ready_at"))
    }
    nothing: Mapping[str, Any] = {"count": 0, "since": None}
    for queue in Step.Queue:
        for status in (Step.Status.READY, Step.Status.LEASED):
            depth.add_metric([queue, status], rows.get((queue, status), nothing)["count"])
        since = rows.get((queue, Step.Status.READY), nothing)["since"]
        oldest.add_metric([queue], (timezone.now() - since).total_seconds() if since else 0.0)
        hints.add_metric([queue], messages(queue))
    return depth, oldest, hints


def _durations() -> Metric:
    """Of every step that was done, by its kind."""
    family = HistogramMetricFamily("chamnet_step_seconds", "What steps took.", labels=["kind"])
    within = {f"b{n}": Count("pk", filter=Q(seconds__lte=most)) for n, most in enumerate(BUCKETS_SECONDS)}
    done = Step.objects.filter(status=Step.Status.DONE, seconds__isnull=False).order_by()
    rows: Iterable[Mapping[str, Any]] = done.values("kind").annotate(
        count=Count("pk"), total=Sum("seconds"), **within
    )
    for row in rows:
        buckets = [(f"{most:g}", row[f"b{n}"]) for n, most in enumerate(BUCKETS_SECONDS)]
        family.add_metric([row["kind"]], [*buckets, ("+Inf", row["count"])], sum_value=row["total"])
    return family
