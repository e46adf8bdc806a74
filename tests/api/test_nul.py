"""NUL and halves of characters in what is sent: PostgreSQL takes no text with them, so no statement may
have them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from django.db import connection

from tests.api.conftest import Caller, Scene, body_schema, every, least_body

pytestmark = pytest.mark.django_db
NUL = "a\0b.zip"
HALF = "a\ud800b.zip"


def bodies(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """The operation's smallest body with either in one field after the other, those that may be left out
    too."""
    least, schema = least_body(operation), body_schema(operation)
    values = (NUL, [NUL], {NUL: NUL}, {"x": {NUL: [NUL]}}, HALF, [{HALF: HALF}], {HALF: [HALF]})
    return [least | {name: value} for name in (schema or {}).get("properties", {}) for value in values]


def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    """What PostgreSQL does."""
    for value in filter(lambda one: isinstance(one, str), params or ()):
        with contextlib.suppress(ValueError):  # It is a text.
            value = json.loads(value)
        told = json.dumps(value, ensure_ascii=False)
        assert "\\u0000" not in told, (sql, told)
        assert told == told.encode(errors="replace").decode(), (sql, told)
    return execute(sql, params, many, context)


def test_no_statement_ever_has_them(caller: Caller, scene: Scene) -> None:
    agent, sent = Caller(scene.device_token), 0
    for method, path, operation in every(but=""):
        for body in bodies(operation):
            with connection.execute_wrapper(refuse):
                answer = (agent if "/agent/" in path else caller)(method, scene.path(path), body)
            assert answer.status_code < 500, (path, body)
            sent += 1
    assert sent > 100


def test_nul_is_refused_at_its_field(caller: Caller) -> None:
    upload = caller.post("/uploads", {"name": NUL, "size": 4}, 422)
    assert upload["problems"][0].startswith("name: ")
    asked = {"space": "chamnet-mobile-small", "dataset": NUL}
    assert caller.post("/predictors/estimate", asked, 422)["problems"][0].startswith("dataset: ")
