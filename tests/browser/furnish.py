"""Fills an installation with a finished and an unfinished example of everything; prints the pages' addresses.

Run by `manage.py shell`; what it makes belongs to the account "ada".
"""

from __future__ import annotations

import json
import tempfile
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.utils import timezone

from chamnet_web.accounts.models import Team
from devices.agents import hello
from devices.models import Device, DeviceToken, LatencyTable
from devices.runs.models import Notice, NoticeSettings, Run
from devices.runs.writing import writing
from devices.services import import_table, join_calibration
from devices.tables.formats import read_table
from search.models import (
    Baseline,
    Candidate,
    Epoch,
    ImageSet,
    ModelFile,
    ModelTiming,
    Predictor,
    Study,
    StudyEntry,
    TrainedModel,
)
from search.services.catalogue import name_recipe, remember_space
from search.services.datasets import begin_upload, inspect_built_in, start_import
from search.services.models import start_model
from search.services.predictors import import_predictor
from search.services.quickstart import start_quickstart
from search.services.searches import FurtherLimit, start_searches
from search.services.studies import findings, start_study
from search.services.tables import build_table, complete_table
from search.spaces import ACCURACY_UNITS, preset, read_records
from search.spaces.scaling import scaled_networks
from search.training.recipes import Recipe
from tests.devices.tables.test_formats import YAML
from tests.search.training.ingestion.made import files, zip_of
from tests.search.world import (
    begin_predictor,
    best_of,
    csv_of,
    energy_of,
    finish,
    predictor_of,
    roomy_space,
    search_of,
    table_of,
)
from tests.serving import PASSWORD
from tests.working import work_until_idle


def trained(model: TrainedModel) -> TrainedModel:
    """As a training leaves it; the figures are made up."""
    for number in range(1, 21):
        Epoch.objects.create(
            model=model,
            number=number,
            loss=2.3 / number,
            validation_accuracy=1 - 0.9 / (number + 1),
            seconds=1.2,
        )
    model.validation_accuracy, model.test_accuracy, model.test_images = 0.957, 0.9611, 360
    model.latency_ms, model.latency_p50_ms = 0.187, 0.191
    model.results = [
        [34 if row == column else int((row + column) % 7 == 0) for column in range(10)] for row in range(10)
    ]
    model.preprocessing = {"image_size": 8, "resolution": 8, "channels": 1, "mean": [0.5], "std": [0.25]}
    model.save()
    for number, file_format in enumerate(ModelFile.Format):
        row = ModelFile(model=model, format=file_format, sha256=f"{number}e" * 32)
        row.size_bytes = 123_456 // (number + 1)
        row.accuracy, row.max_difference = 0.9611 - 0.001 * (number == 3), 2.1e-6
        row.latency_ms, row.latency_p50_ms = 0.187, 0.191
        if file_format == ModelFile.Format.PT2:
            row.problem = "The file's outputs differ by up to 0.0021; 0.0001 is allowed."
        row.file.save(f"model.{number}", ContentFile(b"none"), save=False)
        row.save()
    ModelTiming.objects.create(
        model=model, device=model.network.device, run=model.run, format="torchscript",
        latency_ms=0.187, latency_p50_ms=0.191, preprocessing_ms=0.004, predicted_ms=0.181,
    )  # fmt: skip
    finish(model.run)
    return model


def studied(owner: Team, predictor: Predictor, table: LatencyTable, candidate: Candidate) -> Study:
    """As a study leaves it; the figures are made up."""
    limits = [round(share * candidate.latency_ms, 4) for share in (0.9, 1.2, 1.6)]
    study = start_study(
        owner=owner, name="Searched or scaled", predictor=predictor, table=table, recipe="seconds-final",
        limits=limits, seeds=3, confidence=0.9, population=24, generations=12,
    )  # fmt: skip
    study.run.steps.all().delete()
    study.table = table
    networks = scaled_networks(predictor.space.load())[:5]
    for index, network in enumerate(networks):
        architecture = network.architecture
        Baseline.objects.create(
            study=study, index=index, label=network.label, space=remember_space(architecture.space),
            architecture_id=architecture.id, width=network.width, depth=network.depth, resolution=8,
            latency_ms=limits[index % 3] * 0.97, latency_low_ms=limits[index % 3] * 0.9,
            latency_high_ms=limits[index % 3] * 1.04, limited_ms=limits[index % 3],
            multiply_adds=architecture.multiply_adds, parameters=architecture.parameters,
            accuracy=0.86 + 0.02 * index if index < 4 else None,
            reason="" if index < 4 else "The training loss became infinite in epoch 1, step 3.",
        )  # fmt: skip
    for place, limit in enumerate(limits):
        baseline = study.baselines.get(index=place)
        StudyEntry.objects.create(study=study, limit_ms=limit, method="searched", candidate=candidate)
        StudyEntry.objects.create(study=study, limit_ms=limit, method="scaled", baseline=baseline)
        for seed in study.seeds if place == 0 else []:
            _study_model(study, candidate, seed, 0.958)
        for seed in study.seeds:
            _study_model(study, baseline, seed, 0.94 + 0.008 * place)
    study.result = findings(study, list(study.trained_models.all()))
    study.save()
    with writing(study.run_id) as writer:
        writer.start()
        writer.succeed(
            "The searched networks are better than the scaled ones, beyond the noise, at 2 of 3 limits."
        )
    return study


