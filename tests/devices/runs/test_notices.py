"""The end of a run is told where its owner wants, once, whatever happens to workers."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chamnet_web.accounts.models import Team, User
from devices.runs import registry
from devices.runs.models import Notice, NoticeSettings, Run
from devices.runs.notices import sending
from devices.runs.notices.webhook import SIGNATURE, signature
from devices.runs.services import cancel, notify, retry
from devices.runs.writing import writing

pytestmark = pytest.mark.django_db
Begin = Callable[..., Run]


class Receiver(HTTPServer):
    """Keeps what was posted and answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 204
        self.location = ""
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hook?key=1"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((dict(self.headers), body))
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    with Receiver() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def wanted(owner: Team, settings) -> NoticeSettings:
    settings.EMAIL_IS_SET_UP = True
    return NoticeSettings.objects.create(owner=owner, sends_email=True, email="ada@example.com")


def end(run: Run, status: str = "succeeded") -> Run:
    with writing(run.pk) as writer:
        writer.start()
        if status == "succeeded":
            writer.succeed("Counted.")
        else:
            writer.fail("There is nothing to count.", mendable=True)
    return writer.run


def send_all() -> int:
    """Sends what is due as workers would; how many tries were made."""
    due = list(Notice.objects.filter(status=Notice.Status.PENDING, due_at__lte=timezone.now()))
    return sum(sending.send(notice.pk) for notice in due)


def make_due() -> None:
    Notice.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def test_an_end_is_mailed_once(begin: Begin, wanted: NoticeSettings, settings) -> None:
    settings.PUBLIC_URL = "https://chamnet.example"
    run = end(begin(), "failed")
    notice = Notice.objects.get()
    assert send_all() == 1
    make_due()
    assert not sending.send(notice.pk)
    (message,) = mail.outbox
    assert (message.to, message.subject) == (["ada@example.com"], "Toy: failed")
    assert "Why: There is nothing to count." in message.body
    assert f"https://chamnet.example/runs/{run.pk}/" in message.body
    notice.refresh_from_db()
    assert (notice.status, notice.tries, notice.problem) == (Notice.Status.SENT, 1, "")


def test_a_webhook_gets_signed_json(begin: Begin, wanted: NoticeSettings, receiver: Receiver) -> None:
    wanted.sends_email, wanted.webhook_url = False, receiver.url
    wanted.save()
    run = end(begin(), "failed")
    assert send_all() == 1
    ((headers, body),) = receiver.posts
    assert headers[SIGNATURE] == signature(wanted.webhook_secret, body)
    notice = Notice.objects.get()
    assert json.loads(body) == {
        "version": 1,
        "event": "run.ended",
        "notice": str(notice.pk),
        "run": str(run.pk),
        "kind": "toy",
        "title": "Toy",
        "status": "failed",
        "reason": "There is nothing to count.",
        "url": f"http://127.0.0.1:8000/runs/{run.pk}/",
        "started": run.started_at.isoformat() if run.started_at else None,
        "finished": run.finished_at.isoformat() if run.finished_at else None,
    }
    assert (notice.status, notice.answer) == (Notice.Status.SENT, 204)


@pytest.mark.parametrize(
    ("when", "override", "status", "told"),
    [
        ("always", "", "succeeded", 1),
        ("always", "", "failed", 1),
        ("failure", "", "succeeded", 0),
        ("failure", "", "failed", 1),
        ("never", "", "failed", 0),
        ("never", "always", "succeeded", 1),
        ("always", "failure", "succeeded", 0),
        ("always", "never", "failed", 0),
    ],
)
def test_a_run_says_otherwise_than_its_owner(
    begin: Begin, wanted: NoticeSettings, when: str, override: str, status: str, told: int
) -> None:
    wanted.when = when
    wanted.save()
    run = begin()
    notify(run, override)
    end(run, status)
    assert Notice.objects.count() == told


