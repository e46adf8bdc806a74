"""What the settings let go, goes; everything that a page or a step needs stays."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chamnet_web.accounts.models import Team
from chamnet_web.celery import app
from devices.kernels import keep_file
from devices.models import KernelFile
from devices.runs.models import Event, Run
from devices.runs.writing import writing
from search.models import ModelFile, Search, TrainedModel, Upload
from search.services import disk
from search.services.models import start_model
from search.tasks import prune_disk
from tests.search.world import best_of, finish

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("tiny_recipes")]
LONG_AGO = timedelta(days=400)


@pytest.fixture(autouse=True)
def places(tmp_path: Path, settings: Any) -> None:
    settings.DATASET_ROOT, settings.UPLOAD_ROOT = tmp_path / "datasets", tmp_path / "uploads"
    settings.MEDIA_ROOT = str(tmp_path / "files")


def age(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(finished_at=timezone.now() - LONG_AGO)


def keep(name: str, *, old: bool = True) -> str:
    saved = default_storage.save(name, ContentFile(b"x" * 100))
    if old:
        make_old(default_storage.path(saved))
    return saved


def make_old(path: str | Path) -> None:
    then = (timezone.now() - LONG_AGO).timestamp()
    os.utime(path, (then, then))


def removable() -> dict[str, int]:
    return {one.kind: one.removable for one in disk.holdings() if one.removable}


def test_an_old_history_is_shortened_once_and_its_page_and_log_stay_whole(
    search: Search, signed_in: Client
) -> None:
    run, page = search.run, reverse("search", args=[search.pk])
    before = signed_in.get(page).context
    kinds = list(run.events.values_list("kind", flat=True))
    assert removable() == {}
    age(run)
    disk.prune()
    events = list(run.events.order_by("seq"))
    assert {event.kind for event in events} == {"status", "shortened"}
    assert [event.kind for event in events].count("status") == kinds.count("status")
    (summary,) = (event for event in events if event.kind == "shortened")
    assert summary.data["generation"] == kinds.count("generation") > 0
    assert events[-1].seq == run.last_seq
    assert disk.prune()["events"] == 0
    after = signed_in.get(page)
    assert after.status_code == 200
    assert after.context["state"]["generations"] == before["state"]["generations"]
    log = signed_in.get(reverse("run-log", args=[run.pk])).content.decode()
    assert f"shortened generation={kinds.count('generation')}" in log
    assert "status=succeeded" in log


def test_what_a_shortened_history_gained_when_it_was_tried_again_is_shortened_too(search: Search) -> None:
    run = search.run
    age(run)
    disk.prune()
    with writing(run.pk) as writer:
        writer.progress(done=1)
        writer.progress(done=2)
    assert disk.prune()["events"] == 2
    events = list(run.events.order_by("seq"))
    assert [event.data["progress"] for event in events if event.kind == "shortened"][-1] == 2
    assert disk.prune()["events"] == 0


def test_histories_of_young_and_of_unfinished_runs_stay(search: Search, owner: Team, settings: Any) -> None:
    model = start_model(owner=owner, network=best_of(search), recipe="seconds-final", seed=0)
    with writing(model.run_id) as writer:
        writer.progress(done=1)
    age(model.run)
    events = Event.objects.count()
    assert disk.prune()["events"] == 0
    age(search.run)
    settings.RETAIN_EVENTS_DAYS = 0
    assert disk.prune()["events"] == 0
    assert Event.objects.count() == events


def test_checkpoints_go_when_their_training_is_over_for_long(search: Search, owner: Team) -> None:
    over, recent, at_work = (
        start_model(owner=owner, network=best_of(search), recipe="seconds-final", seed=seed)
        for seed in range(3)
    )
    for model in (over, recent, at_work):
        model.checkpoint = keep(f"checkpoints/{model.pk}/1.pt")
        model.save()
    finish(over.run)
    finish(recent.run)
    age(over.run)
    assert removable() == {"checkpoints": 1}
    assert disk.prune()["checkpoints"] == 1
    assert not default_storage.exists(str(over.checkpoint.name))
    for model in (recent, at_work):
        assert default_storage.exists(str(model.checkpoint.name))
    assert not TrainedModel.objects.get(pk=over.pk).checkpoint


def test_files_without_a_row_go_after_a_day_and_those_with_one_stay(
    search: Search, owner: Team, settings: Any
) -> None:
    model = start_model(owner=owner, network=best_of(search), recipe="seconds-final", seed=0)
    offered, lost, fresh = keep("models/a.pt"), keep("models/b.pt"), keep("models/c.pt", old=False)
    ModelFile.objects.create(model=model, format=ModelFile.Format.TORCHSCRIPT, file=offered)
    stray = Path(settings.DATASET_ROOT) / "reading-nobody"
    stray.mkdir(parents=True)
    (stray / "slice").write_bytes(b"x")
    make_old(stray)
    assert removable() == {"files without a row": 2}
    assert disk.prune()["files without a row"] == 2
    assert [default_storage.exists(name) for name in (offered, lost, fresh)] == [True, False, True]
    assert not stray.exists()


def test_files_for_agents_go_when_nothing_is_under_way(owner: Team, search: Search) -> None:
    row = keep_file("torchscript", "digest", b"a network")
    make_old(default_storage.path(str(row.file.name)))
    model = start_model(owner=owner, network=best_of(search), recipe="seconds-final", seed=0)
    assert disk.prune()["kernel files"] == 0
    finish(model.run)
    assert disk.prune()["kernel files"] == 1
    assert not KernelFile.objects.exists()
    assert not default_storage.exists(str(row.file.name))


def test_a_training_whose_disk_is_full_waits_and_ends_when_there_is_room(
    search: Search, owner: Team, work: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    model = start_model(owner=owner, network=best_of(search), recipe="seconds-final", seed=0)
    with monkeypatch.context() as crowded:
        crowded.setattr(type(default_storage), "save", full, raising=False)
        assert work(at_most=4) == 4
    run = Run.objects.get(pk=model.run_id)
    assert (run.status, run.message[:17]) == (Run.Status.RUNNING, "The disk is full.")
    assert not run.events.filter(kind="epoch").exists()
    work()
    run.refresh_from_db()
    assert run.status == Run.Status.SUCCEEDED, run.reason
    assert list(model.epochs.values_list("number", flat=True)) == [1, 2]


def test_uploads_that_were_left_go(owner: Team, settings: Any) -> None:
    Path(settings.UPLOAD_ROOT).mkdir()
    left, begun = (Upload.objects.create(owner=owner, name="a.zip", size=4) for _ in range(2))
    for upload in (left, begun):
        upload.path.write_bytes(b"x")
    Upload.objects.filter(pk=left.pk).update(created_at=timezone.now() - LONG_AGO)
    assert disk.prune()["uploads"] == 1
    assert (left.path.exists(), begun.path.exists()) == (False, True)


def test_the_command_says_what_there_is_and_a_dry_run_removes_nothing(
    capsys: pytest.CaptureFixture[str], db: None
) -> None:
    lost = keep("checkpoints/nobody/1.pt")
    call_command("disk", "--prune", "--dry-run")
    assert "Would be removed: files without a row: 1." in capsys.readouterr().out
    assert default_storage.exists(lost)
    call_command("disk", "--prune")
    said = capsys.readouterr().out
    assert "Removed: files without a row: 1." in said
    assert [line.split()[0] for line in said.splitlines() if line.startswith("checkpoints")] == [
        "checkpoints"
    ]
    assert not default_storage.exists(lost)


@pytest.mark.django_db(transaction=True)
def test_the_same_is_done_daily() -> None:
    lost = keep("models/b.pt")
    assert app.conf.beat_schedule["prune"]["task"] == prune_disk.name
    prune_disk()
    assert not default_storage.exists(lost)
