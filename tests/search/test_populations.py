"""The populations of a search: the newest in its page, few of the others after it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from search.models import Generation, Search
from tests.search.test_explore import state_of

pytestmark = pytest.mark.django_db


def test_populations_in_a_page_are_bounded(signed_in: Client, search: Search) -> None:
    search.generation_rows.update(points=[[1.0, 0.9]] * 2000)
    state = state_of(signed_in.get(search.get_absolute_url()))
    newest = str(state["generations"][-1]["number"])
    assert {number: len(points) for number, points in state["population"]["points"].items()} == {newest: 2000}
    earlier = signed_in.get(state["replayed"]["address"]).json()
    assert len(earlier["points"]) > 1
    assert max(map(len, earlier["points"].values())) <= 200
    assert set(earlier["counts"].values()) == {2000}, "charts say of how many"
    assert earlier["counts"].keys() == earlier["points"].keys()


def test_a_long_search_replays_few_of_its_generations(signed_in: Client, search: Search) -> None:
    rows = [Generation(search=search, number=n, summary={}, points=[[1.0, 0.9]]) for n in range(1000, 1700)]
    Generation.objects.bulk_create(rows)
    earlier = signed_in.get(reverse("search-populations", args=[search.pk])).json()
    assert 30 <= len(earlier["points"]) <= 60
