from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from search.training.accuracy import difference_of_means, wilson_interval


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


def test_the_gain_and_its_interval_are_welchs() -> None:
    first, second = [0.91, 0.93, 0.92, 0.95], [0.90, 0.89, 0.905]
    expected = ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    gain, low, high = difference_of_means(first, second, images=10**6)
    assert gain == pytest.approx(np.mean(first) - np.mean(second))
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_one_value_says_nothing_of_the_noise() -> None:
    gain, low, high = difference_of_means([0.9], [0.8, 0.81], images=360)
    assert gain == pytest.approx(0.095)
    assert (low, high) == (-math.inf, math.inf)


def test_trainings_that_agree_to_the_image_are_no_certainty() -> None:
    one_image = 1 / 360
    gain, low, high = difference_of_means([0.9 + one_image] * 2, [0.9] * 2, images=360)
    assert gain == pytest.approx(one_image)
    assert low < 0 < high
    clear, low, _ = difference_of_means([0.9] * 2, [0.5] * 2, images=360)
    assert 0 < low < clear


def test_the_interval_narrows_with_the_test_images_down_to_the_spread_of_the_trainings() -> None:
    first, second = [0.91, 0.912, 0.911], [0.90, 0.901, 0.902]
    widths = [
        high - low
        for _, low, high in (
            difference_of_means(first, second, images=n) for n in (100, 10_000, 10**6, 10**9)
        )
    ]
    assert widths[0] > widths[1] > widths[2]
    assert widths[2] == widths[3]


def test_all_images_right_or_none_at_all_are_no_certainty_either() -> None:
    gain, low, high = difference_of_means([1.0, 1.0], [1.0, 1.0], images=360)
    assert low < gain == 0.0 < high
    with pytest.raises(ValueError, match="no share"):
        difference_of_means([0.5, 0.5], [0.25, 0.25], images=0)
