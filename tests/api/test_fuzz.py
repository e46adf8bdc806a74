"""Whatever is sent, the API answers: nothing that the document allows, or forbids, ends in a server error.

`API_FUZZ_EXAMPLES=80 pytest tests/api/test_fuzz.py -s` sends more than ten thousand requests and counts them.
"""

from __future__ import annotations

import collections
import os
from typing import Any

import pytest
import requests
import schemathesis
from django.test import Client
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
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fit", "unfit"])
def test_no_request_ends_in_a_server_error(
    scene: Scene, ada: User, settings: Any, mode: GenerationMode
) -> None:
    settings.API_REQUESTS_PER_MINUTE = 10**6
    answers: collections.Counter[int] = collections.Counter()
    schema = schemathesis.openapi.from_dict(Client().get("/api/v1/openapi.json").json())
    tokens = {True: scene.device_token, False: token_of(ada)}
    try:
        for found in schema.get_all_operations():
            operation = found.ok()
            headers = {"Authorization": f"Bearer {tokens['/agent/' in operation.path]}"}
            described = operation.definition.raw
            known = {one.name: str(scene.objects[one.name]) for one in operation.path_parameters}
            reached = mode == GenerationMode.POSITIVE or "requestBody" in described
            strategy = operation.as_strategy(
                generation_mode=mode, path_parameters=known if known and reached else None
            )
            slow = described["operationId"] in SLOW
            ask_with(strategy, 1 + EXAMPLES // 10 if slow else EXAMPLES, headers, answers)
    finally:
        print(mode, answers.total(), "requests:", dict(sorted(answers.items())))
    assert answers.total() > 60


def ask_with(strategy: Any, count: int, headers: dict[str, str], answers: collections.Counter[int]) -> None:
    @examples(
        max_examples=count,
        derandomize=EXAMPLES <= 4,  # the same few requests in every run of the suite
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def ask(case: Any) -> None:
        answer = sent(case, headers)
        answers[answer.status_code] += 1
        assert answer.status_code < 500, case.as_curl_command()
        if answer.status_code >= 400:
            assert "json" in answer.headers["Content-Type"], case.as_curl_command()
            assert set(answer.json()) == {"detail", "problems"}, case.as_curl_command()

    ask()


def sent(case: Any, headers: dict[str, str]) -> Any:
    """The answer to what was thought up, sent as a client of HTTP would."""
    asked = requests.Request(**case.as_transport_kwargs(base_url="http://testserver")).prepare()
    body = asked.body or b""
    given = {name: str(value) for name, value in asked.headers.items() if name != "Accept-Encoding"}
    return Client(raise_request_exception=False).generic(
        str(asked.method),
        asked.path_url,
        body.encode() if isinstance(body, str) else body,
        content_type=given.get("Content-Type", "application/json"),
        headers=given | headers,
    )
