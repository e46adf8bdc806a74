"""An architecture as a plain record."""

from __future__ import annotations

import json

from hypothesis import given

from devices.operators import Operator
from search.spaces import Architecture, SearchSpace, describe
from tests.search.spaces.examples import individuals


@given(individuals())
def test_a_description_adds_up_and_is_json(drawn: tuple[SearchSpace, tuple[int, ...]]) -> None:
    architecture = Architecture(*drawn)
    record = json.loads(json.dumps(describe(architecture)))
    assert record["genes"] == architecture.values
    assert record["parameters"] == sum(operator["parameters"] for operator in record["operators"])
    assert record["multiply_adds"] == sum(operator["multiply_adds"] for operator in record["operators"])
    assert [Operator.parse(operator["key"]) for operator in record["operators"]] == [
        layer.operator for layer in architecture.layers
    ]
