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
    interval,
    milliseconds,
    percent,
    status,
)

STATUSES = ("queued", "running", "paused", "succeeded", "failed", "cancelled", "fresh", "stale", "none")


def test_no_value_and_zero_look_different() -> None:
    for say in (amount_in_ms, compact_number, count, duration, milliseconds, percent):
        assert say(None) == "–"
        assert say(0.0).startswith("0")


def test_an_interval_says_a_shared_unit_once() -> None:
    assert interval(0.0751, 0.0776, "ms") == "0.0751 to 0.0776\xa0ms"
    assert interval(0.848, 0.855, "%") == "84.8 to 85.5\xa0%"
    assert interval(900, 2_000_000, "bytes") == "900\xa0bytes to 1.9\xa0MB"
    assert interval(9_594, 12_000, "") == "9,594 to 12\xa0k"


def test_small_times_are_written_out() -> None:
    assert milliseconds(1e-6) == "0.000001 ms"
    assert milliseconds(0.07694) == "0.0769 ms"
    assert milliseconds(431.6) == "432 ms"


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
