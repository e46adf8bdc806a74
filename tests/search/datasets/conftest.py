"""Where data sets of these tests lie, and images to bring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.search.training.ingestion.made import files, zip_of


@pytest.fixture(autouse=True)
def places(tmp_path: Path, settings: Any) -> None:
    settings.DATASET_ROOT, settings.UPLOAD_ROOT = tmp_path / "datasets", tmp_path / "uploads"


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    return zip_of(tmp_path / "pets.zip", files(3, 20)).read_bytes()
