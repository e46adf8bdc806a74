"""What ES modules import."""

from __future__ import annotations

import posixpath
import re
from functools import cache
from pathlib import Path

from django.contrib.staticfiles import finders

IMPORT = re.compile(r'^(?:import|export)\b[^;]*?"(\.[^"]+)"', re.MULTILINE)


@cache
def imported_by(name: str) -> tuple[str, ...]:
    """Names of all static files that the module of this name needs, directly or not, nearest first."""
    found = dict.fromkeys(_imports(name))
    for one in list(found):
        found |= dict.fromkeys(imported_by(one))
    return tuple(found)


def _imports(name: str) -> list[str]:
    path = finders.find(name)
    if path is None:
        return []
    folder = posixpath.dirname(name)
    return [posixpath.normpath(posixpath.join(folder, one)) for one in IMPORT.findall(Path(path).read_text())]