def _study_model(study: Study, network: Candidate | Baseline, seed: int, accuracy: float) -> None:
    made = start_model(owner=study.owner, network=network, recipe="seconds-final", seed=seed, study=study)
    made.run.steps.all().delete()
    made.test_accuracy, made.latency_ms = accuracy + 0.002 * (seed - 1), 0.97 * network.latency_ms
    made.save()
    finish(made.run)


def noticed(owner: Team, run: Run) -> None:
    """Notices of every fate. None are sent: the person wants none, and the pending one is not due."""
    NoticeSettings.objects.create(owner=owner, when="never", webhook_url="https://example.com/hooks/chamnet")
    soon = timezone.now() + timedelta(hours=6)
    facts = {"title": run.title, "status": "failed"}
    unknown = "example.com is not known: its name leads to no address."
    gone = "The mail server did not take it: SMTPServerDisconnected."
    fates: list[tuple[str, dict[str, Any]]] = [
        ("webhook", {"status": "sent", "tries": 1, "answer": 204}),
        ("webhook", {"tries": 2, "problem": unknown, "due_at": soon}),
        ("email", {"status": "failed", "tries": 6, "problem": gone}),
    ]
    for channel, fate in fates:
        target = {"webhook": "https://example.com/hooks/chamnet", "email": "ada@example.com"}[channel]
        Notice.objects.create(owner=owner, channel=channel, target=target, payload=facts, run=run, **fate)


def brought(owner: Team, work: Any) -> ImageSet:
    """A data set of a few made-up photographs, taken in with some that are not good."""
    directory = Path(tempfile.mkdtemp())
    content = files(6, 24, parts=("train/", "test/"))
    content["train/class0/again.png"] = content["train/class1/3.png"]
    content["train/class0/cut off.jpg"] = content["train/class1/3.png"][:90]
    content["test/notes.txt"] = b"hello"
    path = zip_of(directory / "photographs.zip", content)
    row = start_import(owner=owner, name="Photographs", path=path, mirrors=True)
    work()
    return row


