"""What tests of every room use: two people, a signed-in browserless client, and a worker in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import hypothesis
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.db import connections
from django.test import Client

from chamnet_web.accounts.models import Team, User
from tests.working import work_until_idle

# How long an example takes says something of the machine, and nothing of what is tested.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first, then those that start processes, then the browser's."""
    items.sort(key=lambda item: ("services" in item.keywords) + 2 * ("browser" in item.keywords))


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """PostgreSQL drops no database with a connection, and the thread of asynchronous views keeps one."""
    yield
    asyncio.run(sync_to_async(connections.close_all)())


@pytest.fixture
def ada(db: None) -> User:
    return get_user_model().objects.create_user("ada", password="a long pass phrase")


@pytest.fixture
def owner(ada: User) -> Team:
    """The team that Ada owns: what tests make belongs to it."""
    return ada.teams.get()


@pytest.fixture
def stranger(db: None) -> User:
    return get_user_model().objects.create_user("eve", password="another pass phrase")


@pytest.fixture
def signed_in(client: Client, ada: User) -> Client:
    client.force_login(ada)
    return client


@pytest.fixture
def work() -> Callable[..., int]:
    return work_until_idle
