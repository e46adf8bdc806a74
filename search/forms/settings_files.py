"""The settings of a form as a file, and back into a form.

A file holds every setting by meaning: a number, a word, a list of numbers, or of a thing that was chosen its
id and its name, so that another installation which has a thing of that name understands it too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from django import forms

VERSION = 1
MOST_BYTES = 1_000_000


class SettingsFileError(Exception):
    """The file cannot be taken at all. The message is a sentence."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A thing that was chosen in a form: its id there, its name, and its page if it has one."""

    id: str
    name: str
    url: str = ""

    def as_json(self) -> dict[str, str]:
        return {"id": self.id, "name": self.name}


@dataclass(slots=True)
class Filled:
    """What a form begins with, and what could not be taken, as sentences."""

    initial: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def write_settings(kind: str, settings: Mapping[str, Any], about: Mapping[str, Chosen]) -> dict[str, Any]:
    """A settings file of one kind; `about` is what the settings were for, beside the form."""
    return {
        "version": VERSION,
        "kind": kind,
        "about": {name: chosen.as_json() for name, chosen in about.items()},
        "settings": {name: _as_json(value) for name, value in settings.items()},
    }


def read_settings(content: bytes, kind: str) -> dict[str, Any]:
    """The settings in a file. Raises SettingsFileError for a file that is none, or of another kind."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise SettingsFileError("This is no settings file: it is not JSON.") from None
    if not isinstance(found, dict) or not isinstance(found.get("settings"), dict):
        raise SettingsFileError("This is no settings file: it has no settings.")
    if found.get("version") != VERSION:
        raise SettingsFileError(
            f"The file is of version {str(found.get('version'))[:20]}; only version {VERSION} is read."
        )
    if found.get("kind") != kind:
        raise SettingsFileError(
            f"These are settings of a {str(found.get('kind'))[:20]}; this form begins a {kind}."
        )
    return cast("dict[str, Any]", found["settings"])


def fill(form: forms.Form, settings: Mapping[str, Any], rows: str = "") -> Filled:
    """What an unbound form begins with to mean these settings. `rows` names its formset, if it has one."""
    filled = Filled()
    for name, value in settings.items():
        if name == rows:
            filled.initial[name] = _fill_rows(getattr(form, rows), value, filled.problems)
        elif name not in form.fields:
            filled.problems.append(f"“{name[:40]}” is no setting of this form; it was left aside.")
        else:
            _fill_one(form, name, value, filled)
    return filled


def label_of(form_class: type[forms.Form], name: str) -> str:
    known = form_class.base_fields.get(name)
    return str(known.label if known and known.label else name.replace("_", " ").capitalize())


def _as_json(value: Any) -> Any:
    if isinstance(value, Chosen):
        return value.as_json()
    if isinstance(value, Mapping):
        return {name: _as_json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(one) for one in value]
    return value


def _fill_rows(formset: Any, rows: Any, problems: list[str]) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        problems.append("Its further rows are not a list of settings; they were left aside.")
        return []
    found = [fill(formset.empty_form, row) for row in rows[: formset.max_num]]
    for one in found:
        problems.extend(one.problems)
    return [one.initial for one in found if not one.problems]


def _fill_one(form: forms.Form, name: str, value: Any, filled: Filled) -> None:
    if value is None or value == "":
        filled.initial[name] = None
        return
    known = form.fields[name]
    try:
        filled.initial[name] = _taken(known, value)
    except forms.ValidationError as error:
        label = label_of(type(form), name)
        filled.problems += [f"{label}: {message}" for message in error.messages]


def _taken(known: forms.Field, value: Any) -> Any:
    """The value as the field begins with it. Raises ValidationError where it does not take it."""
    if isinstance(known, forms.BooleanField):
        if not isinstance(value, bool):
            raise forms.ValidationError("It is either true or false.")
        return value
    if isinstance(known, forms.ChoiceField):
        return _choice(known, value)
    if isinstance(value, list):
        value = " ".join(str(one) for one in value)
    if isinstance(value, dict):
        raise forms.ValidationError("It is a single value.")
    known.clean(value)
    return value


def _choice(known: forms.ChoiceField, value: Any) -> Any:
    """The key of a choice: that of the same id, else that of the same name."""
    wanted = value if isinstance(value, dict) else {"id": value, "name": value}
    ids, names = str(wanted.get("id")), str(wanted.get("name"))
    options = list(_options(known))
    for matches in (ids, names):
        for key, _ in options:
            if str(key) == matches:
                return key
    for key, label in options:
        if label == names:
            return key
    raise forms.ValidationError(f"“{names[:80]}” is not among what you can choose here. Choose one below.")


def _options(known: forms.ChoiceField) -> Iterator[tuple[Any, str]]:
    """Keys and labels, without groups and without the empty choice."""
    for key, label in cast("Any", known.choices):
        for one, text in label if isinstance(label, list | tuple) else [(key, label)]:
            plain = getattr(one, "value", one)
            if plain not in ("", None):
                yield plain, str(text)
