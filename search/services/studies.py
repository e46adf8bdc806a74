"""Studies: what one compares, how it goes on, and what it found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

import numpy as np
from django.db import transaction

from devices.models import LatencyTable
from devices.runs.models import Run, Step
from devices.runs.services import start_run
from devices.runs.writing import RunWriter
from devices.tables import OperatorTable
from search.models import Baseline, Candidate, Predictor, Study, StudyEntry, TrainedModel
from search.predictors.quality import LEVEL
from search.services.catalogue import remember_recipe, remember_space
from search.services.datasets import dataset_of
from search.services.models import start_model
from search.services.searches import start_search
from search.services.tables import table_with
from search.spaces import FloatArray, SearchSpace
from search.spaces.scaling import Scaled, scaled_networks, widest
from search.training.accuracy import difference_of_means


@transaction.atomic
def start_study(
    *,
    owner: Any,
    name: str,
    predictor: Predictor,
    table: LatencyTable,
    recipe: str,
    limits: Sequence[float],
    seeds: int,
    confidence: float,
    population: int,
    generations: int,
) -> Study:
    """Begins a study of the predictor's space on the table's device, with seeds 0 to `seeds` - 1."""
    run = start_run(
        owner=owner,
        kind="study",
        title=f"Study “{name}”",
        first_step="study.advance",
        queue=Step.Queue.LIGHT,
    )
    return Study.objects.create(
        owner=owner,
        run=run,
        name=name,
        predictor=predictor,
        asked_table=table,
        recipe=remember_recipe(recipe, dataset_of(owner, predictor.dataset)),
        limits=sorted(limits),
        seeds=list(range(seeds)),
        confidence=confidence,
        population=population,
        generations=generations,
    )


def begin_again(writer: RunWriter) -> None:
    """Tries scaled networks out anew whose trials failed, where none is chosen yet, and goes on.

    What the study began and did not end well is tried again by then.
    """
    study: Study = writer.run.study
    lost = [] if study.trained_models.exists() else list(study.baselines.exclude(reason=""))
    for baseline in lost:
        baseline.reason = ""
        baseline.save(update_fields=["reason"])
    writer.redo(writer.run.steps.filter(name__in=[f"study.trial:{one.index}" for one in lost]))
    writer.then("study.advance", "advance:again", Step.Queue.LIGHT, again=True)


def go_on(writer: RunWriter, study: Study) -> None:
    """Begins whatever can begin next. Call it while holding the run; doing so twice changes nothing."""
    if writer.run.is_final:
        return
    if study.table is None:
        _widen_table(writer, study)
    if study.table is None or not _ended_well(writer, study.table.run):
        return
    if not study.entries.exists():
        _begin_searches_and_trials(writer, study)
        return
    entries = list(study.entries.select_related("search__run"))
    trials = study.baselines.filter(accuracy=None, reason="").count()
    searches = [entry.search.run for entry in entries if entry.search is not None]
    if not all(_ended_well(writer, run) for run in searches) or trials:
        _progress(writer, study)
        return
    if not study.trained_models.exists():
        _begin_models(writer, study)
        return
    _progress(writer, study)
    models = list(study.trained_models.select_related("run"))
    if all(model.run.is_final for model in models):
        _finish(writer, study, models)


def _widen_table(writer: RunWriter, study: Study) -> None:
    """The table asked for when it has the scaled networks' operators, else a version that gets them."""
    space, known = study.predictor.space.load(), study.asked_table.load()
    wanted = {
        layer.operator
        for network in scaled_networks(space)
        for layer in network.architecture.layers
        if layer.operator.key not in known
    }
    if not wanted or not study.asked_table.device.has_kernels:
        study.table = study.asked_table
    else:
        study.table = table_with(study.asked_table, space, wanted, parent=writer.run)
        writer.progress(message=f"Measuring {len(wanted)} operators of the scaled networks")
    study.save(update_fields=["table"])


def _ended_well(writer: RunWriter, run: Run) -> bool:
    """Whether a run the study needs has succeeded; the study fails with one that ended otherwise."""
    if run.status == Run.Status.SUCCEEDED:
        return True
    if run.is_final:
        writer.fail_with(run)
    return False


