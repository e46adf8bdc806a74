"""What a training, a study and a search will take: told before they start, compared with what they took."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client

from chamnet_web.accounts.models import AuditEntry, Team, User
from devices.runs.models import Run
from search.models import Epoch, Probe, Sample, Search, TrainedModel
from search.services.models import start_model
from search.services.training_time import fitted, image_epochs, pace_of
from search.training.datasets import dataset
from search.training.recipes import PRESETS
from tests.search.world import best_of, finish


def test_a_pace_has_something_for_every_image_and_something_for_the_arithmetic() -> None:
    pace = fitted([(size, 2e-4 + 3e-9 * size) for size in (1e5, 2e5, 4e5)], "")
    assert (pace.fixed, pace.per_multiply_add) == pytest.approx((2e-4, 3e-9))
    assert (pace.least, pace.most) == pytest.approx((1.0, 1.0))
    digits, recipe = dataset("digits"), PRESETS["seconds"]
    shown = image_epochs(recipe, digits)
    assert shown == recipe.epochs * min(recipe.train_images or digits.train_images, digits.train_images)
    assert pace.forecast(recipe, digits, 1e6).seconds == pytest.approx(shown * (2e-4 + 3e-3))


def test_one_training_stands_for_others_in_proportion_and_a_spread_is_told() -> None:
    assert fitted([(1e5, 1e-3)], "").per_multiply_add == pytest.approx(1e-8)
    spread = fitted([(1e5, 1e-3), (1e5, 2e-3), (2e5, 3e-3)], "")
    assert spread.least < 1.0 < spread.most
    falling = fitted([(1e5, 3e-3), (2e5, 2e-3), (3e5, 2e-3)], "")
    assert (falling.fixed, falling.per_multiply_add) == (2e-3, 0.0)


def test_the_time_of_a_training_is_told_for_every_recipe_before_it_starts_and_compared_afterwards(
    signed_in: Client, owner: Team, search: Search
) -> None:
    candidate = best_of(search)
    page = signed_in.get(candidate.get_absolute_url())
    told = {name: forecast for name, _, forecast in page.context["recipe_forecasts"]}
    assert set(told) == {name for name in PRESETS if name.endswith("-final")}
    shown = {name: image_epochs(PRESETS[name], dataset("digits")) for name in told}
    assert told["minutes-final"].seconds / told["seconds-final"].seconds == pytest.approx(
        shown["minutes-final"] / shown["seconds-final"]
    )
    text = page.content.decode()
    assert "Training with seconds-final: about" in text
    assert "From 12 earlier trainings of this space on this data set." in text

    model = start_model(owner=owner, network=candidate, recipe="seconds-final", seed=0)
    assert model.expected_seconds is not None
    assert model.expected_seconds == pytest.approx(told["seconds-final"].seconds)
    assert "Time of training" in (before := signed_in.get(model.get_absolute_url()).content.decode())
    assert "times that" not in before
    epochs = model.recipe.load().epochs
    each = 1.5 * model.expected_seconds / epochs
    Epoch.objects.bulk_create(
        Epoch(model=model, number=number, loss=1.0, seconds=each) for number in range(1, epochs + 1)
    )
    assert ", 1.50 times that" in signed_in.get(model.get_absolute_url()).content.decode()

    # The next forecast knows of this one too.
    space, known = search.predictor.space.load(), dataset("digits")
    pace = pace_of(owner, space, known)
    assert pace is not None
    assert pace.basis.startswith("From 13 earlier trainings")


def test_where_nothing_was_trained_a_few_steps_are_timed_instead(
    signed_in: Client, owner: Team, search: Search
) -> None:
    Sample.objects.update(seconds=None)
    candidate = best_of(search)
    page = signed_in.get(candidate.get_absolute_url())
    assert "How long a training takes is not known" in page.content.decode()
    assert (
        start_model(owner=owner, network=candidate, recipe="seconds-final", seed=0).expected_seconds is None
    )

    asked = signed_in.post(f"{candidate.get_absolute_url()}estimate/", {"recipe": "seconds-final", "seed": 0})
    assert asked.status_code == 302
    assert "are being timed …" in signed_in.get(candidate.get_absolute_url()).content.decode()
    assert not AuditEntry.objects.filter(action="model-estimate").exists()
    refused = signed_in.post(f"{candidate.get_absolute_url()}estimate/", {"recipe": "none", "seed": 0})
    assert refused.status_code == 422

    probe = Probe.objects.get()
    Probe.objects.update(seconds=4.0, least_seconds=2.0, most_seconds=6.0)
    finish(probe.run)
    forecasts = signed_in.get(candidate.get_absolute_url()).context["recipe_forecasts"]
    found = next(forecast for name, _, forecast in forecasts if name == "seconds-final")
    assert found.least == pytest.approx(found.seconds / 2)
    assert found.most == pytest.approx(1.5 * found.seconds)


def test_a_study_tells_its_trainings_and_their_time_without_scripts_and_starts_nothing(
    signed_in: Client, search: Search
) -> None:
    chosen: dict[str, Any] = {
        "predictor": search.predictor.pk, "table": search.table_id, "limits": f"{search.latency_limit_ms}",
        "recipe": "seconds-final", "seeds": 3, "name": "", "population": 24, "generations": 12,
    }  # fmt: skip
    page = signed_in.post("/studies/new/", chosen | {"estimate": "1"})
    assert page.status_code == 200
    told = page.context["estimate"]
    assert told.startswith("At most 6 trainings to the end, after at most 1 short trial of scaled")
    assert "A training takes about " in told
    assert "From 12 earlier trainings" in told
    assert not Run.objects.filter(kind="study").exists()
    assert signed_in.get("/studies/estimate/", chosen).json()["said"] == told
    assert "Give limits" in signed_in.get("/studies/estimate/").json()["said"]
    few: dict[str, Any] = {"limits": "0.5", "seeds": 2}
    assert "Choose a predictor" in signed_in.get("/studies/estimate/", few).json()["said"]
    Sample.objects.update(seconds=None)
    assert "is not known" in signed_in.get("/studies/estimate/", chosen).json()["said"]


def test_a_search_says_how_long_it_takes_by_those_that_ended_or_that_nobody_knows(
    signed_in: Client, search: Search, stranger: User
) -> None:
    ended = Run.objects.get(pk=search.run_id)
    Run.objects.filter(pk=ended.pk).update(finished_at=F("started_at") + timedelta(seconds=2))
    scored = search.population * search.generations
    page = signed_in.get("/searches/new/")
    assert page.context["pace"].seconds == pytest.approx(2 / scored)
    assert page.context["span"][0] == pytest.approx(9600 * 2 / scored)
    text = page.content.decode()
    assert "The search scores 9,600 networks" in text
    assert "of your team took from start to end" in text
    assert "it takes seconds" not in text
    again = signed_in.get("/searches/new/?population=10&generations=x")
    assert again.context["networks"] == 1000  # what cannot be read counts as what the field begins with

    signed_in.force_login(stranger)
    assert "of this installation took" in signed_in.get("/searches/new/").content.decode()
    Run.objects.filter(pk=ended.pk).update(status=Run.Status.FAILED)
    nothing = signed_in.get("/searches/new/").content.decode()
    assert "How long that takes is not known: no search has ended here yet." in nothing


def test_forecasts_take_as_many_queries_for_many_trainings_as_for_few(
    signed_in: Client, owner: Team, search: Search, django_assert_max_num_queries: Callable[..., object]
) -> None:
    space, known = search.predictor.space.load(), dataset("digits")
    for seed in range(4):
        model = start_model(owner=owner, network=best_of(search), recipe="seconds-final", seed=seed)
        Epoch.objects.create(model=model, number=1, loss=1.0, seconds=1.0)
    assert TrainedModel.objects.count() == 4
    with django_assert_max_num_queries(2):
        assert pace_of(owner, space, known) is not None
