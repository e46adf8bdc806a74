"""Forms of accounts and teams."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import BaseUserCreationForm

from chamnet_web.accounts.models import AccessToken, Membership, Team, User


class CodeForm(forms.Form):
    """A one-time code of the phone, or a recovery code."""

    code = forms.CharField(
        max_length=16,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}
        ),
        help_text="Six digits from your authenticator, or one of your recovery codes.",
    )

    def clean_code(self) -> str:
        return str(self.cleaned_data["code"]).replace(" ", "")


class PasswordForm(forms.Form):
    """Asks once more for the password, before something that weakens the account."""

    password = forms.CharField(widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        found = str(self.cleaned_data["password"])
        if not self.user.check_password(found):
            raise forms.ValidationError("This is not your password.")
        return found


class NewPhoneForm(PasswordForm, CodeForm):
    """The first code of a phone that takes another's place."""

    field_order = ("password", "code")


class JoinForm(BaseUserCreationForm):  # type: ignore[type-arg]  # generic in the stubs only
    """The account of somebody who was invited."""

    class Meta:
        model = User
        fields = ["username"]


class TeamForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    class Meta:
        model = Team
        fields = ["name"]


class InviteForm(forms.Form):
    role = forms.ChoiceField(
        choices=Membership.Role.choices,
        initial=Membership.Role.MEMBER,
        help_text="Viewers look; members start, change and end things; owners also decide who belongs.",
    )
    note = forms.CharField(
        max_length=80, required=False, label="For", help_text="Whom you will send the link to."
    )


class AccessTokenForm(forms.Form):
    """What a program that acts for a person may do, and for how long."""

    name = forms.CharField(max_length=80, help_text="Which program has it: “notebook on my laptop”.")
    scope = forms.ChoiceField(
        label="It may",
        choices=AccessToken.Scope.choices,
        initial=AccessToken.Scope.WRITE,
        help_text="Never more than you may in this team yourself.",
    )
    days = forms.TypedChoiceField(
        label="Valid for",
        choices=[("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("0", "until it is revoked")],
        initial="90",
        coerce=int,
    )


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Membership.Role.choices)
