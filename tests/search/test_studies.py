"""Studies: searched against scaled networks, from the form to what the page says."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chamnet_web.accounts.models import Team, User
from devices.models import LatencyTable, TableEntry
from devices.runs.models import Run
from devices.runs.services import cancel
from search.models import OwnRecipe, Predictor, Search, Study, StudyEntry, TrainedModel
from search.services.catalogue import name_recipe
from search.services.models import start_model
from search.services.problems import latency_range
from search.services.studies import findings, start_study
from search.spaces import SearchSpace
from search.spaces.scaling import scaled_networks
from search.steps import study as steps
from search.training.recipes import PRESETS
from search.views.studies import sentence
from tests.search.world import (
    TINY_RECIPE,
    begin_predictor,
    best_of,
    predictor_of,
    roomy_space,
    table_of,
    tiny_space,
)

# What a run tells the one that began it, it tells after its commit.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tiny_recipes")]
Work = Callable[..., int]


@pytest.fixture
def predictor(owner: Team, work: Work) -> Predictor:
    return predictor_of(owner, work, space=roomy_space())


@pytest.fixture
def table(owner: Team) -> LatencyTable:
    return table_with_scaled(owner, roomy_space())


def table_with_scaled(owner: Team, space: SearchSpace) -> LatencyTable:
    """A made-up table that has the scaled networks' operators too."""
    table = table_of(owner, space)
    networks = scaled_networks(space)
    operators = {layer.operator.key for one in networks for layer in one.architecture.layers}
    entries = [
        TableEntry(table=table, key=key, samples_us=[]) for key in operators - set(table.operator_keys)
    ]
    for entry in entries:
        entry.add([5 + entry.operator.multiply_adds / 1e4] * 5)
    TableEntry.objects.bulk_create(entries)
    return table


def limit_of(predictor: Predictor, table: LatencyTable, share: float) -> float:
    least, greatest = latency_range(predictor.space.load(), table, 0.5)
    return round(least + share * (greatest - least), 4)


def begin(owner: Team, predictor: Predictor, table: LatencyTable, **changes: Any) -> Study:
    choices: dict[str, Any] = {
        "name": "Claim",
        "recipe": "seconds-final",
        "limits": [limit_of(predictor, table, 0.65), limit_of(predictor, table, 0.9)],
        "seeds": 2,
        "confidence": 0.5,
        "population": 8,
        "generations": 3,
    }
    return start_study(owner=owner, predictor=predictor, table=table, **choices | changes)


def test_a_study_measures_tries_searches_trains_and_compares(
    owner: Team, predictor: Predictor, work: Work, signed_in: Client
) -> None:
    # Made-up operators a hundred times slower than measured ones: a busy machine keeps the limits too.
    table = table_of(owner, roomy_space(), slower=100)
    study = begin(owner, predictor, table)
    work()
    study.refresh_from_db()
    assert study.run.status == Run.Status.SUCCEEDED, study.run.reason

    # The scaled networks' operators were measured too, in a version of the table.
    used = study.table
    assert used is not None
    assert used.pk != table.pk
    held = used.load()
    baselines = list(study.baselines.all())
    assert all(layer.operator.key in held for one in baselines for layer in one.architecture.layers)
    assert all(one.accuracy is not None for one in baselines)

    # Of all tried within a limit, the best on validation images was chosen.
    for limit in study.limits:
        entries = {entry.method: entry for entry in study.entries.filter(limit_ms=limit)}
        chosen, candidate = entries["scaled"].baseline, entries["searched"].candidate
        assert chosen is not None
        assert candidate is not None
        assert max(chosen.limited_ms, candidate.latency_ms) <= limit
        assert chosen.accuracy == max(one.accuracy or 0 for one in baselines if one.limited_ms <= limit)

    # Same recipe, same seeds, both kinds.
    models = list(study.trained_models.select_related("recipe", "run"))
    networks = {(model.candidate_id, model.baseline_id) for model in models}
    assert len(models) == 2 * len(networks)
    assert {model.recipe_id for model in models} == {study.recipe_id}
    assert {model.seed for model in models} == {0, 1}
    assert all(model.is_verified for model in models)
    assert study.run.done == study.run.total

    answer = signed_in.get(study.get_absolute_url())
    assert {point["limit_ms"] for point in answer.context["state"]["points"]} == set(study.limits)
    page = answer.content.decode()
    for row in study.result or []:
        assert sentence(row) in page.replace("&#x27;", "'")
    text = b"".join(signed_in.get(reverse("study-csv", args=[study.pk]))).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 2 * 2 * len(study.limits)
    assert {row["method"] for row in rows} == {"searched", "scaled"}


