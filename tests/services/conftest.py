from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.services.servers import MissingError, Postgres, Redis, Server


def started(kind: type[Server]) -> Server:
    """The server, running. Without its program the tests fail where they must run, and say so elsewhere."""
    try:
        server = kind()
    except MissingError as missing:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))
    server.start()
    return server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    server = started(Postgres)
    yield server
    server.end()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    server = started(Redis)
    yield server
    server.end()
