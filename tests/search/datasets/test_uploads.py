"""Data sets that are uploaded: pieces, what is refused, what is found on the way in."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image

from chamnet_web.accounts.models import Team, User
from devices.runs.models import Run
from devices.runs.services import cancel, pause, resume
from search.models import ImageSet, Upload
from search.services import datasets as services
from search.steps import dataset as steps
from search.training.ingestion import slices
from tests.search.datasets.bringing import Work, bring, send
from tests.search.training.ingestion.made import files, picture, zip_of

pytestmark = pytest.mark.django_db


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
        ({"name": "a.zip", "size": float("inf")}, "Name and size of the file are missing"),
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
