"""Static files: third-party files taken from npm packages, and hashed names that ES modules follow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.checks import CheckMessage, Error
from django.core.files.storage import FileSystemStorage, Storage
from whitenoise.storage import CompressedManifestStaticFilesStorage

# Served name -> file of an installed npm package. Source maps ride along: the hashed storage refuses a
# file that refers to one that is missing.
ANNOTATION = "chartjs-plugin-annotation"
VENDORED = {
    "vendor/bootstrap-reboot.min.css": "bootstrap/dist/css/bootstrap-reboot.min.css",
    "vendor/bootstrap-reboot.min.css.map": "bootstrap/dist/css/bootstrap-reboot.min.css.map",
    "vendor/chart.umd.min.js": "chart.js/dist/chart.umd.min.js",
    "vendor/chart.umd.min.js.map": "chart.js/dist/chart.umd.min.js.map",
    f"vendor/{ANNOTATION}.min.js": f"{ANNOTATION}/dist/{ANNOTATION}.min.js",
    "vendor/chartjs-plugin-zoom.min.js": "chartjs-plugin-zoom/dist/chartjs-plugin-zoom.min.js",
    "vendor/chartjs-chart-error-bars.umd.min.js": "chartjs-chart-error-bars/build/index.umd.min.js",
    "vendor/index.umd.min.js.map": "chartjs-chart-error-bars/build/index.umd.min.js.map",
}


class NodePackageFinder(BaseFinder):
    """Finds the files of VENDORED below node_modules, where `npm ci` put them."""

    def __init__(self, app_names: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.storage = _MappedStorage(location=Path(settings.BASE_DIR) / "node_modules")

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        missing = sorted(
            name for name, source in VENDORED.items() if not self.storage.source(source).exists()
        )
        if not missing:
            return []
        return [Error(f"Front-end files are missing: {', '.join(missing)}.", hint="Run `make install`.")]

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        source = VENDORED.get(path.replace(os.sep, "/"))
        found = str(self.storage.source(source)) if source else ""
        if find_all:
            return [found] if found else []
        return found

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, Storage]]:
        for name in VENDORED:
            yield name, self.storage


class _MappedStorage(FileSystemStorage):
    """Opens a served name from the package file it stands for."""

    prefix = ""

    def source(self, relative: str) -> Path:
        return Path(self.location) / relative

    def path(self, name: str) -> str:
        return str(self.source(VENDORED[name]))


class HashedModuleStorage(CompressedManifestStaticFilesStorage):
    """Hashed, compressed files in which one ES module's import of another names the hashed file too."""

    support_js_module_import_aggregation = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._urls: dict[tuple[str, bool], str] = {}

    def url(self, name: str | None, force: bool = False) -> str:
        """Worked out once: a page asks for dozens, and hashed names stay as long as the process."""
        key = name or "", force
        if key not in self._urls:
            self._urls[key] = super().url(name, force)
        return self._urls[key]
