"""The operator vocabulary: keys, shapes and counts."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.operators import KINDS, Operator

counts = st.integers(1, 4096)
activations = st.sampled_from(["none", "relu", "relu6"])


@st.composite
def operators(draw: st.DrawFn) -> Operator:
    """Any operator that a network can hold."""
    kind = draw(st.sampled_from(KINDS))
    channels = draw(counts)
    fields: dict[str, Any] = {
        "in_channels": channels,
        "out_channels": channels,
        "size": draw(st.integers(1, 300)),
    }
    if kind in ("conv", "linear"):
        fields["out_channels"] = draw(counts)
    if kind == "linear":
        fields["size"] = 1
    if kind in ("conv", "depthwise", "maxpool"):
        fields |= {"kernel": draw(st.sampled_from([1, 3, 5, 7])), "stride": draw(st.integers(1, 4))}
    if kind in ("conv", "depthwise", "add"):
        fields["activation"] = draw(activations)
    return Operator(kind, **fields)


def test_a_key_spells_every_field_in_a_fixed_order() -> None:
    operator = Operator("conv", 32, 64, size=56, activation="relu6")
    assert operator.key == "conv,in=32,out=64,size=56,kernel=1,stride=1,act=relu6"


@given(operators())
def test_a_key_parses_back_to_its_operator(operator: Operator) -> None:
    assert Operator.parse(operator.key) == operator


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "expected the fields in, out, size, kernel, stride, act"),
        ("conv", "expected the fields"),
        ("conv,in=3,out=8,size=8,kernel=3,stride=1", "expected the fields"),
        ("conv,out=8,in=3,size=8,kernel=3,stride=1,act=relu", "in this order"),
        ("conv,in=3,out=8,size=8,kernel=3,stride=1,act=relu,bias=1", "expected the fields"),
        ("conv, in=3,out=8,size=8,kernel=3,stride=1,act=relu", "expected the fields"),
        ("conv,in=03,out=8,size=8,kernel=3,stride=1,act=relu", "without leading zeros"),
        ("conv,in=3,out=-8,size=8,kernel=3,stride=1,act=relu", 'out is "-8"'),
        ("conv,in=3,out=8,size=0,kernel=3,stride=1,act=relu", 'size is "0"'),
        ("conv,in=3,out=8,size=8,kernel=3.0,stride=1,act=relu", 'kernel is "3.0"'),
        ("conv,in=3,out=8,size=8,kernel=3,stride=٣,act=relu", "stride is"),
        ("conv,in=3,out=8,size=8,kernel=4,stride=1,act=relu", "kernel must be odd"),
        ("conv,in=3,out=8,size=8,kernel=3,stride=1,act=swish", 'act "swish" is unknown'),
        ("conv,in=3,out=8,size=8,kernel=3,stride=1,act=relu=", 'act "relu=" is unknown'),
        ("deconv,in=3,out=8,size=8,kernel=3,stride=1,act=relu", 'kind "deconv" is unknown'),
        ("depthwise,in=3,out=8,size=8,kernel=3,stride=1,act=relu", "in and out must be equal"),
        ("linear,in=3,out=8,size=8,kernel=1,stride=1,act=none", "size must be 1"),
        ("avgpool,in=8,out=8,size=8,kernel=3,stride=1,act=none", "kernel and stride must be 1"),
        ("add,in=8,out=8,size=8,kernel=1,stride=2,act=none", "kernel and stride must be 1"),
        ("maxpool,in=8,out=8,size=8,kernel=3,stride=2,act=relu", "act must be none"),
    ],
)
def test_a_bad_key_is_refused_with_the_reason(key: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"^operator ") as caught:
        Operator.parse(key)
    assert reason in str(caught.value)
    assert f'"{key}"' in str(caught.value)


def test_an_operator_of_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        Operator("conv", 0, 8, size=8)


@given(operators())
def test_an_odd_window_with_half_its_kernel_as_padding_divides_the_size_rounding_up(
    operator: Operator,
) -> None:
    expected = 1 if operator.kind == "avgpool" else math.ceil(operator.size / operator.stride)
    assert operator.out_size == expected


@pytest.mark.parametrize(
    ("operator", "multiply_adds", "parameters"),
    [
        (
            Operator("conv", 3, 32, 224, kernel=3, stride=2, activation="relu6"),
            112**2 * 27 * 32,
            27 * 32 + 64,
        ),
        (Operator("depthwise", 96, 96, 112, kernel=3, stride=2), 56**2 * 9 * 96, 9 * 96 + 192),
        (Operator("linear", 1280, 1000, 1), 1_280_000, 1_281_000),
        (Operator("maxpool", 64, 64, 112, kernel=3, stride=2), 0, 0),
        (Operator("avgpool", 1280, 1280, 7), 0, 0),
        (Operator("add", 24, 24, 56), 0, 0),
    ],
    ids=lambda value: value.kind if isinstance(value, Operator) else "",
)
def test_counts_are_those_of_the_trainable_form(
    operator: Operator, multiply_adds: int, parameters: int
) -> None:
    assert operator.multiply_adds == multiply_adds
    assert operator.parameters == parameters


def test_memory_accesses_count_inputs_output_and_folded_weights_once() -> None:
    conv = Operator("conv", 8, 16, 10, kernel=3, stride=2)
    assert conv.input_elements == 8 * 100
    assert conv.output_elements == 16 * 25
    assert conv.memory_accesses == 8 * 100 + 16 * 25 + 9 * 8 * 16 + 16
    assert Operator("add", 8, 8, 10).memory_accesses == 3 * 8 * 100
    assert Operator("avgpool", 8, 8, 10).memory_accesses == 8 * 100 + 8