def test_every_resolution_is_tried_however_many_limits_there_are(owner: Team, work: Work) -> None:
    space = tiny_space(resolution=(8, 12, 16, 24))
    predictor, table = predictor_of(owner, work, space=space), table_with_scaled(owner, space)
    study = begin(owner, predictor, table, limits=[1e3 + number for number in range(12)])
    work(kinds=["study"], at_most=1)
    assert sorted(study.baselines.values_list("resolution", "width")) == [
        (8, 2.0), (12, 2.0), (16, 2.0), (24, 2.0),
    ]  # fmt: skip


def made_up(study: Study, searched: list[float], scaled: list[float]) -> dict[str, Any]:
    """What would be found had the models of the first limit these accuracies."""
    limit = study.limits[0]
    models = []
    for method, accuracies in (("searched", searched), ("scaled", scaled)):
        entry = study.entries.get(limit_ms=limit, method=method)
        for seed, accuracy in enumerate(accuracies):
            model = TrainedModel(
                candidate=entry.candidate, baseline=entry.baseline, seed=seed, test_accuracy=accuracy,
                test_images=10_000,
            )  # fmt: skip
            models.append(model)
    return next(row for row in findings(study, models) if row["limit_ms"] == limit)


def test_what_is_within_the_noise_is_said_to_be(
    owner: Team, predictor: Predictor, table: LatencyTable, work: Work
) -> None:
    study = begin(owner, predictor, table, seeds=1, limits=[limit_of(predictor, table, 0.5)])
    work()
    study.refresh_from_db()
    assert (study.result or [])[0]["reading"] == "one seed"
    clear = made_up(study, [0.91, 0.912, 0.911], [0.88, 0.881, 0.879])
    assert clear["reading"] == "better"
    assert clear["low"] < clear["gain"] < clear["high"]
    assert "is better by 3.10 points" in sentence(clear)
    noisy = made_up(study, [0.90, 0.86, 0.91], [0.87, 0.90, 0.88])
    assert noisy["reading"] == "within the noise"
    assert "within the noise" in sentence(noisy)
    lucky = made_up(study, [0.9028] * 3, [0.90] * 3)
    assert lucky["reading"] == "within the noise"
    lost = made_up(study, [0.80, 0.801, 0.802], [0.88, 0.881, 0.879])
    assert lost["reading"] == "worse"
    assert "is worse by" in sentence(lost)


def test_a_limit_that_no_scaled_network_keeps_ends_with_that_sentence(
    owner: Team, predictor: Predictor, table: LatencyTable, work: Work
) -> None:
    study = begin(owner, predictor, table, limits=[1e-4])
    work()
    study.refresh_from_db()
    assert study.run.status == Run.Status.FAILED
    assert study.run.reason.startswith("No scaled network keeps the limit of 0.0001 ms")


def test_a_trial_that_fails_is_one_network_less(
    owner: Team, predictor: Predictor, table: LatencyTable, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = steps.train, []

    def fail_once(*args: Any, **kwargs: Any) -> Any:
        seen.append(1)
        if len(seen) == 2:
            raise steps.DivergedError(1, 1, "training loss")
        return real(*args, **kwargs)

    monkeypatch.setattr(steps, "train", fail_once)
    study = begin(owner, predictor, table, seeds=1)
    work()
    study.refresh_from_db()
    assert study.run.status == Run.Status.SUCCEEDED, study.run.reason
    (failed,) = study.baselines.filter(accuracy=None)
    assert "infinite" in failed.reason
    assert not StudyEntry.objects.filter(baseline=failed).exists()


def test_a_search_that_is_cancelled_ends_the_study(
    owner: Team, predictor: Predictor, table: LatencyTable, work: Work
) -> None:
    study = begin(owner, predictor, table)
    work(kinds=["study", "table"], at_most=400)
    entry = study.entries.filter(method="searched").select_related("search__run").first()
    cancel(entry.search.run)
    work()
    study.refresh_from_db()
    assert study.run.status == Run.Status.FAILED
    assert "ended as cancelled" in study.run.reason


def form_data(predictor: Predictor, table: LatencyTable, **changes: Any) -> dict[str, Any]:
    limit = limit_of(predictor, table, 0.7)
    return {
        "name": "From the form",
        "predictor": predictor.pk,
        "table": table.pk,
        "limits": f"{limit}, {limit * 1.5:.4f}",
        "recipe": "seconds-final",
        "seeds": 3,
        "confidence": 0.5,
        "population": 16,
        "generations": 10,
    } | changes


def test_the_form_begins_a_study(
    owner: Team, predictor: Predictor, table: LatencyTable, signed_in: Client
) -> None:
    response = signed_in.post(reverse("study-new"), form_data(predictor, table))
    study = Study.objects.get(owner=owner)
    assert response.headers["Location"] == study.get_absolute_url()
    assert len(study.limits) == 2
    assert study.seeds == [0, 1, 2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"limits": "fast"}, "“fast” is no number"),
        ({"limits": "0.0001"}, "none is as fast as 0.0001 ms"),
        ({"limits": "-3"}, "must be above 0 ms"),
        ({"limits": "nan"}, "must be above 0 ms"),
        ({"limits": " ".join(str(n) for n in range(1, 20))}, "At most 12 limits"),
        ({"seeds": 0}, "greater than or equal to 1"),
        ({"recipe": "none"}, "Select a valid choice"),
    ],
)
def test_the_form_refuses_what_cannot_be(
    predictor: Predictor, table: LatencyTable, signed_in: Client, changes: dict[str, Any], message: str
) -> None:
    response = signed_in.post(reverse("study-new"), form_data(predictor, table, **changes))
    assert response.status_code == 422
    assert message in response.content.decode()
    assert not Study.objects.exists()


