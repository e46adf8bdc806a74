"""Data sets of one's own: from the browser's pieces to networks trained on them."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse
from PIL import Image

from chamnet_web.accounts.models import Team, User
from devices.runs.models import Run
from devices.runs.services import cancel, pause, resume, retry
from search.models import ImageSet, Predictor, Sample, Upload
from search.services import datasets as services
from search.services.catalogue import measurable_spaces, space_for
from search.services.predictors import start_predictor
from search.spaces import preset
from search.steps import dataset as steps
from search.training import datasets as pure
from search.training.ingestion import slices
from tests.search.training.ingestion.made import files, folder_of, picture, zip_of

pytestmark = pytest.mark.django_db
Work = Callable[..., int]


@pytest.fixture(autouse=True)
def places(tmp_path: Path, settings: Any) -> None:
    settings.DATASET_ROOT, settings.UPLOAD_ROOT = tmp_path / "datasets", tmp_path / "uploads"


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    return zip_of(tmp_path / "pets.zip", files(3, 20)).read_bytes()


def send(client: Client, content: bytes, name: str = "pets.zip", chunk: int = 4000) -> str:
    """Uploads in pieces, as the browser does; the upload's id."""
    said = client.post(
        reverse("uploads"), json.dumps({"name": name, "size": len(content)}), content_type="application/json"
    )
    assert said.status_code == 201, said.content
    state = said.json()
    while state["received"] < len(content):
        piece = content[state["received"] : state["received"] + chunk]
        said = client.put(
            f"{state['url']}?offset={state['received']}", piece, content_type="application/octet-stream"
        )
        assert said.status_code == 200, said.content
        state = said.json()
    return str(state["id"])


def bring(client: Client, work: Work, content: bytes, **changes: Any) -> ImageSet:
    upload = send(client, content, changes.pop("file_name", "pets.zip"))
    response = client.post(reverse("dataset-new"), {"name": "Pets", "upload": upload, "size": 8} | changes)
    assert response.status_code == 302, response.content.decode()
    work()
    return ImageSet.objects.get(name=changes.get("name", "Pets"))


def test_an_uploaded_zip_becomes_a_data_set_with_its_page(
    signed_in: Client, archive: bytes, work: Work
) -> None:
    row = bring(signed_in, work, archive)
    assert row.run.status == Run.Status.SUCCEEDED, row.run.reason
    assert row.facts is not None
    assert (row.facts["train"], row.facts["validation"], row.facts["test"]) == (38, 10, 12)
    assert row.facts["checksum"].startswith(row.key or "?")
    assert not Upload.objects.exists()
    assert not row.workplace.exists()
    page = signed_in.get(row.get_absolute_url()).content.decode()
    for said in ("class0", "class1", "class2", row.facts["checksum"], "a fixed fifth of every class"):
        assert said in page
    strip = signed_in.get(reverse("dataset-samples", args=[row.pk, 1]))
    image = Image.open(io.BytesIO(strip.content))
    assert image.size == (8 * 8 + 7 * 2, 8)
    assert signed_in.get(reverse("dataset-samples", args=[row.pk, 7])).status_code == 404
    assert "Pets" in signed_in.get(reverse("datasets")).content.decode()


def test_an_upload_goes_on_where_it_stopped_and_doubled_pieces_count_once(
    signed_in: Client, archive: bytes
) -> None:
    announced = json.dumps({"name": "pets.zip", "size": len(archive)})
    first = signed_in.post(reverse("uploads"), announced, content_type="application/json").json()
    put: Callable[[int, bytes], Any] = lambda offset, piece: signed_in.put(  # noqa: E731
        f"{first['url']}?offset={offset}", piece, content_type="application/octet-stream"
    )
    assert put(0, archive[:1000]).json()["received"] == 1000
    assert put(0, archive[:1000]).json()["received"] == 1000  # the answer was lost, the piece comes again
    gap = put(5000, archive[5000:6000])
    assert (gap.status_code, gap.json()["received"]) == (409, 1000)
    again = signed_in.post(reverse("uploads"), announced, content_type="application/json")
    assert (again.status_code, again.json()["id"], again.json()["received"]) == (200, first["id"], 1000)
    beyond = put(1000, archive[1000:] + b"more")
    assert beyond.status_code == 409
    assert put(1000, archive[1000:]).json()["received"] == len(archive)
    assert Upload.objects.get().path.read_bytes() == archive


