from __future__ import annotations

from collections.abc import Callable

import pytest

from chamnet_web.accounts.models import Team
from search import queries
from search.models import Search
from search.services import catalogue
from tests.search.world import TINY_FINAL, TINY_RECIPE, predictor_of, roomy_space, search_of, table_of


@pytest.fixture
def tiny_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The presets "seconds" and "seconds-final" take no time."""
    recipes = {**catalogue.RECIPES, "seconds": TINY_RECIPE, "seconds-final": TINY_FINAL}
    for module in (catalogue, queries):
        monkeypatch.setattr(module, "RECIPES", recipes)


@pytest.fixture
def search(owner: Team, work: Callable[..., int]) -> Search:
    """A finished search of the owner's, with all that it stands on."""
    space = roomy_space()
    return search_of(owner, predictor_of(owner, work, space=space), table_of(owner, space), work)
