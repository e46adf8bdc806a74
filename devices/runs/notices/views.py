"""The account page about notices."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from devices.exports import Export, export_asked
from devices.runs.forms import NoticeForm
from devices.runs.models import Notice
from devices.runs.models.notices import new_secret
from devices.runs.notices.owing import preferences_of, send_test, set_preferences
from devices.runs.notices.webhook import SIGNATURE
from devices.runs.ownership import owner_of

SHOWN = 20
NEW_SECRET = "new_webhook_secret"  # noqa: S105  (a key of the session, until it was shown)


@require_http_methods(["GET", "POST"])
def notices(request: HttpRequest) -> HttpResponseBase:
    """Settings of notices, and what became of the last ones."""
    chosen = preferences_of(owner_of(request))
    last = Notice.objects.filter(owner=chosen.owner_id).select_related("run")[:SHOWN]
    if file := export_asked(request, lambda: {"notices": _file_of(request, last)}):
        return file
    had_webhook = bool(chosen.webhook_url)
    form = NoticeForm(request.POST or None, instance=chosen)
    if request.method == "POST" and form.is_valid():
        chosen = set_preferences(owner_of(request), **form.cleaned_data)
        if chosen.webhook_url and not had_webhook:
            request.session[NEW_SECRET] = chosen.webhook_secret
        messages.success(request, "The team's notices are set.")
        return redirect("notices")
    saved = preferences_of(owner_of(request))
    context = {
        "form": form,
        "email_is_set_up": settings.EMAIL_IS_SET_UP,
        "targets": saved.targets,
        "webhook_url": saved.webhook_url,
        "new_secret": request.session.pop(NEW_SECRET, None),
        "signature": SIGNATURE,
        "notices": last,
    }
    return render(request, "accounts/notices.html", context, status=422 if form.errors else 200)


def _file_of(request: HttpRequest, notices: Iterable[Notice]) -> Export:
    """The last notices. Where they went stands in it for whoever may set it."""
    may_see = request.membership.may_change  # type: ignore[attr-defined]  # the middleware's
    head = (
        "about",
        "run",
        "status",
        "tries",
        "answer",
        "problem",
        "channel",
        "target",
        "created_at",
        "due_at",
    )
    return Export(
        "notices",
        head,
        lambda: (
            (
                one.payload.get("title"), one.run_id, one.status, one.tries, one.answer, one.problem,
                one.channel, one.target if may_see else None, one.created_at, one.due_at,
            )
            for one in notices
        ),
    )  # fmt: skip


@require_POST
def secret_new(request: HttpRequest) -> HttpResponse:
    """Replaces the secret; the page shown next is the only one that has its text."""
    request.session[NEW_SECRET] = secret = new_secret()
    set_preferences(owner_of(request), webhook_secret=secret)
    return redirect("notices")


@require_POST
def test(request: HttpRequest) -> HttpResponse:
    """Sends a notice of nothing to every place that is set."""
    if send_test(preferences_of(owner_of(request))):
        messages.success(request, "A test is on its way. Reload this page to see what became of it.")
    else:
        messages.error(request, "There is nowhere to send it: set an e-mail address or a webhook first.")
    return redirect("notices")
