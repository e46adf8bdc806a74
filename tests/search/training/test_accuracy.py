from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.training.accuracy import wilson_interval


def test_the_interval_agrees_with_published_values() -> None:
    # Newcombe, Statistics in Medicine 1998, table I, method 3: 81/263, 15/148, 0/20.
    assert wilson_interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0.0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_the_interval_holds_the_accuracy_and_narrows_with_more_images(counts: tuple[int, int]) -> None:
    correct, count = counts
    low, high = wilson_interval(correct / count, count)
    assert 0.0 <= low <= correct / count + 1e-12
    assert correct / count - 1e-12 <= high <= 1.0
    narrow_low, narrow_high = wilson_interval(correct / count, 4 * count)
    assert narrow_high - narrow_low < high - low


@pytest.mark.parametrize(("accuracy", "count", "level"), [(0.5, 0, 0.95), (1.1, 10, 0.95), (0.5, 10, 1.0)])
def test_what_is_no_share_or_no_level_is_refused(accuracy: float, count: int, level: float) -> None:
    with pytest.raises(ValueError, match=r"no share|between 0 and 1"):
        wilson_interval(accuracy, count, level)
