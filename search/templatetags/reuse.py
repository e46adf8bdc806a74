"""The card that shows what something was begun with."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import reverse

from search.forms.reuse import REUSABLE
from search.forms.settings_files import Chosen

register = template.Library()


@register.inclusion_tag("components/settings.html")
def settings_of(kind: str, row: Any) -> dict[str, Any]:
    """All settings of a row, its settings file, and the way to its form filled in. Nothing for a row that no
    form began, as an imported one."""
    if not row.form_url:
        return {}
    shown = [
        (label, value.name if isinstance(value, Chosen) else _text(value), getattr(value, "url", ""))
        for label, value in REUSABLE[kind].shown(row)
        if value not in (None, "")
    ]
    file_url = reverse("settings-file", args=[kind, row.pk])
    return {"shown": shown, "file_url": file_url, "form_url": row.form_url}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
