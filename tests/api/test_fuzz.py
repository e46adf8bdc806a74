"""Whatever is sent, the API answers: nothing that the document allows, or forbids, ends in a server error.

`API_FUZZ_EXAMPLES=150 pytest tests/api/test_fuzz.py -s` asks for more than ten thousand requests and counts.
"""

from __future__ import annotations

import collections
import os
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from schemathesis.generation import GenerationMode

from chamnet_web.accounts.models import User
from tests.api.conftest import Scene, token_of

EXAMPLES = int(os.environ.get("API_FUZZ_EXAMPLES", "4"))
# These look at every operator of every space.
SLOW = frozenset(
    {"list_coverage", "list_spaces", "get_space", "build_latency_table", "complete_latency_table"}
)


@pytest.mark.django_db
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfit"])
def test_no_request_ends_in_a_server_error(
    scene: Scene, owner: User, settings: Any, mode: GenerationMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.API_REQUESTS_PER_MINUTE = 10**6
    answers: collections.Counter[int] = collections.Counter()
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application())
    tokens = {True: scene.device_token, False: token_of(owner)}
    for found in schema.get_all_operations():
        operation = found.ok()
        headers = {"Authorization": f"Bearer {tokens['/agent/' in operation.path]}"}
        known = {
            one.name: str(scene.objects[one.name])
            for one in operation.path_parameters
            if mode == GenerationMode.POSITIVE
        }
        try:
            strategy = operation.as_strategy(generation_mode=mode, path_parameters=known or None)
        except Exception as error:
            raise AssertionError(operation.label) from error
        name = operation.definition.raw["operationId"]
        ask_with(strategy, 1 + EXAMPLES // 10 if name in SLOW else EXAMPLES, headers, answers)
    print(mode, sum(answers.values()), "requests:", dict(sorted(answers.items())))
    assert answers.total() > 60


def ask_with(strategy: Any, count: int, headers: dict[str, str], answers: collections.Counter[int]) -> None:
    @examples(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def ask(case: Any) -> None:
        answer = case.call(headers=headers)
        answers[answer.status_code] += 1
        assert answer.status_code < 500, case.as_curl_command()
        if answer.status_code >= 400 and answer.status_code != 405:
            told = answer.json()
            assert set(told) == {"detail", "problems"}, case.as_curl_command()

    ask()