def recipe_data(**changes: Any) -> dict[str, Any]:
    values = {
        name: value
        for name, value in TINY_RECIPE.to_json().items()
        if value is not None and value is not False
    }
    return values | {"name": "mine"} | changes


def test_a_recipe_of_ones_own_is_made_shown_offered_and_used(
    owner: Team, predictor: Predictor, table: LatencyTable, signed_in: Client, stranger: User
) -> None:
    response = signed_in.post(reverse("recipe-new"), recipe_data(epochs=3))
    own = OwnRecipe.objects.get(owner=owner)
    assert response.headers["Location"] == own.get_absolute_url()
    assert own.recipe.load().epochs == 3
    assert "mine" in signed_in.get(reverse("recipes")).content.decode()
    study = form_data(predictor, table, recipe=own.recipe_id)
    signed_in.post(reverse("study-new"), study)
    assert Study.objects.get(owner=owner).recipe_id == own.recipe_id
    assert signed_in.get(own.get_absolute_url()).status_code == 200
    signed_in.force_login(stranger)
    assert signed_in.get(own.get_absolute_url()).status_code == 404


def test_what_a_team_calls_a_recipe_is_seen_by_that_team_alone(
    owner: Team, work: Work, signed_in: Client, stranger: User
) -> None:
    other = stranger.teams.get()
    theirs = name_recipe(other, "Project Lightning", TINY_RECIPE)
    mine = name_recipe(owner, "short", TINY_RECIPE)
    assert mine.recipe_id == theirs.recipe_id
    nameless = name_recipe(other, "Project Thunder", replace(TINY_RECIPE, epochs=2))
    called = {}
    for name, recipe in (("Named", mine.recipe_id), ("Nameless", nameless.recipe_id)):
        built = begin_predictor(owner, name=name, recipe=recipe)
        called[name] = built.recipe_name
        pages = [
            built.get_absolute_url(),
            reverse("recipe", args=[recipe]),
            f"{reverse('predictor-new')}?like={built.pk}",
        ]
        for address in (*pages, "/predictors/?format=csv", "/api/v1/predictors"):
            answer = signed_in.get(address)
            text = b"".join(answer) if answer.streaming else answer.content
            assert answer.status_code == 200, address
            assert b"Project" not in text, address
            assert called[name].encode() in text or address == pages[2], address
    assert called == {"Named": "short", "Nameless": f"recipe {nameless.recipe_id[:8]}"}


def test_a_candidates_page_asks_no_more_with_more_trainings(
    owner: Team, search: Search, signed_in: Client
) -> None:
    address = best_of(search).get_absolute_url()

    def queries_with(seeds: range) -> int:
        for seed in seeds:
            start_model(owner=owner, network=best_of(search), recipe="seconds-final", seed=seed)
        with CaptureQueriesContext(connection) as captured:
            assert signed_in.get(address).status_code == 200
        return len(captured)

    assert queries_with(range(1)) == queries_with(range(1, 5))


def test_a_presets_content_is_refused_under_another_name(signed_in: Client) -> None:
    values = PRESETS["minutes"].to_json().items()
    same = {name: value for name, value in values if value is not None and value is not False}
    response = signed_in.post(reverse("recipe-new"), same | {"name": "mine"})
    assert response.status_code == 422
    assert "This is “minutes”, one of the recipes that everyone has." in response.content.decode()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "must be a whole number from 1"),
        ({"learning_rate": "much"}, "Enter a number"),
        ({"crop": 2}, "must be a number from 0.01 to 1"),
        ({"warmup_epochs": 9}, "must not be longer than"),
        ({"name": "minutes"}, "one of the recipes that everyone has"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_beside_its_field(
    signed_in: Client, changes: dict[str, Any], message: str
) -> None:
    response = signed_in.post(reverse("recipe-new"), recipe_data(**changes))
    assert response.status_code == 422
    assert message in response.content.decode()


def test_the_same_recipe_twice_is_known_by_its_first_name(signed_in: Client) -> None:
    signed_in.post(reverse("recipe-new"), recipe_data())
    response = signed_in.post(reverse("recipe-new"), recipe_data(name="again"))
    assert "This is what you call “mine” already." in response.content.decode()


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_its_page(signed_in: Client, name: str) -> None:
    page = signed_in.get(reverse("recipe", args=[name])).content.decode()
    assert PRESETS[name].id in page
