"""The character NUL in what is sent: PostgreSQL takes no text with it, so no statement may have it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection

from tests.api.conftest import Caller, Scene, body_schema, every, least_body

pytestmark = pytest.mark.django_db
NUL = "a\0b.zip"


def bodies(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """The operation's smallest body with NUL in one field after the other, those that may be left out too."""
    least, schema = least_body(operation), body_schema(operation)
    values = (NUL, [NUL], {NUL: NUL}, {"x": {NUL: [NUL]}})
    return [least | {name: value} for name in (schema or {}).get("properties", {}) for value in values]


def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    """What PostgreSQL does."""
    told = json.dumps(list(params or ()), default=str)
    assert "\\u0000" not in told, (sql, told)
    return execute(sql, params, many, context)


def test_no_statement_ever_has_it(caller: Caller, scene: Scene) -> None:
    agent, sent = Caller(scene.device_token), 0
    for method, path, operation in every(but=""):
        for body in bodies(operation):
            with connection.execute_wrapper(refuse):
                answer = (agent if "/agent/" in path else caller)(method, scene.path(path), body)
            assert answer.status_code < 500, (path, body)
            sent += 1
    assert sent > 100


def test_it_is_refused_at_its_field(caller: Caller) -> None:
    upload = caller.post("/uploads", {"name": NUL, "size": 4}, 422)
    assert upload["problems"][0].startswith("name: ")
    asked = {"space": "chamnet-mobile-small", "dataset": NUL}
    assert caller.post("/predictors/estimate", asked, 422)["problems"][0].startswith("dataset: ")
