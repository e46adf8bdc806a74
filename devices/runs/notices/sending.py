"""Sending what is owed: each notice by one worker at a time, again after failures, never after a success."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F, QuerySet
from django.utils import timezone

from devices.runs.announce import announce_notices
from devices.runs.models import Notice, NoticeSettings
from devices.runs.notices import webhook

logger = logging.getLogger(__name__)

WAITS = (
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
)
"""How long after each failed try the next one is made; after one more the notice has failed."""
SENDING_TAKES = timedelta(minutes=2)
"""So long a worker has a notice to itself."""
SWEPT_AT_ONCE = 100


class NotSentError(Exception):
    """A try failed. `final` when another one is of no use."""

    def __init__(self, reason: str, *, answer: int | None = None, final: bool = False) -> None:
        super().__init__(reason)
        self.answer, self.final = answer, final


def send(notice_id: UUID | str) -> bool:
    """Makes one try at a notice that is due. False when there was nothing to take."""
    notice = _claim(notice_id)
    if notice is None:
        return False
    try:
        _check_target(notice)
        answer = SENDERS[notice.channel](notice)
    except NotSentError as error:
        _put_off(notice, error)
    else:
        _settle(notice, Notice.Status.SENT, answer=answer, problem="")
    return True


def sweep() -> int:
    """Tells the workers of notices that are due, however their announcements were lost; how many."""
    due = Notice.objects.filter(status=Notice.Status.PENDING, due_at__lte=timezone.now())
    found = list(due.order_by("due_at").values_list("pk", flat=True)[:SWEPT_AT_ONCE])
    announce_notices(found)
    return len(found)


def _claim(notice_id: UUID | str) -> Notice | None:
    now = timezone.now()
    found: Notice | None = Notice.objects.filter(
        pk=notice_id, status=Notice.Status.PENDING, due_at__lte=now
    ).first()
    if found is None:
        return None
    taken = Notice.objects.filter(
        pk=found.pk, status=Notice.Status.PENDING, tries=found.tries, due_at__lte=now
    ).update(tries=F("tries") + 1, due_at=now + SENDING_TAKES)
    found.tries += 1
    return found if taken else None


def _put_off(notice: Notice, error: NotSentError) -> None:
    logger.warning("notice %s: try %s failed: %s", notice.pk, notice.tries, error)
    facts = {"answer": error.answer, "problem": str(error)[:300]}
    if error.final or notice.tries > len(WAITS):
        _settle(notice, Notice.Status.FAILED, **facts)
    else:
        _mine(notice).update(due_at=timezone.now() + WAITS[notice.tries - 1], **facts)


def _settle(notice: Notice, status: str, **facts: object) -> None:
    _mine(notice).update(status=status, settled_at=timezone.now(), **facts)


def _mine(notice: Notice) -> QuerySet[Notice]:
    """The notice, unless another worker took it meanwhile."""
    return Notice.objects.filter(pk=notice.pk, status=Notice.Status.PENDING, tries=notice.tries)


def _check_target(notice: Notice) -> None:
    """Raises NotSentError where the owner no longer wants to be told there."""
    wanted = NoticeSettings.objects.filter(owner=notice.owner_id).first()
    if wanted is None or wanted.targets.get(notice.channel) != notice.target:
        raise NotSentError("The address was changed before it was reached.", final=True)


def _post(notice: Notice) -> int:
    secret = NoticeSettings.objects.values_list("webhook_secret", flat=True).get(owner=notice.owner_id)
    try:
        return webhook.post(
            notice.target, notice.payload, secret=secret, private=settings.WEBHOOK_PRIVATE_ADDRESSES
        )
    except webhook.WebhookError as error:
        raise NotSentError(str(error), answer=error.status, final=error.refused) from error


def _mail(notice: Notice) -> int | None:
    facts = notice.payload
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    subject = " ".join(f"{facts['title']}: {facts['status']}".split())
    message = EmailMessage(
        subject=subject,
        body=mail_text(facts),
        to=[notice.target],
        # A mail that is sent twice, because a worker was lost in between, is the same mail.
        headers={"Message-ID": f"<{notice.pk}@{host}>", "Auto-Submitted": "auto-generated"},
    )
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        raise NotSentError(f"The mail server takes nothing for {notice.target}.", final=True) from error
    except (smtplib.SMTPException, OSError) as error:
        raise NotSentError(f"The mail server did not take it: {type(error).__name__}.") from error
    return None


def mail_text(facts: dict[str, str | None]) -> str:
    """The body of a mail: what ended and how, when, and where to look."""
    words = {"succeeded": "has finished", "failed": "failed", "cancelled": "was cancelled"}
    lines = [f"{facts['title']} {words.get(str(facts['status']), facts['status'])}."]
    if facts["reason"]:
        lines += ["", f"Why: {facts['reason']}"]
    lines += [""] + [
        f"{label}: {str(facts[name])[:19].replace('T', ' ')}"
        for label, name in (("Started", "started"), ("Finished", "finished"))
        if facts[name]
    ]
    return "\n".join([*lines, "", f"{facts['url']}", ""])


SENDERS: dict[str, Callable[[Notice], int | None]] = {
    Notice.Channel.EMAIL: _mail,
    Notice.Channel.WEBHOOK: _post,
}
"""What makes one try by each channel and gives the HTTP status of the answer, where there is one."""
