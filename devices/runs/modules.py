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
    waiting = list(found)
    while waiting:
        new = [one for one in _imports(waiting.pop(0)) if one not in found and one != name]
        found |= dict.fromkeys(new)
        waiting += new
    return tuple(found)


def _imports(name: str) -> list[str]:
    path = finders.find(name)
    if path is None:
        return []
    folder = posixpath.dirname(name)
    source = Path(path).read_text(encoding="utf-8")
    return [posixpath.normpath(posixpath.join(folder, one)) for one in IMPORT.findall(source)]
