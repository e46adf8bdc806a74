"""One way of running torch for all tests of this room, as a worker's child has it."""

from __future__ import annotations

import pytest

from search.training.process import prepare_process


@pytest.fixture(autouse=True, scope="session")
def _prepared() -> None:
    prepare_process(threads=1)