def test_nothing_is_owed_for_what_a_run_began_nor_for_what_was_over_at_once(
    begin: Begin, wanted: NoticeSettings, owner: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = begin()
    parent.steps.all().delete()
    end(begin(parent=parent))
    end(Run.objects.create(owner=owner, kind="toy", title="Imported"))
    monkeypatch.setitem(registry._kinds, "toy", registry.RunKind("toy", {}, "", notifies=False))
    end(begin())
    assert not Notice.objects.exists()


def test_a_run_that_is_tried_again_tells_its_second_end_too(begin: Begin, wanted: NoticeSettings) -> None:
    run = begin()
    cancel(run)
    run.refresh_from_db()
    assert retry(run)
    end(run)
    assert [notice.payload["status"] for notice in Notice.objects.order_by("end_seq")] == [
        "cancelled",
        "succeeded",
    ]


def test_the_notice_is_there_exactly_when_the_end_is(begin: Begin, wanted: NoticeSettings) -> None:
    run = begin()

    def end_and_break() -> None:
        with writing(run.pk) as writer:
            writer.succeed()
            raise RuntimeError("the worker is killed")

    with pytest.raises(RuntimeError):
        end_and_break()
    run.refresh_from_db()
    assert run.status == Run.Status.QUEUED
    assert not Notice.objects.exists()


def test_a_failed_try_is_made_again_later_and_later_and_then_given_up(
    begin: Begin, wanted: NoticeSettings, receiver: Receiver
) -> None:
    wanted.sends_email, wanted.webhook_url, receiver.status = False, receiver.url, 503
    wanted.save()
    end(begin())
    waits = []
    for _ in sending.WAITS:
        assert send_all() == 1
        assert send_all() == 0  # not due yet
        waits.append(Notice.objects.get().due_at - timezone.now())
        make_due()
    assert waits == sorted(waits)
    assert send_all() == 1
    notice = Notice.objects.get()
    assert (notice.status, notice.answer) == (Notice.Status.FAILED, 503)
    assert notice.problem == "127.0.0.1 answered with status 503."
    make_due()
    assert not sending.send(notice.pk)


def test_a_worker_killed_in_mid_sending_leaves_a_notice_that_falls_due_again(
    begin: Begin, wanted: NoticeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    end(begin())
    notice = Notice.objects.get()

    def die(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setitem(sending.SENDERS, "email", die)
        with pytest.raises(KeyboardInterrupt):
            sending.send(notice.pk)
    assert not sending.send(notice.pk)  # it may still be at work
    make_due()
    assert sending.sweep() == 1
    assert sending.send(notice.pk)
    assert len(mail.outbox) == 1


def test_a_worker_that_comes_back_late_settles_nothing(
    begin: Begin, wanted: NoticeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    end(begin())
    notice = Notice.objects.get()
    send = sending.SENDERS["email"]

    def slow(taken: Notice) -> None:
        make_due()
        monkeypatch.setitem(sending.SENDERS, "email", send)
        assert sending.send(taken.pk)
        raise sending.NotSentError("Too late.", final=True)

    monkeypatch.setitem(sending.SENDERS, "email", slow)
    sending.send(notice.pk)
    notice.refresh_from_db()
    assert (notice.status, notice.problem) == (Notice.Status.SENT, "")


def test_a_mail_server_that_is_away_is_asked_again(
    begin: Begin, wanted: NoticeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: object, **options: object) -> None:
        raise smtplib.SMTPServerDisconnected("away")

    end(begin())
    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", away)
    assert send_all() == 1
    notice = Notice.objects.get()
    assert (notice.status, notice.problem) == (
        Notice.Status.PENDING,
        "The mail server did not take it: SMTPServerDisconnected.",
    )


def post(client: Client, **changes: str) -> Any:
    return client.post(reverse("notices"), {"when": "failure"} | changes)


def test_a_person_sets_where_and_when_and_sees_the_secret_once(signed_in: Client, owner: Team) -> None:
    assert post(signed_in, webhook_url="https://example.com/hook").status_code == 302
    chosen = NoticeSettings.objects.get(owner=owner)
    assert (chosen.when, chosen.webhook_url) == ("failure", "https://example.com/hook")
    pages = [signed_in.get(reverse("notices")).content.decode() for _ in range(2)]
    assert [chosen.webhook_secret in page for page in pages] == [True, False]
    signed_in.post(reverse("notices-secret"))
    replaced = NoticeSettings.objects.get(owner=owner).webhook_secret
    assert replaced != chosen.webhook_secret
    pages = [signed_in.get(reverse("notices")).content.decode() for _ in range(2)]
    assert [replaced in page for page in pages] == [True, False]


def test_what_waits_for_an_address_that_was_changed_goes_nowhere(
    begin: Begin, wanted: NoticeSettings, receiver: Receiver
) -> None:
    NoticeSettings.objects.filter(pk=wanted.pk).update(sends_email=False, webhook_url=receiver.url)
    end(begin())
    (notice,) = Notice.objects.all()
    NoticeSettings.objects.filter(pk=wanted.pk).update(webhook_url=f"{receiver.url}&other=1")
    assert sending.send(notice.pk)
    notice.refresh_from_db()
    assert (notice.status, notice.problem) == ("failed", "The address was changed before it was reached.")
    assert receiver.posts == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"sends_email": "on", "email": ""}, "Enter the address that e-mails go to."),
        ({"sends_email": "on", "email": "ada"}, "Enter a valid email address."),
        ({"webhook_url": "ftp://example.com/"}, "Enter a valid URL."),
        ({"when": "sometimes"}, "Select a valid choice."),
    ],
)
def test_nonsense_is_said_beside_its_field(
    signed_in: Client, settings, changes: dict[str, str], complaint: str
) -> None:
    settings.EMAIL_IS_SET_UP = True
    response = post(signed_in, **changes)
    assert response.status_code == 422
    assert complaint in response.content.decode()
    assert not NoticeSettings.objects.exists()