def _begin_searches_and_trials(writer: RunWriter, study: Study) -> None:
    space, table = study.predictor.space.load(), study.table
    assert table is not None  # noqa: S101  (go_on sets it first; for the type checker)
    held = table.load()
    priced = _priced(study, space, held)
    baselines = _baselines(study, held, priced)
    without = [limit for limit in study.limits if not any(one.limited_ms <= limit for one in baselines)]
    if without:
        writer.fail(_out_of_reach(study, without[0], priced))
        return
    Baseline.objects.bulk_create(baselines)
    entries = []
    for limit in study.limits:
        search = start_search(
            owner=study.owner,
            name=f"{study.name[:56]}, {limit:g} ms {str(study.pk)[:8]}",
            predictor=study.predictor,
            table=table,
            latency_limit_ms=limit,
            population=study.population,
            generations=study.generations,
            seed=0,
            confidence=study.confidence,
            parent=writer.run,
        )
        entries.append(
            StudyEntry(study=study, limit_ms=limit, method=StudyEntry.Method.SEARCHED, search=search)
        )
        entries.append(StudyEntry(study=study, limit_ms=limit, method=StudyEntry.Method.SCALED))
    StudyEntry.objects.bulk_create(entries)
    for baseline in baselines:
        name = f"study.trial:{baseline.index}"
        writer.then("study.trial", name, Step.Queue.TRAIN, {"index": baseline.index})
    writer.progress(
        total=len(baselines) + len(study.limits) * (1 + 2 * len(study.seeds)),
        message=f"{len(baselines)} scaled networks are tried out; {len(study.limits)} searches",
    )


def _baselines(study: Study, table: OperatorTable, priced: Sequence[tuple[Scaled, float]]) -> list[Baseline]:
    """Unsaved rows of the scaled networks that a person would consider for the limits.

    They are every resolution's and depth's, not those nearest to a limit alone: which is best is not known
    from latency, and what is not tried could only make the searched network look better.
    """
    kept = {network.architecture.id: cost for network, cost in priced}
    found = {network.architecture.id: network for limit in study.limits for network in widest(priced, limit)}
    chosen = list(found.values())
    summed, learned = _sums(table, chosen)
    middle = table.calibration.quantiles_us(summed, 0.5) / 1000.0
    low, high = (ends / 1000.0 for ends in table.calibration.interval_us(summed, LEVEL, learned))
    return [
        Baseline(
            study=study,
            index=index,
            label=network.label,
            space=remember_space(network.architecture.space),
            architecture_id=network.architecture.id,
            width=network.width,
            depth=network.depth,
            resolution=network.resolution,
            latency_ms=float(middle[index]),
            latency_low_ms=float(low[index]),
            latency_high_ms=float(high[index]),
            limited_ms=kept[network.architecture.id],
            multiply_adds=network.architecture.multiply_adds,
            parameters=network.architecture.parameters,
        )
        for index, network in enumerate(chosen)
    ]


def _priced(study: Study, space: SearchSpace, table: OperatorTable) -> list[tuple[Scaled, float]]:
    """The scaled networks that a table covers, with what their latency in milliseconds stays within."""
    known = [
        network
        for network in scaled_networks(space)
        if all(layer.operator.key in table for layer in network.architecture.layers)
    ]
    summed, learned = _sums(table, known)
    kept = table.calibration.quantiles_us(summed, study.confidence, learned) / 1000.0
    return list(zip(known, kept.tolist(), strict=True))


def _sums(table: OperatorTable, networks: Sequence[Scaled]) -> tuple[FloatArray, FloatArray]:
    """Sums (n,) over the networks' operators in microseconds, and how much of each is uncertain."""
    layers = [network.architecture.layers for network in networks]
    return np.array([table.summed_us(one) for one in layers]), np.array(
        [table.summed_learned_us(one) for one in layers]
    )


def _out_of_reach(study: Study, limit: float, priced: Sequence[tuple[Scaled, float]]) -> str:
    if not priced:
        return f"{study.table} has no scaled network's operators, and its device cannot be measured."
    fastest, cost = min(priced, key=lambda pair: pair[1])
    return (
        f"No scaled network keeps the limit of {limit:g} ms: however narrow, it has the reference's layers. "
        f"The fastest ({fastest.label}) stays within {cost:.3g} ms, with {100 * study.confidence:.0f} % "
        "confidence."
    )


