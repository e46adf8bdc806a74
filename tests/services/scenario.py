"""One of every long job with given seeds, and what they left, as facts that can be compared.

    python -m tests.services.scenario prepare | begin SEED | facts SEED | alone SEED... | chain

Each is a process of its own on the installation that the environment names. `alone` does the same jobs in one
process without disturbance, which is what the others are compared with. `chain` goes from a device to a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chamnet_web.settings")
django.setup()

from django.apps import apps  # noqa: E402
from django.conf import settings  # noqa: E402
from django.test import Client  # noqa: E402

from chamnet_web.accounts.models import Team, User  # noqa: E402
from devices.models import KernelFile, LatencyTable  # noqa: E402
from devices.runs.models import Event, Run, Step  # noqa: E402
from devices.services import this_machine  # noqa: E402
from search.models import Candidate, ModelFile, Predictor, Sample, Search, TrainedModel  # noqa: E402
from search.services.catalogue import name_recipe  # noqa: E402
from search.services.models import start_model  # noqa: E402
from search.services.predictors import start_predictor  # noqa: E402
from search.services.problems import latency_range  # noqa: E402
from search.services.searches import start_search  # noqa: E402
from search.services.tables import build_table  # noqa: E402
from search.training.recipes import Recipe  # noqa: E402
from tests.search.world import predictor_of, roomy_space, search_of, table_of, tiny_space  # noqa: E402
from tests.working import work_until_idle  # noqa: E402

SHORT = Recipe(epochs=2, learning_rate=0.05, batch_size=32, warmup_epochs=0.2, train_images=400)
FINAL = Recipe(epochs=12, learning_rate=0.05, batch_size=32, warmup_epochs=0.2)
BUDGET = 10
GENERATIONS = 300
MADE_UP = "Made up"


def person() -> User:
    return User.objects.get(username="ada")


def owner() -> Team:
    return person().teams.get()


def prepare() -> None:
    """A person, recipes, and what a search and a final training stand on: made up, so that it is known."""
    team = User.objects.create_user("ada").teams.get()
    name_recipe(team, "short", SHORT)
    name_recipe(team, "final", FINAL)
    space = roomy_space()
    table = table_of(team, space)
    predictor = predictor_of(team, work_until_idle, name=MADE_UP, space=space)
    search_of(team, predictor, table, work_until_idle, name=MADE_UP)


def recipe(name: str) -> str:
    return str(owner().recipes.get(name=name).recipe_id)


def begin_predictor(seed: int, name: str = "Build", budget: int = BUDGET) -> Predictor:
    return start_predictor(
        owner=owner(), name=f"{name} {seed}", space=tiny_space(), dataset="digits",
        recipe=recipe("short"), budget=budget, initial=4, seed=seed,
    )  # fmt: skip


def begin_search(seed: int, name: str = "Search", generations: int = GENERATIONS) -> Search:
    known = Search.objects.get(name=MADE_UP)
    assert known.table is not None
    least, greatest = latency_range(known.predictor.space.load(), known.table)
    return start_search(
        owner=owner(), name=f"{name} {seed}", predictor=known.predictor, table=known.table,
        latency_limit_ms=(least + greatest) / 2, population=24, generations=generations, seed=seed,
    )  # fmt: skip


def begin(text: str) -> list[str]:
    """Ids of the runs of a seed: a table, a build, a search and a final training."""
    seed = int(text)
    table = build_table(device=this_machine(owner()), space=tiny_space())
    best = Candidate.objects.get(search__name=MADE_UP, rank=1)
    model = start_model(owner=owner(), network=best, recipe=recipe("final"), seed=seed)
    jobs = (table, begin_predictor(seed), begin_search(seed), model)
    return [str(job.run_id) for job in jobs]


def facts(text: str) -> dict[str, Any]:
    """What the jobs of a seed left, without anything that depends on time."""
    seed = int(text)
    predictor = Predictor.objects.get(name=f"Build {seed}")
    search = Search.objects.get(name=f"Search {seed}")
    model = TrainedModel.objects.get(seed=seed, run__isnull=False)
    table = LatencyTable.objects.filter(run__kind="table").order_by("version")[seed + 1]
    keys = sorted(table.entries.values_list("key", flat=True))
    return {
        "runs": [job.run.status for job in (table, predictor, search, model)],
        "reasons": [job.run.reason for job in (table, predictor, search, model) if job.run.reason],
        "samples": [
            [
                proposal.index,
                proposal.sample.architecture_id,
                proposal.sample.status,
                proposal.sample.accuracy,
            ]
            for proposal in predictor.proposals.select_related("sample")
        ],
        "candidates": [
            [one.rank, one.architecture_id, one.accuracy, one.latency_ms]
            for one in search.candidates.order_by("rank")
        ],
        "generations": list(search.generation_rows.order_by("number").values_list("number", flat=True)),
        "epochs": [[one.number, one.loss] for one in model.epochs.order_by("number")],
        "weights": model.files.get(format=ModelFile.Format.SAFETENSORS).sha256
        if model.files.exists()
        else "",
        "test_accuracy": model.test_accuracy,
        "operators": hashlib.sha256("\n".join(keys).encode()).hexdigest(),
        "operators_once": len(keys) == len(set(keys)) == table.operator_count,
        "networks_timed": sorted({len(samples) for samples in table.network_samples_us}),
    }


def integrity() -> dict[str, Any]:
    """What must hold whatever happened: of events, samples, steps and files. Empty lists are good."""
    gaps = []
    for run in Run.objects.all():
        numbers = list(Event.objects.filter(run=run).order_by("seq").values_list("seq", flat=True))
        if numbers != list(range(1, run.last_seq + 1)):
            gaps.append(str(run))
    root = Path(settings.MEDIA_ROOT)
    there = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    known = {
        name
        for model, field in ((ModelFile, "file"), (TrainedModel, "checkpoint"), (KernelFile, "file"))
        for name in model.objects.exclude(**{field: None}).values_list(field, flat=True)
        if name
    }
    return {
        "event_gaps": gaps,
        "rows_without_file": sorted(known - there),
        "files_without_row": sorted(there - known),
        "open_steps": [str(step) for step in Step.objects.open()],
        "unfinished_samples": Sample.objects.exclude(status=Sample.Status.SUCCEEDED).count(),
        "last_seq": {str(run.pk): run.last_seq for run in Run.objects.all()},
    }


def session() -> str:
    """The cookie of a signed-in person."""
    client = Client()
    client.force_login(person())
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)


def alone(*seeds: str) -> dict[str, Any]:
    prepare()
    for seed in seeds:
        begin(seed)
        work_until_idle()
    return {seed: facts(seed) for seed in seeds}


def chain() -> dict[str, Any]:
    """From a device to a file, each stage waited for; the file's name and SHA-256."""
    table = build_table(device=this_machine(owner()), space=roomy_space())
    wait(table.run)
    predictor = start_predictor(
        owner=owner(), name="Chain", space=roomy_space(), dataset="digits", recipe=recipe("short"),
        budget=BUDGET, initial=4, seed=5,
    )  # fmt: skip
    wait(predictor.run)
    least, greatest = latency_range(predictor.space.load(), table)
    search = start_search(
        owner=owner(), name="Chain", predictor=predictor, table=table,
        latency_limit_ms=(least * greatest) ** 0.5, population=24, generations=12, seed=5,
    )  # fmt: skip
    wait(search.run)
    model = start_model(owner=owner(), network=search.candidates.get(rank=1), recipe=recipe("short"), seed=5)
    wait(model.run)
    model.refresh_from_db()
    file = model.torchscript
    assert file is not None
    return {
        "path": str(Path(settings.MEDIA_ROOT) / str(file.file.name)),
        "sha256": file.sha256,
        "accuracy": model.test_accuracy,
        "database": settings.DATABASES["default"]["ENGINE"],
    }


