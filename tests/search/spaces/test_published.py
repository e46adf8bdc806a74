"""CSV files as papers and repositories have them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.spaces.published import PublishedError, read_published

PLAIN = ["model,width,top1,top5,phone_cpu_ms", "net_1.0,1.0,71.8,91.0,73.8", "net_0.5,0.5,65.4,86.4,28.4"]


def test_names_accuracies_in_percent_and_latencies_are_found() -> None:
    first, second = read_published(PLAIN)
    assert (first.label, first.accuracy, first.latency_ms) == ("net_1.0", pytest.approx(0.718), 73.8)
    assert second.label == "net_0.5"


def test_shares_and_other_units_are_understood() -> None:
    (found,) = read_published(["name,accuracy,latency_us", "a,0.93,1500"])
    assert (found.accuracy, found.latency_ms) == (0.93, 1.5)


def test_rows_with_gaps_are_left_out() -> None:
    found = read_published(["model,Top-1,ms", "a,70,5", "b,,5", "c,71,", "d,72,n/a", "e,nan,3"])
    assert [one.label for one in found] == ["a"]


def test_one_of_several_latencies_is_asked_for_and_taken() -> None:
    lines = ["variant,width_mult,top1,first_ms,second_ms", "large,1.0,75,51,61"]
    with pytest.raises(PublishedError, match="name one of first_ms, second_ms"):
        read_published(lines)
    (found,) = read_published(lines, "second_ms")
    assert (found.label, found.latency_ms) == ("large 1.0", 61.0)


@pytest.mark.parametrize(
    ("lines", "latency", "message"),
    [
        (["model,ms", "a,3"], "", "No column is called accuracy or top1; there are model, ms"),
        (["model,top1", "a,70"], "", "which is the latency"),
        (["model,top1,ms", "a,,3"], "", "No row has both"),
        (["model,top1,ms", "a,700,3"], "", "holds values above 100"),
        (["model,top1,ms", "a,70,3"], "gpu_ms", "is none of the columns of latencies: ms"),
        ([], "", "No column is called"),
        (["model,top1,ms", *["a,70,3"] * 2001], "", "more than 2,000 rows"),
    ],
)
def test_what_cannot_be_shown_says_why(lines: list[str], latency: str, message: str) -> None:
    with pytest.raises(PublishedError, match=message):
        read_published(lines, latency)


@given(st.lists(st.text(max_size=60), max_size=12), st.text(max_size=8))
def test_any_text_is_read_or_refused_with_a_sentence(lines: list[str], latency: str) -> None:
    try:
        found = read_published(lines, latency)
    except PublishedError:
        return
    assert all(0 < one.accuracy <= 1 and one.latency_ms > 0 for one in found)
