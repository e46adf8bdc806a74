"""A page hints at every script that its own one imports."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

from devices.runs.modules import imported_by
from devices.runs.templatetags.runs import module

SCRIPTS = Path(settings.BASE_DIR) / "static"
PAGES = sorted(path.relative_to(SCRIPTS).as_posix() for path in SCRIPTS.glob("js/pages/*.js"))


@pytest.mark.parametrize("page", PAGES)
def test_all_that_is_imported_is_there_and_hinted_at_once(page: str) -> None:
    hinted = [page, *imported_by(page)]
    assert len(set(hinted)) == len(hinted)
    for name in hinted:
        source = SCRIPTS / name
        for other in re.findall(r'from "([^"]+)"', source.read_text()):
            assert (source.parent / other).resolve().relative_to(SCRIPTS).as_posix() in hinted


def test_the_script_stands_after_its_hints() -> None:
    html = module("js/pages/table.js")
    assert html.index('rel="modulepreload" href="/static/js/charts.js"') < html.index("<script")
    assert html.endswith('<script type="module" src="/static/js/pages/table.js"></script>')
