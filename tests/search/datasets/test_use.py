"""Data sets in use: networks are trained on them, also on built-in ones and folders of the server."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse

from chamnet_web.accounts.models import Team, User
from devices.runs.models import Run
from devices.runs.services import retry
from search.models import ImageSet, Predictor, Sample
from search.services import datasets as services
from search.services.catalogue import measurable_spaces, space_for
from search.services.predictors import start_predictor
from search.spaces import preset
from search.training import datasets as pure
from tests.search.datasets.bringing import Work, bring
from tests.search.training.ingestion.made import files, folder_of

pytestmark = pytest.mark.django_db


def own_predictor(owner: Team, row: ImageSet) -> Predictor:
    space = preset("chamnet-mobile-small", classes=3, in_channels=3)
    small = {gene.name: (gene.choices[0],) for gene in space.genes} | {
        "stage3.channels": (16, 32),
        "stage4.channels": (32, 64),
        "head.channels": (64, 128),
    }
    return start_predictor(
        owner=owner,
        name="Pets",
        space=preset("chamnet-mobile-small", classes=3, in_channels=3, **small),
        dataset=row.key or "",
        recipe="seconds",
        budget=4,
        initial=4,
        seed=0,
    )


@pytest.mark.usefixtures("tiny_recipes")
def test_networks_are_trained_on_it_and_see_no_test_image(
    signed_in: Client, owner: Team, archive: bytes, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = bring(signed_in, work, archive, mirrors=True)
    seen: list[pure.TrainingData] = []
    real = pure.load_training

    def watched(*args: Any, **kwargs: Any) -> pure.TrainingData:
        seen.append(real(*args, **kwargs))
        return seen[-1]

    def forbidden(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("The test images are for final models.")

    monkeypatch.setattr("search.steps.predictor.load_training", watched)
    monkeypatch.setattr(pure, "load_test", forbidden)
    predictor = own_predictor(owner, row)
    assert predictor.recipe.load().flip
    work()
    assert Sample.objects.filter(status="succeeded").count() == 4
    monkeypatch.undo()
    test = {image.tobytes() for image in pure.load_test(row.load()).pixels()}
    assert len(test) == 12
    for data in seen:
        for part in (data.train, data.validation):
            assert not {image.tobytes() for image in part.pixels()} & test

    kept = signed_in.post(reverse("dataset-remove", args=[row.pk]), follow=True).content.decode()
    assert "was trained on it, so it stays" in kept


@pytest.mark.usefixtures("tiny_recipes")
def test_a_build_whose_images_are_gone_fails_with_what_to_do_and_goes_on_when_they_are_back(
    owner: Team, tmp_path: Path, work: Work, settings: Any
) -> None:
    settings.DATASET_PACKED_MB = 0
    folder = folder_of(tmp_path / "pets", files(3, 20))
    row = services.start_import(owner=owner, name="Pets", path=folder, size=8)
    work()
    row.refresh_from_db()
    predictor = own_predictor(owner, row)
    away = shutil.move(folder, tmp_path / "away")
    work()
    run = predictor.run
    run.refresh_from_db()
    assert (run.status, run.can_retry) == (Run.Status.FAILED, True)
    assert run.reason.startswith(f"The folder of the data set, {folder}, is gone. Bring it back")
    assert not Sample.objects.filter(status__in=["succeeded", "failed"]).exists()
    shutil.move(away, folder)
    assert retry(run)
    work()
    run.refresh_from_db()
    assert Sample.objects.filter(status="succeeded").count() == 4, run.reason


def test_it_can_be_chosen_wherever_data_sets_are(
    signed_in: Client, owner: Team, archive: bytes, work: Work, stranger: User
) -> None:
    row = bring(signed_in, work, archive)
    form = signed_in.get(reverse("predictor-new")).content.decode()
    assert f'<option value="{row.key}">Pets</option>' in form
    ids = set(measurable_spaces(owner))
    assert space_for("chamnet-mobile-small", row.load()).id in ids
    assert space_for("chamnet-mobile-small", row.load()).id not in set(
        measurable_spaces(stranger.teams.get())
    )


def test_a_removed_set_says_what_to_do(owner: Team) -> None:
    with pytest.raises(ValueError, match="Bring it again under any name"):
        services.dataset_of(owner, "0" * 32)


def test_a_built_in_set_is_looked_at_but_for_its_test_images(
    signed_in: Client, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("The test images are for final models.")

    monkeypatch.setattr(pure, "load_test", forbidden)
    response = signed_in.post(reverse("dataset-inspect", args=["digits"]))
    work()
    row = ImageSet.objects.get()
    assert response.headers["Location"] == row.get_absolute_url()
    assert row.run.status == Run.Status.SUCCEEDED, row.run.reason
    page = signed_in.get(row.get_absolute_url()).content.decode()
    assert "not looked at" in page
    assert signed_in.get(reverse("dataset-samples", args=[row.pk, 9])).status_code == 200
    assert (
        signed_in.post(reverse("dataset-inspect", args=["digits"])).headers["Location"]
        == row.get_absolute_url()
    )
    assert signed_in.post(reverse("dataset-inspect", args=["nothing"])).status_code == 404
    assert ImageSet.objects.count() == 1


def test_administrators_register_folders_below_the_allowed_ones(
    client: Client, tmp_path: Path, settings: Any, work: Work, signed_in: Client
) -> None:
    folder = folder_of(tmp_path / "data" / "pets", files(3, 20))
    settings.DATASET_FOLDERS = [str(tmp_path / "data")]
    plain = signed_in.post(reverse("dataset-new"), {"name": "Pets", "path": str(folder)})
    assert "Choose a file." in plain.content.decode()
    client.force_login(User.objects.create_superuser("root", password="a long pass phrase"))
    for path, message in (
        ("/etc", "lie below"),
        (f"{tmp_path}/data/../secret", "lie below"),
        ("relative/path", "from the root"),
        (f"{tmp_path}/data/none", "There is nothing at"),
    ):
        said = client.post(reverse("dataset-new"), {"name": "Pets", "path": path})
        assert message in said.content.decode()
    client.post(reverse("dataset-new"), {"name": "Pets", "path": str(folder)})
    work()
    row = ImageSet.objects.get()
    assert row.run.status == Run.Status.SUCCEEDED, row.run.reason
    assert row.source == ImageSet.Source.SERVER


def test_a_folder_of_many_classes_does_not_flood_its_watchers(
    owner: Team, tmp_path: Path, work: Work
) -> None:
    folder = folder_of(tmp_path / "many", files(90, 5))
    row = services.start_import(owner=owner, name="Many", path=folder, size=8)
    work()
    said = [event.data["message"] for event in row.run.events.filter(kind="progress")]
    found = [one for one in said if "files found" in one]
    assert 3 < len(found) < 35
    assert len(said) < 150
    row.refresh_from_db()
    assert row.facts is not None
    assert len(row.facts["classes"]) == 90


def test_the_command_registers_what_lies_on_the_server(
    owner: Team, tmp_path: Path, work: Work, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path / "pets", files(3, 20))
    call_command("register_dataset", str(folder), name="Pets", user="ada", size=8)
    work()
    row = ImageSet.objects.get()
    assert str(row.pk) in capsys.readouterr().out
    assert row.run.status == Run.Status.SUCCEEDED, row.run.reason
    with pytest.raises(CommandError, match="already has"):
        call_command("register_dataset", str(folder), name="Pets", user="ada")
    with pytest.raises(CommandError, match="has 81 characters, more than 80"):
        call_command("register_dataset", str(folder), name="P" * 81, user="ada")
    with pytest.raises(CommandError, match="nothing at"):
        call_command("register_dataset", str(tmp_path / "none"), name="Other", user="ada")


def test_names_that_are_no_text_are_shown_as_far_as_they_are(
    owner: Team, signed_in: Client, work: Work, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path / "pets", files(3, 20))
    Path(os.fsdecode(os.fsencode(folder / "class0") + b"/br\xffken.png")).write_bytes(b"no image")
    Path(os.fsdecode(os.fsencode(folder) + b"/n\xfftes.txt")).write_bytes(b"hello")
    row = services.start_import(owner=owner, name="Pets", path=folder, size=8)
    work()
    row.refresh_from_db()
    assert row.run.status == Run.Status.SUCCEEDED, row.run.reason
    page = signed_in.get(row.get_absolute_url()).content.decode()
    assert "br\N{REPLACEMENT CHARACTER}ken.png: not an image" in page
    assert "n\N{REPLACEMENT CHARACTER}tes.txt" in page

    (folder / "class1").rename(os.fsdecode(os.fsencode(folder) + b"/cl\xffss"))
    refused = services.start_import(owner=owner, name="Pets again", path=folder, size=8)
    work()
    refused.run.refresh_from_db()
    assert refused.run.reason == "The name of the class “cl?ss” is no UTF-8 text. Rename it."