def _begin_models(writer: RunWriter, study: Study) -> None:
    """Chooses per limit what the search ranks first and the scaled network that did best in its trial."""
    networks: list[Candidate | Baseline] = []
    for entry in study.entries.select_related("search"):
        if entry.search is not None:
            entry.candidate = entry.search.candidates.order_by("rank").first()
        else:
            tried = study.baselines.filter(limited_ms__lte=entry.limit_ms).exclude(accuracy=None)
            entry.baseline = tried.order_by("-accuracy", "-latency_ms").first()
        if entry.network is None:
            writer.fail(f"All trials of scaled networks within {entry.limit_ms:g} ms failed.", mendable=True)
            return
        entry.save(update_fields=["candidate", "baseline"])
        if entry.network not in networks:
            networks.append(entry.network)
    for seed in study.seeds:
        for network in networks:
            start_model(
                owner=study.owner,
                network=network,
                recipe=study.recipe_id,
                seed=seed,
                study=study,
                parent=writer.run,
            )
    _progress(writer, study)
    total = study.baselines.count() + len(study.limits) + len(networks) * len(study.seeds)
    writer.progress(total=total, message=f"Training {len(networks) * len(study.seeds)} models")


def _progress(writer: RunWriter, study: Study) -> None:
    done = study.baselines.exclude(accuracy=None, reason="").count()
    done += study.entries.filter(search__run__status=Run.Status.SUCCEEDED).count()
    done += study.trained_models.filter(run__status__in=Run.FINAL).count()
    writer.progress(done=done)


def _finish(writer: RunWriter, study: Study, models: Sequence[TrainedModel]) -> None:
    failed = [model for model in models if model.run.status != Run.Status.SUCCEEDED]
    study.result = findings(study, [model for model in models if model not in failed])
    study.save(update_fields=["result"])
    if any(not row["searched"]["n"] or not row["scaled"]["n"] for row in study.result):
        reason = failed[0].run.reason.rstrip(".") or failed[0].run.status
        writer.fail(
            f"{len(failed)} of {len(models)} trainings did not succeed. The first: {reason}.",
            mendable=any(model.run.mendable for model in failed),
        )
        return
    writer.progress(done=writer.run.total)
    beyond = sum(row["reading"] == "better" for row in study.result)
    lost = f" {len(failed)} trainings did not succeed." if failed else ""
    writer.succeed(
        f"The searched networks are better than the scaled ones, beyond the noise, "
        f"at {beyond} of {len(study.result)} limits.{lost}"
    )


def findings(study: Study, models: Sequence[TrainedModel]) -> list[dict[str, Any]]:
    """At every limit both networks' accuracies over seeds, the gain, its interval and how to read it."""
    return [
        _at_limit(limit, {entry.method: entry for entry in study.entries.filter(limit_ms=limit)}, models)
        for limit in study.limits
    ]


def _at_limit(limit: float, entries: dict[str, StudyEntry], models: Sequence[TrainedModel]) -> dict[str, Any]:
    found: dict[str, Any] = {"limit_ms": limit}
    for method, entry in entries.items():
        mine = [model for model in models if model.network == entry.network]
        found[method] = summary(mine)
    searched, scaled = (found[method]["accuracies"] for method in ("searched", "scaled"))
    if not searched or not scaled:
        return found | {"gain": None, "low": None, "high": None, "reading": "unknown"}
    gain, low, high = difference_of_means(searched, scaled, images=models[0].test_images or 1)
    reading = "better" if low > 0 else "worse" if high < 0 else "within the noise"
    if not math.isfinite(low):
        return found | {"gain": gain, "low": None, "high": None, "reading": "one seed"}
    return found | {"gain": gain, "low": low, "high": high, "reading": reading}


def summary(models: Sequence[TrainedModel]) -> dict[str, Any]:
    """Test accuracies by seed, their mean and deviation, and the mean of the measured latencies."""
    ordered = sorted(models, key=lambda model: model.seed)
    accuracies = [model.test_accuracy for model in ordered if model.test_accuracy is not None]
    measured = [model.latency_ms for model in ordered if model.latency_ms is not None]
    return {
        "n": len(accuracies),
        "accuracies": accuracies,
        "mean": fmean(accuracies) if accuracies else None,
        "deviation": stdev(accuracies) if len(accuracies) > 1 else None,
        "measured_ms": fmean(measured) if measured else None,
    }
