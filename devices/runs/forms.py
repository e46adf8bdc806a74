"""Forms about notices."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import URLValidator

from devices.runs.models import NoticeSettings, When


class NoticeForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """Where and when an owner is told of the ends of runs."""

    when = forms.ChoiceField(
        label="Tell of the end of a run",
        choices=When.choices,
        widget=forms.RadioSelect,
        help_text="Every run's page can say otherwise for that run.",
    )
    webhook_url = forms.URLField(
        label="Webhook",
        required=False,
        max_length=500,
        assume_scheme="https",
        validators=[URLValidator(schemes=["http", "https"])],
        help_text="JSON is posted to this address, signed with the team's secret. Empty: nothing is posted.",
        widget=forms.URLInput(attrs={"placeholder": "https://"}),
    )

    class Meta:
        model = NoticeSettings
        fields = ["when", "sends_email", "email", "webhook_url"]
        labels = {"sends_email": "Send an e-mail", "email": "E-mail address"}
        widgets = {"email": forms.EmailInput(attrs={"autocomplete": "email"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not settings.EMAIL_IS_SET_UP:
            del self.fields["sends_email"], self.fields["email"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("sends_email") and not cleaned.get("email") and "email" not in self.errors:
            self.add_error("email", "Enter the address that e-mails go to.")
        return cleaned


class RunNoticeForm(forms.Form):
    """When the end of one run is told."""

    notify = forms.ChoiceField(required=False, choices=[("", ""), *When.choices])