def test_the_page_says_what_to_set_where_e_mail_is_not_set_up(signed_in: Client) -> None:
    page = signed_in.get(reverse("notices")).content.decode()
    assert "E-mail is not set up here." in page
    assert "EMAIL_URL" in page


def test_without_a_mail_server_nothing_is_owed_by_mail(
    begin: Begin, wanted: NoticeSettings, settings
) -> None:
    settings.EMAIL_IS_SET_UP = False
    end(begin())
    assert not Notice.objects.exists()


def test_a_test_goes_everywhere_and_the_page_shows_what_became_of_it(
    signed_in: Client, wanted: NoticeSettings, receiver: Receiver
) -> None:
    wanted.webhook_url = receiver.url
    wanted.save()
    receiver.status, receiver.location = 302, "http://169.254.169.254/"
    signed_in.post(reverse("notices-test"))
    assert send_all() == 2
    page = signed_in.get(reverse("notices")).content.decode()
    assert len(mail.outbox) == len(receiver.posts) == 1
    assert "HTTP 302" in page
    assert "Redirects are not followed" in page
    assert "A test of the team&#x27;s notices" in page


def test_other_peoples_notices_are_not_shown(
    client: Client, stranger: User, begin: Begin, wanted: NoticeSettings
) -> None:
    run = end(begin())
    client.force_login(stranger)
    assert "Toy" not in client.get(reverse("notices")).content.decode()
    assert client.post(reverse("run-notify", args=[run.pk]), {"notify": "never"}).status_code == 404


def test_the_page_asks_no_more_of_the_database_with_more_notices(
    signed_in: Client, begin: Begin, wanted: NoticeSettings, django_assert_max_num_queries
) -> None:
    for _ in range(4):
        end(begin())
    with django_assert_max_num_queries(6):
        signed_in.get(reverse("notices"))


def test_a_runs_own_choice_is_set_on_its_page(signed_in: Client, begin: Begin) -> None:
    run = begin()
    address = reverse("run-notify", args=[run.pk])
    assert signed_in.post(address, {"notify": "failure"}).status_code == 302
    assert signed_in.post(address, {"notify": "nonsense"}).status_code == 404
    run.refresh_from_db()
    assert run.notify == "failure"


def test_a_viewer_sees_that_notices_went_and_not_where_to(
    signed_in: Client, ada: User, wanted: NoticeSettings
) -> None:
    wanted.webhook_url = "https://hooks.example/a-secret-address"
    wanted.save()
    signed_in.post(reverse("notices-test"))
    assert "a-secret-address" in signed_in.get(reverse("notices")).content.decode()
    ada.memberships.update(role="viewer")
    page = signed_in.get(reverse("notices")).content.decode()
    assert "A test of the team" in page
    assert "a-secret-address" not in page