def furnish() -> dict[str, str]:
    work = partial(work_until_idle, kinds=("predictor", "search", "cost_predictor", "table", "dataset"))
    owner = get_user_model().objects.create_user("ada", password=PASSWORD).teams.get()
    space = roomy_space()
    table = table_of(owner, space)
    predictor = predictor_of(owner, work, space=space, samples=14)
    search = search_of(owner, predictor, table, work)
    impossible = search_of(owner, predictor, table, work, name="Impossible", latency_limit_ms=1e-6)
    candidate = best_of(search)
    phone = table_of(owner, space, device_name="The phone", slower=3.0)
    energy = energy_of(owner, phone.device, work, space=space, count=40)
    thrifty = start_searches(
        owner=owner,
        name="Thrifty",
        networks="both",
        predictor=predictor,
        table=table,
        latency_limit_ms=search.latency_limit_ms,
        further=[
            FurtherLimit(phone, 3 * search.latency_limit_ms),
            FurtherLimit(energy, float(np.median([value for _, value in energy.measurements]))),
        ],
        max_file_bytes=400_000,
        confidence=0.9,
        population=24,
        generations=12,
        seed=0,
    )
    work()
    again = table_of(owner, space, slower=1.2)
    fewer: dict[str, Any] = {"stage3.channels": (16, 48)}
    narrow = table_of(owner, preset("chamnet-mobile-small", **fewer), device_name="A server")
    learned = complete_table(table=narrow, space=preset("chamnet-mobile-small"), way="interpolate")
    layers = space.lower([0] * len(space.genes))
    joined = join_calibration(
        table=table, label="model 0123abcd", layers=layers, measured_us=1.1 * table.load().network_us(layers)
    )
    pi = Device.objects.create(
        owner=owner,
        name="Raspberry Pi",
        kind="mobile-cpu",
        engine="onnxruntime",
        data_type="float32",
        threads=4,
        batch_size=1,
    )
    token, _ = DeviceToken.issue(pi)
    hello(token, {"processor": "Cortex-A76", "engine": "ONNX Runtime 1.32.0"}, [])
    measuring = build_table(device=pi, space=space)
    measuring.run.steps.all().delete()
    foreign = import_table(device=phone.device, table=read_table(YAML), name="160.yaml")
    records = read_records(
        csv_of(space, "accuracy_percent", lambda one: 60 + 8 * one.multiply_adds**0.1, 24).splitlines(),
        space,
        ACCURACY_UNITS,
        lowest=0.0,
        highest=1.0,
    )
    imported = import_predictor(
        owner=owner, name="Imported", space=space, dataset="digits", records=records, origin="the cluster"
    )
    work()
    model = trained(start_model(owner=owner, network=candidate, recipe="seconds-final", seed=0))
    study = studied(owner, predictor, table, candidate)
    dataset = brought(owner, work)
    digits = inspect_built_in(owner, "digits")
    bad = start_import(owner=owner, name="Of one class", path=Path(tempfile.mkdtemp()))
    work()
    begin_upload(owner, "holidays.zip", 900_000_000)
    own = name_recipe(owner, "my recipe", Recipe(epochs=24, learning_rate=0.2, crop=0.5, flip=True))
    begun = begin_predictor(owner, name="Begun")
    failed = begin_predictor(owner, name="Failed")
    with writing(failed.run_id) as writer:
        writer.fail(
            "Only 0 networks were trained without failing: a predictor needs at least 3.", mendable=True
        )
    noticed(owner, failed.run)
    quickstart = start_quickstart(owner=owner)
    for run in (begun.run, quickstart.run):
        run.steps.all().delete()  # the workers of this installation leave them as they are
    objects = {
        "device": table.device,
        "table": table,
        "predictor": predictor,
        "predictor-begun": begun,
        "predictor-failed": failed,
        "predictor-imported": imported,
        "phone": phone.device,
        "cost": energy,
        "table-foreign": foreign,
        "table-learned": learned,
        "table-joined": joined,
        "device-agent": pi,
        "search-thrifty": thrifty,
        "candidate-thrifty": best_of(thrifty),
        "search": search,
        "search-failed": impossible,
        "candidate": candidate,
        "model": model,
        "dataset": dataset,
        "dataset-built-in": digits,
        "dataset-failed": bad,
        "study": study,
        "recipe": own,
        "quickstart": quickstart.run,
    }
    lists = {
        "overview": "/",
        "runs": "/runs/",
        "runs-none": "/runs/?q=nothing+has+this+name",
        "devices": "/devices/",
        "tables": "/tables/",
        "costs": "/costs/",
        "device-new": "/devices/new/",
        "predictors": "/predictors/",
        "predictor-new": "/predictors/new/",
        "predictor-import": "/predictors/import/",
        "table-compare": f"/tables/{again.pk}/compare/?with={table.pk}",
        "table-import": f"/devices/{phone.device.pk}/tables/import/",
        "table-spaces": f"/tables/{narrow.pk}/spaces/",
        "cost-new": f"/devices/{phone.device.pk}/costs/new/",
        "searches": "/searches/",
        "search-new": "/searches/new/",
        "models": "/models/",
        "datasets": "/datasets/",
        "dataset-new": "/datasets/new/",
        "studies": "/studies/",
        "study-new": "/studies/new/",
        "recipes": "/recipes/",
        "recipe-new": "/recipes/new/",
        "account": "/account/",
        "password": "/account/password/",
        "factor-new": "/account/second-factor/",
        "team": "/team/",
        "team-new": "/teams/new/",
        "account-tokens": "/account/tokens/",
        "api": "/api/",
        "notices": "/account/notices/",
        "help": "/help/",
        "help-found": "/help/?q=calibration",
        "help-terms": "/help/terms/",
        "help-chapter": "/help/searches/",
    }
    picked = search.candidates.order_by("rank").values_list("pk", flat=True)[:2]
    compared = [*picked, best_of(thrifty).pk]
    lists |= {
        "explore": f"/explore/?search={search.pk}&search={thrifty.pk}",
        "compare": "/compare/?" + "&".join(f"candidate={key}" for key in compared),
    }
    return lists | {name: found.get_absolute_url() for name, found in objects.items()}


def main() -> None:
    print("ADDRESSES " + json.dumps(furnish()))
