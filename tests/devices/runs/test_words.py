"""Values as templates say them to people."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import render_to_string

from devices.runs.templatetags.runs import (
    amount,
    compact_number,
    count,
    duration,
    milliseconds,
    percent,
    status,
)

STATUSES = ("queued", "running", "paused", "succeeded", "failed", "cancelled", "fresh", "stale", "none")


def test_no_value_and_zero_look_different() -> None:
    for say in (amount_in_ms, compact_number, count, duration, milliseconds, percent):
        assert say(None) == "–"
        assert say(0.0).startswith("0")


def amount_in_ms(value: float | None) -> str:
    return amount(value, "ms")


@pytest.mark.parametrize("name", STATUSES)
def test_a_status_has_a_word_and_an_icon_that_exists(name: str) -> None:
    html = status(name)
    assert f"#{name}" in html
    assert f">{name.capitalize()}<" in html
    assert "data-run-status" not in html
    assert f'data-run-status="{name}"' in status(name, live=True)
    icons = (Path(settings.BASE_DIR) / "static" / "img" / "icons.svg").read_text()
    assert f'<symbol id="{name}"' in icons


def test_the_theme_is_chosen_before_anything_is_painted() -> None:
    head = render_to_string("base.html").partition("</head>")[0]
    assert head.index("js/theme") < head.index("stylesheet")