def test_a_file_sent_with_the_form_itself_works_too(signed_in: Client, archive: bytes, work: Work) -> None:
    file = SimpleUploadedFile("pets.zip", archive)
    signed_in.post(reverse("dataset-new"), {"name": "Pets", "file": file})
    work()
    row = ImageSet.objects.get()
    assert row.run.status == Run.Status.SUCCEEDED, row.run.reason
    assert row.facts is not None
    assert row.facts["size"] == 12


@pytest.mark.parametrize(
    ("announced", "message"),
    [
        ({"name": "a.tar", "size": 10}, "Choose a .zip"),
        ({"name": "a.zip", "size": 0}, "can be uploaded"),
        ({"name": "a.zip", "size": 10**15}, "can be uploaded"),
        ({"name": "a.zip"}, "Name and size of the file are missing"),
        ({"name": "a.zip", "size": "many"}, "Name and size of the file are missing"),
    ],
)
def test_uploads_that_cannot_be_are_refused(
    signed_in: Client, announced: dict[str, Any], message: str
) -> None:
    said = signed_in.post(reverse("uploads"), json.dumps(announced), content_type="application/json")
    assert said.status_code == 422
    assert message in said.json()["problem"]
    assert not Upload.objects.exists()


def test_the_page_and_the_api_find_the_upload_that_the_other_began(signed_in: Client) -> None:
    body = json.dumps({"name": "photos/all.zip", "size": 9})
    answers = [
        signed_in.post(address, body, content_type="application/json")
        for address in (reverse("uploads"), "/api/v1/uploads", reverse("uploads"))
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert Upload.objects.get().name == "all.zip"


def test_too_many_unfinished_uploads_are_refused_until_one_is_removed(signed_in: Client, owner: Team) -> None:
    for number in range(services.MOST_UNFINISHED):
        services.begin_upload(owner, f"{number}.zip", 100)
    said = signed_in.post(
        reverse("uploads"), json.dumps({"name": "x.zip", "size": 9}), content_type="application/json"
    )
    assert "several unfinished uploads" in said.json()["problem"]
    page = signed_in.get(reverse("dataset-new")).content.decode()
    assert "3.zip" in page
    one = Upload.objects.get(name="3.zip")
    signed_in.post(reverse("upload-drop", args=[one.pk]))
    assert not one.path.exists()
    assert send(signed_in, b"123456789", "x.zip")


def test_strangers_find_nothing(
    signed_in: Client, archive: bytes, work: Work, stranger: User, owner: Team
) -> None:
    row = bring(signed_in, work, archive)
    upload = services.begin_upload(owner, "more.zip", 100)
    signed_in.force_login(stranger)
    addresses = [
        row.get_absolute_url(),
        reverse("dataset-samples", args=[row.pk, 0]),
        reverse("upload", args=[upload.pk]),
    ]
    assert [signed_in.get(address).status_code for address in addresses] == [404, 404, 404]
    assert signed_in.post(reverse("dataset-remove", args=[row.pk])).status_code == 404
    assert signed_in.put(reverse("upload", args=[upload.pk]), b"x").status_code == 404
    taken = signed_in.post(reverse("dataset-new"), {"name": "Mine", "upload": upload.pk})
    assert "The upload is not complete" in taken.content.decode()


def bad_files(tmp_path: Path) -> dict[str, tuple[bytes, str]]:
    few = {"a/1.png": picture(1), "b/1.png": picture(2)}
    zips = {
        "one-class.zip": ({"a/1.png": picture(1)}, "at least two folders"),
        "few.zip": (few, "every class needs at least 5"),
        "way-out.zip": (few | {"../x/1.png": b""}, "leads out of the archive"),
    }
    return {"no-archive.zip": (b"nothing of the kind", "neither a zip file nor .npz")} | {
        name: (zip_of(tmp_path / name, content).read_bytes(), message)
        for name, (content, message) in zips.items()
    }


@pytest.mark.parametrize("name", ["no-archive.zip", "one-class.zip", "few.zip", "way-out.zip"])
def test_a_set_that_cannot_be_taken_in_says_why_and_leaves_nothing(
    signed_in: Client, work: Work, tmp_path: Path, name: str
) -> None:
    content, message = bad_files(tmp_path)[name]
    row = bring(signed_in, work, content, file_name=name)
    assert row.run.status == Run.Status.FAILED
    assert message in row.run.reason
    assert not row.workplace.exists()
    assert message in signed_in.get(row.get_absolute_url()).content.decode()


def test_the_same_images_twice_lead_to_where_they_are(signed_in: Client, archive: bytes, work: Work) -> None:
    bring(signed_in, work, archive)
    second = bring(signed_in, work, archive, name="Again")
    assert second.run.status == Run.Status.FAILED
    assert "This is the data set “Pets”, image for image" in second.run.reason


def test_two_people_share_files_not_rows(
    signed_in: Client, archive: bytes, work: Work, stranger: User, client: Client
) -> None:
    mine = bring(signed_in, work, archive)
    client.force_login(stranger)
    theirs = bring(client, work, archive, name="Theirs")
    assert theirs.place == mine.place
    client.post(reverse("dataset-remove", args=[theirs.pk]))
    assert not ImageSet.objects.filter(owner=stranger.teams.get()).exists()
    assert mine.place.exists()


def test_reading_can_be_paused_and_cancelled(
    signed_in: Client, archive: bytes, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "SLICE", 10)
    real = steps._ReadingProgress.__call__

    def pause_once(self: Any, images: int) -> None:
        if images == 20 and self._step.run.status == Run.Status.RUNNING:
            pause(self._step.run)
            self._step._checked_at = 0
        real(self, images)

    monkeypatch.setattr(steps._ReadingProgress, "__call__", pause_once)
    row = bring(signed_in, work, archive)
    assert row.run.status == Run.Status.PAUSED
    assert len(list(row.workplace.glob("slice-*.npz"))) == 2
    monkeypatch.setattr(steps._ReadingProgress, "__call__", real)
    resume(row.run)
    work()
    row.refresh_from_db()
    assert row.run.status == Run.Status.SUCCEEDED, row.run.reason

    upload = send(signed_in, zip_of(row.place.parent / "b.zip", files(2, 9)).read_bytes(), "b.zip")
    signed_in.post(reverse("dataset-new"), {"name": "Later", "upload": upload})
    later = ImageSet.objects.get(name="Later")
    cancel(later.run)
    assert not work()
    signed_in.post(reverse("dataset-remove", args=[later.pk]))
    assert not Upload.objects.exists()


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
    with pytest.raises(CommandError, match="nothing at"):
        call_command("register_dataset", str(tmp_path / "none"), name="Other", user="ada")


def test_problems_are_listed_on_the_page(signed_in: Client, work: Work, tmp_path: Path) -> None:
    content = files(3, 20, parts=("train/", "test/"))
    content["train/class0/leak.png"] = content["test/class0/0.png"]
    content["train/class0/broken.png"] = b"no image"
    content["notes.txt"] = b"hello"
    row = bring(signed_in, work, zip_of(tmp_path / "x.zip", content).read_bytes())
    page = signed_in.get(row.get_absolute_url()).content.decode()
    for said in ("is in the test part too", "could not be read", "broken.png: not an image", "notes.txt"):
        assert said in page
    assert "as the data set has it" in page
    assert np.load(row.place / "test.npy").sum() == 60
