"""Settings of what was begun: as a file, and from one into the form that begins another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from devices.runs.ownership import owner_of
from search.forms.reuse import REUSABLE, Reusable, free_name
from search.forms.settings_files import (
    MOST_BYTES,
    Filled,
    SettingsFileError,
    fill,
    read_settings,
    write_settings,
)

FILE = "settings_file"


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a form begins with.

    initial: by field. data: what was sent of the form itself, None while it is only being filled in.
    said: where the values come from. problems: what could not be taken, as sentences.
    """

    initial: dict[str, Any]
    data: Any
    said: str = ""
    problems: tuple[str, ...] = ()


def beginning(request: HttpRequest, kind: str, defaults: Mapping[str, Any] | None = None) -> Beginning:
    """From a settings file that was sent, from `?like=ID`, else from `defaults`, by default the address."""
    given = dict(request.GET.dict() if defaults is None else defaults)
    reusable = REUSABLE[kind]
    if request.method == "POST" and "fill" in request.POST:
        request.changes_nothing = True  # type: ignore[attr-defined]  # read by the audit trail
        return _from_file(request, kind, reusable, given)
    if request.method == "POST" or "like" not in request.GET:
        return Beginning(given, request.POST or None)
    row = _row(request, kind, request.GET["like"])
    settings = write_settings(kind, reusable.settings(row), {})["settings"]
    filled = _filled(request, reusable, settings)
    said = f"Filled in with the settings of “{row}”."
    return Beginning(given | filled.initial, None, said, tuple(filled.problems))


@require_GET
def settings_file(request: HttpRequest, kind: str, object_id: UUID) -> JsonResponse:
    """Everything that was set, by meaning, as a file that the same form takes back."""
    row = _row(request, kind, str(object_id))
    reusable = REUSABLE[kind]
    content = write_settings(kind, reusable.settings(row), reusable.about(row))
    response = JsonResponse(content, json_dumps_params={"indent": 2, "ensure_ascii": False})
    response.headers["Content-Disposition"] = f'attachment; filename="{kind}-{row.pk}-settings.json"'
    return response


def _from_file(request: HttpRequest, kind: str, reusable: Reusable, given: dict[str, Any]) -> Beginning:
    file = request.FILES.get(FILE)
    try:
        if file is None:
            raise SettingsFileError("Choose a settings file first.")
        if (file.size or 0) > MOST_BYTES:
            raise SettingsFileError("This is no settings file: it is larger than 1 MB.")
        filled = _filled(request, reusable, read_settings(file.read(), kind))
    except SettingsFileError as error:
        return Beginning(given, None, "", (str(error),))
    said = f"Filled in from {file.name}. Look it over, then start."
    return Beginning(given | filled.initial, None, said, tuple(filled.problems))


def _filled(request: HttpRequest, reusable: Reusable, settings: dict[str, Any]) -> Filled:
    filled = fill(reusable.form(owner=owner_of(request)), settings, reusable.formset)
    if name := filled.initial.get("name"):
        owned = reusable.rows().model.objects.filter(owner=owner_of(request))
        filled.initial["name"] = free_name(owned, str(name))
    return filled


def _row(request: HttpRequest, kind: str, row_id: str) -> Any:
    if kind not in REUSABLE:
        raise Http404("There are no settings of such a thing.")
    try:
        found = UUID(row_id)
    except ValueError:
        raise Http404("There is no such thing.") from None
    return get_object_or_404(REUSABLE[kind].rows().owned_by(owner_of(request)), pk=found)
