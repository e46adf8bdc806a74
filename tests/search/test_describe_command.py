"""manage.py describe."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command


def describe(*arguments: str) -> str:
    out = io.StringIO()
    call_command("describe", *arguments, stdout=out)
    return out.getvalue()


def test_the_reference_is_described_as_json() -> None:
    record: dict[str, Any] = json.loads(describe("chamnet-mobile", "--reference", "--json"))
    assert record["parameters"] == 3_504_872
    assert record["multiply_adds"] == 300_774_272
    assert record["operators"][0]["key"] == "conv,in=3,out=32,size=224,kernel=3,stride=2,act=relu6"
    assert record["operators"][-1]["name"] == "classifier"


def test_genes_are_given_by_value_over_the_reference_or_by_index() -> None:
    by_value = json.loads(describe("chamnet-mobile-small", "--genes", '{"resolution": 8}', "--json"))
    assert by_value["genes"]["resolution"] == 8
    assert by_value["genes"]["stage4.channels"] == 64
    by_index = json.loads(describe("chamnet-res-small", "--genes", json.dumps([0] * 14), "--json"))
    assert by_index["genes"]["resolution"] == 8


def test_classes_and_image_channels_are_options() -> None:
    record = json.loads(
        describe("chamnet-res-small", "--reference", "--classes", "5", "--in-channels", "3", "--json")
    )
    assert (record["classes"], record["in_channels"]) == (5, 3)


def test_without_json_a_table_is_printed() -> None:
    text = describe("chamnet-res", "--reference")
    assert "25,557,032 parameters, 4,089,184,256 multiply-adds" in text.splitlines()[0]
    assert "stage4.block3.add" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing", "--reference"), '"nothing" is no preset space; choose one of chamnet-mobile'),
        (("chamnet-mobile", "--genes", "{"), "--genes is not JSON"),
        (("chamnet-mobile", "--genes", "3"), "--genes must be an object"),
        (("chamnet-mobile", "--genes", "[1, 2]"), "expected 30 genes"),
        (("chamnet-mobile", "--genes", '{"resolution": 97}'), "resolution: 97 is not a choice"),
        (("chamnet-mobile", "--genes", '{"resolution": [96]}'), "resolution: .* is not a choice"),
        (("chamnet-mobile", "--reference", "--classes", "0"), "classes: 0 is not a whole number"),
        (("chamnet-mobile",), "one of the arguments --reference --genes is required"),
    ],
)
def test_a_wrong_request_is_refused_with_the_reason(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        describe(*arguments)