def fair(budget: str) -> list[str]:
    """Two builds and three searches begun at once; ids of the builds' runs."""
    begun = [begin_predictor(seed, "Fair", budget=int(budget)) for seed in range(2)]
    for seed in range(3):
        begin_search(seed, "Fair", generations=200)
    return [str(build.run_id) for build in begun]


def small() -> str:
    """The run of a build of four networks."""
    return str(begin_predictor(0, "Small", budget=4).run_id)


def counts() -> dict[str, int]:
    """Rows of every model but sessions."""
    return {
        model._meta.label_lower: model._base_manager.count()
        for model in apps.get_models(include_auto_created=True)
        if model._meta.label_lower != "sessions.session"
    }


def finish(run_id: str) -> str:
    """The status of a run when this process has done what it waits for."""
    work_until_idle()
    return str(Run.objects.get(pk=run_id).status)


def wait(run: Run, seconds: float = 240.0) -> None:
    """Until the run has succeeded; the installation's workers do it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        run.refresh_from_db()
        if run.is_final:
            assert run.status == Run.Status.SUCCEEDED, run.reason
            return
        time.sleep(0.2)
    raise TimeoutError(f"{run} was not over after {seconds:.0f} s: {run.message}")


def main(arguments: list[str]) -> None:
    what, *rest = arguments
    known: tuple[Callable[..., Any], ...] = (
        prepare, begin, facts, integrity, session, alone, chain, fair, small, counts, finish,
    )  # fmt: skip
    found = {one.__name__: one for one in known}[what](*rest)
    print("FOUND " + json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
