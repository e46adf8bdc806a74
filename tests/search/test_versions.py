"""Predictors from samples that exist: imported, fitted anew, warm-started; and when a version is stale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from chamnet_web.accounts.models import Team, User
from devices.runs.models import Run
from search.forms import devices as device_forms
from search.forms import predictors as forms
from search.models import CostPredictor, Predictor, Sample, Search, TrainingRecipe
from search.queries import stale_predictors
from search.services.catalogue import remember_recipe
from search.services.predictors import predictor_features, predictor_model, start_predictor
from search.training.datasets import dataset
from tests.search.world import (
    begin_predictor,
    csv_of,
    energy_of,
    predictor_of,
    roomy_space,
    search_of,
    table_of,
    tiny_space,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("tiny_recipes")]
Work = Callable[..., int]


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "space_for", tiny_space)
    monkeypatch.setattr(
        device_forms, "measurable_spaces", lambda owner: {tiny_space().id: (tiny_space(), "tiny")}
    )


def file(text: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("trainings.csv", text.encode(), content_type="text/csv")


def accuracies(count: int = 12) -> str:
    return csv_of(tiny_space(), "accuracy_percent", lambda one: 60 + one.multiply_adds / 1e5, count)


IMPORT = {
    "name": "From the cluster",
    "space": "chamnet-mobile-small",
    "dataset": "digits",
    "origin": "the cluster, March",
}


def test_imported_trainings_become_a_predictor_that_searches_use(
    signed_in: Client, owner: Team, work: Work
) -> None:
    response = signed_in.post("/predictors/import/", IMPORT | {"file": file(accuracies())})
    assert response.status_code == 302, response.context["form"].errors
    work()
    predictor = Predictor.objects.get()
    assert predictor.run.status == Run.Status.SUCCEEDED, predictor.run.reason
    assert (predictor.origin, predictor.budget, predictor.run.done) == ("imported", 12, 12)
    assert Sample.objects.filter(status="succeeded", accuracy__gt=0.5, accuracy__lt=1).count() == 12
    page = signed_in.get(predictor.get_absolute_url()).content.decode()
    assert "the cluster, March" in page
    assert "Continue with more samples" not in page
    search = search_of(owner, predictor, table_of(owner, tiny_space()), work)
    assert search.run.status == Run.Status.SUCCEEDED, search.run.reason
    again = IMPORT | {"name": "Again", "file": file(accuracies())}
    assert signed_in.post("/predictors/import/", again).status_code == 302
    assert Sample.objects.count() == 12


def test_what_a_predictor_exports_can_be_imported(signed_in: Client, owner: Team, work: Work) -> None:
    first = predictor_of(owner, work)
    exported = b"".join(signed_in.get(f"/predictors/{first.pk}/samples.csv"))
    response = signed_in.post("/predictors/import/", IMPORT | {"file": file(exported.decode())})
    assert response.status_code == 302, response.context["form"].errors
    work()
    second = Predictor.objects.get(name=IMPORT["name"])
    kept = [
        sorted(one.proposals.values_list("sample__architecture_id", "sample__accuracy"))
        for one in (first, second)
    ]
    assert kept[0] == kept[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "The header needs one column for the value"),
        ("", "The submitted file is empty."),
        (accuracies(2), "A predictor needs at least 3 networks, not 2."),
        (
            csv_of(tiny_space(), "accuracy", lambda one: 0.5),
            "All accuracies are equal, so nothing can be learned from them.",
        ),
        (csv_of(tiny_space(), "accuracy", lambda one: float("nan")), "Line 2: accuracy is nan"),
    ],
)
def test_a_file_that_cannot_be_learned_from_is_refused_and_nothing_is_stored(
    signed_in: Client, text: str, said: str
) -> None:
    response = signed_in.post("/predictors/import/", IMPORT | {"file": file(text)})
    assert response.status_code == 422
    assert any(said in error for error in response.context["form"].errors["file"])
    for kind in (Predictor, Sample, Run, TrainingRecipe):
        assert not kind.objects.exists()


def test_bytes_that_are_no_text_are_refused(signed_in: Client) -> None:
    upload = SimpleUploadedFile("model.pt", b"PK\x03\x04\xff\xfe\x00\x80", content_type="text/csv")
    response = signed_in.post("/predictors/import/", IMPORT | {"file": upload})
    assert response.status_code == 422
    assert response.context["form"].errors["file"]


def test_a_warm_start_learns_from_the_source_and_its_search_works(owner: Team, work: Work) -> None:
    source = predictor_of(owner, work, samples=16)
    heir = begin_predictor(owner, name="Heir", budget=6, initial=4, seed=5, source=source)
    work()
    heir.refresh_from_db()
    assert heir.run.status == Run.Status.SUCCEEDED, heir.run.reason
    genes = tiny_space().sample(np.random.default_rng(0), 5)
    own, with_opinion = predictor_features(source)(genes), predictor_features(heir)(genes)
    assert with_opinion.shape == (5, own.shape[1] + 1)
    assert predictor_model(heir).X.shape[1] == own.shape[1] + 1
    search = search_of(owner, heir, table_of(owner, tiny_space()), work)
    assert search.run.status == Run.Status.SUCCEEDED, search.run.reason


def test_a_source_of_other_hyperparameters_is_refused(owner: Team, work: Work) -> None:
    other = predictor_of(owner, work, space=roomy_space())
    form = forms.PredictorForm(
        {
            "name": "Heir",
            "space": "chamnet-mobile-small",
            "dataset": "digits",
            "recipe": "seconds",
            "budget": "8",
            "initial": "4",
            "seed": "0",
            "source": other.pk,
        },
        owner=owner,
    )
    assert "which have other hyperparameters" in form.errors["source"][0]


def test_samples_trained_since_make_a_version_stale_until_it_is_fitted_to_them(
    signed_in: Client, owner: Team, work: Work
) -> None:
    first = begin_predictor(owner, budget=6, initial=4, seed=1)
    work()
    first.refresh_from_db()
    assert stale_predictors([first]) == {first.pk: []}
    start_predictor(
        owner=owner, name="More", space=tiny_space(), dataset="digits", recipe="seconds",
        budget=8, initial=8, seed=2,
    )  # fmt: skip
    work()
    known = set(first.proposals.values_list("sample__architecture_id", flat=True))
    every = set(Sample.objects.filter(status="succeeded").values_list("architecture_id", flat=True))
    (reason,) = stale_predictors([first])[first.pk]
    assert reason.startswith(f"{len(every - known)} network")
    page = signed_in.get(first.get_absolute_url()).content.decode()
    assert "This version is stale." in page
    assert "stale" in signed_in.get("/predictors/").content.decode()
    response = signed_in.post(f"/predictors/{first.pk}/refit/")
    work()
    again = Predictor.objects.get(origin="refitted")
    assert response.headers["Location"] == again.get_absolute_url()
    assert again.run.status == Run.Status.SUCCEEDED, again.run.reason
    assert again.budget == len(every)
    assert stale_predictors([again]) == {again.pk: []}
    signed_in.post(f"/predictors/{again.pk}/refit/")
    assert Predictor.objects.filter(origin="refitted").count() == 1


def test_a_preset_that_mirrors_images_where_the_data_set_allows_it_has_not_changed(
    owner: Team, work: Work
) -> None:
    predictor = predictor_of(owner, work)
    predictor.recipe = remember_recipe("seconds", replace(dataset("digits"), mirrors=True))
    predictor.save()
    assert predictor.recipe.load().flip
    assert stale_predictors([predictor]) == {predictor.pk: []}


def test_a_changed_recipe_or_data_set_makes_a_version_stale(owner: Team, work: Work) -> None:
    predictor = predictor_of(owner, work)
    predictor.dataset_checksum = "0" * 64
    predictor.save()
    TrainingRecipe.objects.filter(pk=predictor.recipe_id).update(name="minutes")
    predictor.refresh_from_db()
    reasons = stale_predictors([predictor])[predictor.pk]
    assert reasons[0].startswith("The recipe “minutes” has changed")
    assert "has changed since its samples were trained" in reasons[1]


def test_a_search_says_when_its_device_was_measured_again(
    search: Search, signed_in: Client, owner: Team
) -> None:
    assert "This search is stale." not in signed_in.get(search.get_absolute_url()).content.decode()
    newer = table_of(owner, search.predictor.space.load())
    page = signed_in.get(search.get_absolute_url()).content.decode()
    assert "This search is stale." in page
    assert newer.get_absolute_url() in page


def test_the_page_shows_how_far_intervals_can_be_believed(signed_in: Client, owner: Team, work: Work) -> None:
    predictor = predictor_of(owner, work)
    assert predictor.quality is not None
    levels, shares = zip(*predictor.quality["reliability"], strict=True)
    assert list(levels) == sorted(levels)
    assert list(shares) == sorted(shares)
    assert predictor.quality["leave_one_out"]["n"] == 12
    page = signed_in.get(predictor.get_absolute_url())
    assert "Leave-one-out" in page.content.decode()
    assert page.context["state"]["reliability"] == predictor.quality["reliability"]


def test_measured_energies_become_a_predictor_and_strangers_see_none_of_it(
    signed_in: Client, owner: Team, stranger: User, work: Work
) -> None:
    table = table_of(owner, tiny_space())
    text = csv_of(tiny_space(), "energy_uj", lambda one: 1e3 * one.multiply_adds**0.5, 20)
    address = f"/devices/{table.device.pk}/costs/new/"
    form: dict[str, Any] = {"space": tiny_space().id, "quantity": "energy", "meter": "USB meter, 1 mW"}
    response = signed_in.post(address, form | {"file": file(text)})
    assert response.status_code == 302, response.context["form"].errors
    work()
    energy = CostPredictor.objects.get()
    assert energy.run.status == Run.Status.SUCCEEDED, energy.run.reason
    assert energy.table == table
    assert energy.quality is not None
    page = signed_in.get(energy.get_absolute_url())
    assert "USB meter, 1 mW" in page.content.decode()
    assert len(page.context["state"]["scatter"]) == 20
    led_to = signed_in.get(energy.run.get_absolute_url())
    assert led_to.headers["Location"] == energy.get_absolute_url()
    assert "Energy, version 1" in signed_in.get(table.device.get_absolute_url()).content.decode()
    signed_in.force_login(stranger)
    assert signed_in.get(energy.get_absolute_url()).status_code == 404
    assert signed_in.get(address).status_code == 404
    assert signed_in.post(address, form | {"file": file(text)}).status_code == 404


@pytest.mark.parametrize("value", ["nan", "-1", "0", "inf"])
def test_energies_that_cannot_be_are_refused_with_their_line(
    signed_in: Client, owner: Team, value: str
) -> None:
    device = table_of(owner, tiny_space()).device
    text = csv_of(tiny_space(), "energy_mj", lambda one: float(value), 6)
    form = {"space": tiny_space().id, "quantity": "energy", "meter": "A meter", "file": file(text)}
    response = signed_in.post(f"/devices/{device.pk}/costs/new/", form)
    assert response.status_code == 422
    assert "Line 2: energy_mj is" in response.context["form"].errors["file"][0]
    assert not CostPredictor.objects.exists()


def test_energies_that_are_all_equal_fail_the_fit_with_a_sentence(owner: Team, work: Work) -> None:
    device = table_of(owner, tiny_space()).device
    energy = energy_of(owner, device, lambda: 0)
    energy.measurements = [[genes, 2.0] for genes, _ in energy.measurements]
    energy.save()
    work()
    energy.run.refresh_from_db()
    assert energy.run.status == Run.Status.FAILED
    assert "nothing can be learned" in energy.run.reason
