"""The output warp: monotone, invertible, fitted through exact derivatives."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from search.predictors.warping import FloatArray, fitted_warp, robust_scale, warp

parameters = st.tuples(
    st.floats(-2.0, 2.0), st.floats(-1.5, 1.0), st.floats(-2.0, 2.0), st.floats(-1.5, 1.5)
).map(np.array)
values = arrays(np.float64, 12, elements=st.floats(-4.0, 4.0), unique=True)


@settings(max_examples=50)
@given(
    parameters=parameters, y=arrays(np.float64, 12, elements=st.floats(0.0, 1.0).map(lambda v: round(v, 4)))
)
def test_the_inverse_undoes_the_warp_and_keeps_the_order(parameters: FloatArray, y: FloatArray) -> None:
    y[:2] = 0.25, 0.75
    fitted = fitted_warp(y, np.ones(12, dtype=bool), parameters, (0.0, 1.0))
    z = fitted.forward(y)
    np.testing.assert_allclose(fitted.inverse(z), y, atol=1e-6)
    assert np.all(np.diff(z[np.argsort(y, kind="stable")]) >= 0.0)


@settings(max_examples=50)
@given(parameters=parameters, t=values)
def test_derivatives_agree_with_finite_differences(parameters: FloatArray, t: FloatArray) -> None:
    t += np.arange(12)  # no two values so close that standardising divides by next to nothing
    step = 1e-6
    found = warp(t, parameters)
    for index in range(4):
        shift = step * np.eye(4)[index]
        above, below = warp(t, parameters + shift), warp(t, parameters - shift)
        np.testing.assert_allclose(
            found.z_gradient[index], (above.z - below.z) / (2 * step), rtol=1e-4, atol=1e-5
        )
        slope = (above.log_jacobian - below.log_jacobian) / (2 * step)
        np.testing.assert_allclose(found.log_jacobian_gradient[index], slope, rtol=1e-4, atol=1e-4)


def test_the_slope_in_accuracy_units_is_the_derivative_of_the_warp() -> None:
    y = np.linspace(0.2, 0.9, 30) ** 2
    fitted = fitted_warp(y, np.ones(30, dtype=bool), np.array([0.5, -0.3, 0.2, 0.1]), None)
    slope = (fitted.forward(y + 1e-7) - fitted.forward(y - 1e-7)) / 2e-7
    np.testing.assert_allclose(fitted.log_slope(y), np.log(slope), atol=1e-5)


def test_predictions_never_leave_the_bounds_however_far_out_they_are_asked_for() -> None:
    fitted = fitted_warp(np.linspace(0.1, 0.9, 9), np.ones(9, dtype=bool), np.zeros(4), (0.0, 1.0))
    assert fitted.inverse(np.array([-1e9, 1e9])).tolist() == [0.0, 1.0]


def test_outliers_do_not_set_the_scale_and_many_equal_values_do_not_break_it() -> None:
    assert robust_scale(np.append(np.linspace(0.8, 0.9, 20), -1e6))[1] < 0.1
    assert robust_scale(np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.9]))[1] > 0.0
