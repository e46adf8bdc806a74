"""Sign in, sign out, and one's own account."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse_lazy
from django.utils.http import urlencode
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from chamnet_web.accounts import second_factor, teams
from chamnet_web.accounts.audit import refused
from chamnet_web.accounts.forms import CodeForm, NewPhoneForm, PasswordForm
from chamnet_web.accounts.middleware import user_of
from chamnet_web.accounts.models import Membership
from devices.exports import Export, export_asked


class SignIn(auth_views.LoginView):
    template_name = "accounts/sign_in.html"
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        if not second_factor.has_factor(user):
            return super().form_valid(form)
        second_factor.remember(self.request, user, user.backend)
        wanted = self.get_redirect_url()
        query = f"?{urlencode({'next': wanted})}" if wanted else ""
        return redirect(f"{resolve_url('second-factor')}{query}")


@login_not_required
@sensitive_post_parameters("code")
@require_http_methods(["GET", "POST"])
def second_step(request: HttpRequest) -> HttpResponse:
    """Asks whoever gave the right password for the second factor, and signs them in."""
    found = second_factor.remembered(request)
    if found is None:
        return redirect("sign-in")
    user, backend = found
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if second_factor.is_right(user, form.cleaned_data["code"]):
            second_factor.forget(request)
            login(request, user, backend=backend)
            return redirect(_where_to(request))
        form.add_error(
            "code", "This is not the code, or it was tried too often: wait a moment for the next one."
        )
    return render(request, "accounts/second_step.html", {"form": form}, status=422 if form.errors else 200)


class PasswordChange(auth_views.PasswordChangeView):
    template_name = "accounts/password_change.html"
    success_url = reverse_lazy("overview")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        form.user.password_is_one_time = False
        response = super().form_valid(form)
        messages.success(self.request, "Your password is changed.")
        return response

    def form_invalid(self, form: PasswordChangeForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


@require_GET
def account(request: HttpRequest) -> HttpResponseBase:
    """What there is to know of one's account, and what can be changed of it."""
    user = user_of(request)
    memberships = teams.memberships_of(user)
    if file := export_asked(request, lambda: {"teams": _teams_file(memberships)}):
        return file
    context = {
        "memberships": memberships,
        "has_factor": second_factor.has_factor(user),
        "password_form": PasswordForm(user=user),
    }
    return render(request, "accounts/account.html", context)


def _teams_file(memberships: Iterable[Membership]) -> Export:
    return Export(
        "teams",
        ("team", "role", "since"),
        lambda: ((one.team.name, one.role, one.since) for one in memberships),
    )


@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "POST"])
def factor_new(request: HttpRequest) -> HttpResponse:
    """Shows a secret to take into the phone, and turns the second factor on by the phone's first code.

    Another phone takes the place of the first one for whoever knows the password.
    """
    user, data = user_of(request), request.POST or None
    device = second_factor.unconfirmed(user)
    replaces = second_factor.has_factor(user)
    form = NewPhoneForm(data, user=user) if replaces else CodeForm(data)
    if request.method == "POST" and form.is_valid():
        codes = second_factor.confirm(device, form.cleaned_data["code"])
        if codes is not None:
            return render(request, "accounts/recovery_codes.html", {"codes": codes})
        form.add_error("code", "This is not the code: check the phone's clock, and give the newest one.")
    context: dict[str, Any] = {
        "form": form,
        "replaces": replaces,
        "picture": second_factor.picture(device),
        "address": device.config_url,
    }
    return render(request, "accounts/factor_new.html", context, status=422 if form.errors else 200)


@sensitive_post_parameters("password")
@require_POST
def factor_remove(request: HttpRequest) -> HttpResponse:
    """Turns the second factor off for whoever knows the password."""
    user = user_of(request)
    form = PasswordForm(request.POST, user=user)
    if form.is_valid():
        second_factor.turn_off(user)
        messages.success(request, "The second factor is off.")
    else:
        refused(request, "This is not your password: the second factor stays on.")
    return redirect("account")


@require_POST
def sign_out_everywhere(request: HttpRequest) -> HttpResponse:
    teams.end_sessions(user_of(request))
    return redirect("sign-in")


def _where_to(request: HttpRequest) -> str:
    """Where signing in without a second factor would have led."""
    view = SignIn()
    view.setup(request)
    return view.get_success_url()
