"""Building predictors: real trainings, whatever goes wrong with one of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from chamnet_web.accounts.models import AccessToken, Team, User
from devices.runs.models import Run
from devices.runs.services import stop_early
from devices.runs.writing import writing
from search.models import Predictor, Probe, Sample
from search.services.probes import how_right
from search.spaces import preset
from search.steps import predictor as steps
from search.training import datasets
from search.training.trainer import DivergedError
from tests.search.world import begin_predictor, tiny_space

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("tiny_recipes")]
Work = Callable[..., int]


@pytest.fixture
def begin(owner: Team) -> Callable[..., Predictor]:
    return partial(begin_predictor, owner)


def architectures(predictor: Predictor) -> list[str]:
    return list(predictor.proposals.order_by("index").values_list("sample__architecture_id", flat=True))


def ended(predictor: Predictor) -> Predictor:
    predictor.refresh_from_db()
    predictor.run.refresh_from_db()
    return predictor


def test_a_build_trains_its_budget_and_ends_with_a_fitted_predictor(
    begin: Callable[..., Predictor], work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object, **options: object) -> None:
        raise AssertionError("a build read the test images")

    monkeypatch.setattr(datasets, "load_test", never)
    predictor = begin()
    work()
    predictor = ended(predictor)
    assert (predictor.run.status, predictor.run.done) == (Run.Status.SUCCEEDED, 9), predictor.run.reason
    proposals = list(predictor.proposals.select_related("sample"))
    assert len(set(architectures(predictor))) == 9
    assert [proposal.chosen_for for proposal in proposals[:4]] == ["sobol"] * 4
    assert {proposal.chosen_for for proposal in proposals[6:]} <= {"exploration", "exploitation"}
    assert all(proposal.reason for proposal in proposals)
    assert all(0 < (proposal.sample.accuracy or 0) < 1 for proposal in proposals)
    epochs = [event.data for event in predictor.run.events.filter(kind="sample.epoch")]
    assert sorted(epoch["index"] for epoch in epochs) == list(range(9))
    assert all((epoch["epoch"], epoch["epochs"]) == (1, 1) for epoch in epochs)
    assert {epoch["index"]: [epoch["loss"]] for epoch in epochs} == {
        proposal.index: proposal.sample.losses for proposal in proposals
    }
    assert predictor.fitted is not None
    assert predictor.quality is not None
    assert len(predictor.quality["scatter"]) == 9
    assert predictor.quality_points.last().samples == 9


def test_the_same_seed_proposes_and_measures_the_same(
    begin: Callable[..., Predictor], work: Work, owner: Team, stranger: User
) -> None:
    first = begin(budget=7)
    work()
    twin = begin_predictor(stranger.teams.get(), name="Twin", budget=7)
    work()
    assert architectures(first) == architectures(twin)
    accuracies = [
        list(predictor.proposals.values_list("sample__accuracy", flat=True)) for predictor in (first, twin)
    ]
    assert accuracies[0] == accuracies[1]


def test_trainings_are_shared_between_predictors_of_one_owner(
    begin: Callable[..., Predictor], work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(budget=5)
    work()

    def never(*args: object, **options: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(steps, "_train", never)
    second = begin(name="Again", budget=5)
    work()
    assert ended(second).run.status == Run.Status.SUCCEEDED
    assert Sample.objects.count() == 5


def test_a_training_that_diverges_is_a_failed_sample_and_not_the_end(
    begin: Callable[..., Predictor], work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, real = [], steps.train

    def sometimes(*args: Any, **options: Any) -> Any:
        trained.append(1)
        if len(trained) in (2, 6):
            raise DivergedError(1, 3, "training loss")
        return real(*args, **options)

    monkeypatch.setattr(steps, "train", sometimes)
    predictor = begin()
    work()
    assert ended(predictor).run.status == Run.Status.SUCCEEDED
    failed = Sample.objects.filter(status=Sample.Status.FAILED)
    assert failed.count() == 2
    assert all("became infinite or not a number in epoch 1, step 3" in sample.reason for sample in failed)
    assert all(sample.accuracy is None for sample in failed)
    assert predictor.quality is not None
    assert len(predictor.quality["scatter"]) == 7


def test_a_training_that_keeps_crashing_is_a_failed_sample_too(
    begin: Callable[..., Predictor], work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = steps._train

    def crash_on_the_third(step: Any, predictor: Any, proposal: Any) -> Any:
        if proposal.index == 2:
            raise MemoryError("too large")
        return real(step, predictor, proposal)

    monkeypatch.setattr(steps, "_train", crash_on_the_third)
    predictor = begin()
    work()
    assert ended(predictor).run.status == Run.Status.SUCCEEDED
    lost = predictor.proposals.get(index=2).sample
    assert lost.status == Sample.Status.FAILED
    assert "failed 3 times: MemoryError: too large" in lost.reason


def test_trainings_that_all_reach_the_same_accuracy_end_with_what_to_do(
    begin: Callable[..., Predictor], work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "train", lambda *args, **options: SimpleNamespace(validation_accuracy=0.9))
    predictor = begin(budget=20)
    work()
    run = ended(predictor).run
    assert run.done == 20
    assert run.status == Run.Status.FAILED
    assert run.reason.startswith("All 20 networks reached the same accuracy, 90.00 %")
    assert "Choose a shorter recipe or a harder data set" in run.reason


def test_too_few_successes_fail_the_run_with_what_to_do(
    begin: Callable[..., Predictor], work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*args: Any, **options: Any) -> Any:
        raise DivergedError(1, 1, "training loss")

    monkeypatch.setattr(steps, "train", diverge)
    predictor = begin(budget=4)
    work()
    run = ended(predictor).run
    assert run.status == Run.Status.FAILED
    assert run.reason.startswith("Only 0 networks were trained without failing")
    assert "Choose a larger budget" in run.reason


def test_a_build_stops_when_its_error_is_small_enough(begin: Callable[..., Predictor], work: Work) -> None:
    predictor = begin(budget=30, stop_error=0.5)
    work()
    predictor = ended(predictor)
    assert predictor.run.status == Run.Status.SUCCEEDED
    assert 8 <= predictor.proposals.count() < 30
    said = [event.data["text"] for event in predictor.run.events.filter(kind="log")]
    assert any("small enough" in text for text in said)


def test_a_build_stops_when_its_time_is_over(begin: Callable[..., Predictor], work: Work) -> None:
    predictor = begin(budget=30, stop_minutes=1)
    work(at_most=10)
    Run.objects.filter(pk=predictor.run_id).update(started_at=timezone.now() - timedelta(minutes=2))
    work()
    predictor = ended(predictor)
    assert predictor.run.status == Run.Status.SUCCEEDED
    assert predictor.proposals.count() < 30


def test_a_larger_budget_continues_an_earlier_build(
    begin: Callable[..., Predictor], work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = begin(budget=7)
    work()
    trained: list[int] = []
    real = steps._train

    def count(step: Any, predictor: Any, proposal: Any) -> Any:
        trained.append(proposal.index)
        return real(step, predictor, proposal)

    monkeypatch.setattr(steps, "_train", count)
    later = begin(name="More", budget=10)
    work()
    assert architectures(later)[:7] == architectures(earlier)
    assert sorted(trained) == [7, 8, 9]


def test_a_fitted_predictor_knows_what_each_hyperparameter_does(
    begin: Callable[..., Predictor], work: Work
) -> None:
    predictor = begin()
    work()
    genes = ended(predictor).genes
    assert genes is not None
    varied = {gene.name for gene in tiny_space().genes if len(gene.choices) > 1}
    assert {gene["name"] for gene in genes} == varied
    shares = [gene["relevance"] for gene in genes]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1.0, abs=1e-3)
    for gene in genes:
        assert len(gene["mean"]) == len(gene["choices"])
        assert all(
            low <= mean <= high
            for low, mean, high in zip(*(gene[name] for name in ("low", "mean", "high")), strict=True)
        )


def test_stopping_early_keeps_a_usable_predictor_and_claims_no_more_than_was_trained(
    begin: Callable[..., Predictor], work: Work, signed_in: Client
) -> None:
    predictor = begin(budget=30)
    work(at_most=16)
    stop_early(predictor.run)
    work()
    predictor = ended(predictor)
    assert predictor.run.status == Run.Status.SUCCEEDED
    assert predictor.fitted is not None
    trained = predictor.proposals.count()
    assert 3 <= trained < 30
    assert predictor.run.done == predictor.run.total == trained
    (row,) = json.loads(b"".join(signed_in.get("/predictors/", {"format": "json"})))
    assert (row["samples"], row["budget"]) == (trained, 30)


def test_proposals_do_not_depend_on_the_order_in_which_trainings_end(
    begin: Callable[..., Predictor], work: Work, owner: Team, stranger: User
) -> None:
    """Newest step first instead of oldest: other trainings end first, the same are proposed."""
    in_order = begin(budget=8)
    work()
    reverse = begin_predictor(stranger.teams.get(), name="Reverse", budget=8)
    work(newest_first=True)
    assert ended(reverse).run.status == Run.Status.SUCCEEDED
    assert architectures(in_order) == architectures(reverse)


def test_a_space_smaller_than_the_budget_is_trained_whole(
    begin: Callable[..., Predictor], work: Work
) -> None:
    predictor = begin(budget=40)
    work()
    predictor = ended(predictor)
    assert predictor.run.status == Run.Status.SUCCEEDED
    assert predictor.budget == 32
    assert len(set(architectures(predictor))) == 32


def test_a_space_of_one_architecture_ends_with_a_sentence(
    begin: Callable[..., Predictor], work: Work
) -> None:
    one: dict[str, Any] = {
        "stage2.channels": (8,),
        "stage3.channels": (16,),
        "stage4.channels": (32,),
        "stage4.kernel": (3,),
        "head.channels": (64,),
    }
    predictor = begin(space=tiny_space(**one))
    work()
    assert ended(predictor).run.status == Run.Status.FAILED
    assert "Only 1 network was trained without failing: a predictor needs at least 3." in predictor.run.reason


def test_a_space_of_one_choice_a_gene_but_one_is_trained_whole(
    begin: Callable[..., Predictor], work: Work
) -> None:
    few: dict[str, Any] = {
        "stage2.channels": (8,),
        "stage3.channels": (16,),
        "stage4.channels": (32, 64, 96, 128),
        "stage4.kernel": (3,),
        "head.channels": (64,),
    }
    predictor = begin(space=tiny_space(**few))
    work()
    assert ended(predictor).run.status == Run.Status.SUCCEEDED, predictor.run.reason
    assert predictor.proposals.count() == 4


def test_a_build_is_estimated_before_and_compared_after(
    signed_in: Client, owner: Team, work: Callable[..., int]
) -> None:
    address = "/predictors/estimate/"
    asked = {"space": "chamnet-mobile-small", "dataset": "digits"}
    asked |= {"recipe": "seconds", "budget": "10"}
    script = {"Accept": "application/json"}
    assert signed_in.get(address, asked, headers=script).json() == {"running": False, "problem": ""}
    for _ in range(2):
        begun = signed_in.post(address, asked, headers=script).json()
        assert begun == {"running": True, "problem": ""}
    assert work() == 1
    found = signed_in.get(address, asked, headers=script).json()
    assert 0 < found["least"] <= found["sample"] <= found["most"]
    assert found["build"] == pytest.approx(found["sample"] * -(-10 // found["workers"]))
    assert (
        signed_in.post(address, {"space": "none"}, headers=script)
        .json()["problem"]
        .startswith("Choose a space")
    )

    predictor = begin_predictor(
        owner, space=preset("chamnet-mobile-small", classes=10, in_channels=1), budget=4, initial=4
    )
    work()
    right = how_right(predictor)
    assert right is not None
    assert right["estimated"] == pytest.approx(found["sample"])
    assert right["ratio"] > 0
    assert "Seconds a sample" in signed_in.get(predictor.get_absolute_url()).content.decode()


def test_an_estimate_is_asked_for_without_a_script_and_nothing_typed_is_lost(
    signed_in: Client, work: Callable[..., int]
) -> None:
    typed = {"name": "Typed", "space": "chamnet-res-small", "dataset": "digits", "recipe": "minutes"}
    typed |= {"budget": "10", "initial": "5", "seed": "7", "stop_minutes": "90"}
    page = signed_in.post("/predictors/estimate/", typed)
    assert "A few training steps are being timed." in page.content.decode()
    assert {name: page.context["form"][name].value() for name in typed} == typed
    assert 'method="post" action="/predictors/new/"' in page.content.decode(), "it starts where it did"
    Probe.objects.update(seconds=2.0, least_seconds=1.0, most_seconds=3.0)
    found = signed_in.post("/predictors/estimate/", typed).content.decode()
    assert "A sample takes about 2.0 s (1.0 s to 3.0 s); 10 samples" in found
    assert Probe.objects.count() == 1
    assert "Choose a space" in signed_in.post("/predictors/estimate/", typed | {"space": ""}).content.decode()


def test_a_timing_that_failed_says_why_and_can_be_begun_again(signed_in: Client, ada: User) -> None:
    asked = {"space": "chamnet-mobile-small", "dataset": "digits", "recipe": "seconds", "budget": "10"}
    signed_in.post("/predictors/estimate/", asked)
    with writing(Probe.objects.get().run_id) as writer:
        writer.start()
        writer.fail("The data set has no images of 8 pixels.")
    said = {"running": False, "problem": "The timing failed: The data set has no images of 8 pixels."}
    assert signed_in.get("/predictors/estimate/", asked).json() == said
    token = AccessToken.issue(user=ada, team=ada.teams.get(), name="a test", scope="read")[1]
    headers = {"Authorization": f"Bearer {token}"}
    facts = Client().get("/api/v1/predictors/estimate", asked, headers=headers).json()
    assert (facts["is_running"], facts["problem"]) == (False, said["problem"])
    again = signed_in.post("/predictors/estimate/", asked, headers={"Accept": "application/json"}).json()
    assert again == {"running": True, "problem": ""}
