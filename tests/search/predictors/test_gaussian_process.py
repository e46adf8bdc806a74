"""The accuracy predictor through its public door."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from scipy.stats import norm, spearmanr
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from search.predictors import GaussianProcess
from tests.search.predictors.toy import FloatArray, accuracies, samples

X, Y = samples(60, 4, seed=1)
X_OTHER, Y_OTHER = samples(400, 4, seed=2)


@pytest.fixture(scope="module")
def model() -> GaussianProcess:
    return GaussianProcess.fit(X, Y, bounds=(0.0, 1.0))


def test_it_orders_networks_it_has_not_seen(model: GaussianProcess) -> None:
    mean, _ = model.predict(X_OTHER)
    assert spearmanr(mean, Y_OTHER).statistic > 0.97
    assert np.mean(np.abs(mean - Y_OTHER)) < 0.01


def test_predictions_agree_with_the_textbook_formula(model: GaussianProcess) -> None:
    K = model.kernel.covariance(model.U, model.U) + model.noise * np.eye(len(X))
    cross = model.cross_covariance(X_OTHER)
    solved = np.linalg.solve(K, cross.T)
    mean, deviation = model.latent(X_OTHER)
    np.testing.assert_allclose(mean, solved.T @ model.z, atol=1e-7)
    variance = model.kernel.variance - np.einsum("ij,ji->i", cross, solved)
    np.testing.assert_allclose(deviation**2, variance, atol=1e-7)


def test_mean_and_deviation_in_accuracy_units_agree_with_sampling(model: GaussianProcess) -> None:
    mean, deviation = model.latent(X_OTHER[:5])
    spread = np.sqrt(deviation**2 + model.noise)
    drawn = model.warp.inverse(mean + spread * np.random.default_rng(0).standard_normal((200_000, 5)))
    predicted, predicted_deviation = model.predict(X_OTHER[:5])
    np.testing.assert_allclose(predicted, drawn.mean(axis=0), atol=1e-3 * np.ptp(Y))
    np.testing.assert_allclose(predicted_deviation, drawn.std(axis=0), rtol=0.05)


def test_each_left_out_prediction_is_that_of_a_predictor_without_the_sample(model: GaussianProcess) -> None:
    mean, deviation = model.left_out()
    for index in (0, 17, 59):
        others = np.arange(60) != index
        K = model.kernel.covariance(model.U[others], model.U[others]) + model.noise * np.eye(59)
        cross = model.kernel.covariance(model.U[[index]], model.U[others])[0]
        assert mean[index] == pytest.approx(cross @ np.linalg.solve(K, model.z[others]), abs=1e-6)
        variance = model.kernel.variance + model.noise - cross @ np.linalg.solve(K, cross)
        assert deviation[index] == pytest.approx(np.sqrt(variance), abs=1e-6)


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_hold_about_as_many_trainings_as_they_promise(level: float) -> None:
    inside = []
    for seed in range(6):
        features, measured = samples(80, 4, seed=10 + seed)
        low, high = GaussianProcess.fit(features, measured).predict_interval(X_OTHER, level)
        inside.append(np.mean((low <= Y_OTHER) & (high >= Y_OTHER)))
    assert np.mean(inside) == pytest.approx(level, abs=0.1)


def test_intervals_of_higher_levels_contain_those_of_lower_ones_and_stay_within_the_bounds(
    model: GaussianProcess,
) -> None:
    low_50, high_50 = model.predict_interval(X_OTHER, 0.5)
    low_99, high_99 = model.predict_interval(X_OTHER, 0.99)
    assert np.all((low_99 < low_50) & (low_50 < high_50) & (high_50 < high_99))
    assert low_99.min() >= 0.0
    assert high_99.max() <= 1.0


def test_the_probability_of_reaching_the_median_is_a_half(model: GaussianProcess) -> None:
    median = model.predict_median(X_OTHER[:1])[0]
    assert model.probability_above(X_OTHER[:1], median)[0] == pytest.approx(0.5)


@pytest.mark.parametrize("seed", [0, 1])
def test_likelihood_and_held_out_density_beat_scikit_learns_process(seed: int) -> None:
    features, measured = samples(60, 5, seed)
    rng = np.random.default_rng(seed)
    other = rng.integers(5, size=(300, 5)) / 4
    other_measured = accuracies(other, rng)
    kernel = ConstantKernel() * Matern(np.ones(5), nu=2.5) + WhiteKernel(1e-2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        peer = GaussianProcessRegressor(kernel, normalize_y=True).fit(features, measured)
    ours = GaussianProcess.fit(features, measured)
    assert ours.log_likelihood >= peer.log_marginal_likelihood_value_ - 60 * np.log(measured.std())

    mean, latent = ours.latent(other)
    spread = np.sqrt(latent**2 + ours.noise)
    density = norm.logpdf(ours.warp.forward(other_measured), mean, spread) + ours.warp.log_slope(
        other_measured
    )
    peer_mean, peer_spread = peer.predict(other, return_std=True)
    assert density.mean() >= norm.logpdf(other_measured, peer_mean, peer_spread).mean()


@pytest.mark.parametrize(("scale", "shift"), [(100.0, 0.0), (1e-6, 5.0), (-3.0, 1e4)])
def test_the_unit_of_the_target_does_not_matter(scale: float, shift: float) -> None:
    unit = GaussianProcess.fit(X, Y).predict_median(X_OTHER)
    other = GaussianProcess.fit(X, scale * Y + shift).predict_median(X_OTHER)
    # A skewed target that is turned upside down has another best warp, so the order is compared.
    assert spearmanr(np.sign(scale) * other, unit).statistic > 0.98
    if scale > 0.0:
        np.testing.assert_allclose((other - shift) / scale, unit, atol=1e-3)


def test_random_failures_are_doubted_and_do_not_drag_their_neighbours_down() -> None:
    features, measured = samples(150, 4, seed=5)
    unlucky = np.random.default_rng(0).choice(150, 6, replace=False)
    spoiled = measured.copy()
    spoiled[unlucky] = 0.1
    model = GaussianProcess.fit(features, spoiled, bounds=(0.0, 1.0))
    assert set(np.flatnonzero(~model.trusted)) == set(unlucky)
    assert np.mean(np.abs(model.predict(X_OTHER)[0] - Y_OTHER)) < 0.01


def test_a_region_of_failures_is_learned_rather_than_doubted() -> None:
    features, measured = samples(150, 4, seed=6)
    measured[features[:, 1] == 0.0] = 0.1
    model = GaussianProcess.fit(features, measured, bounds=(0.0, 1.0))
    assert model.trusted.all()
    failed = X_OTHER[:, 1] == 0.0
    assert model.predict(X_OTHER[failed])[0].max() < model.predict(X_OTHER[~failed])[0].min()


def test_nothing_is_doubted_among_samples_without_failures() -> None:
    assert np.mean([GaussianProcess.fit(*samples(100, 4, seed)).trusted.all() for seed in range(6)]) >= 0.8


def test_a_middle_choice_may_be_the_best() -> None:
    features = np.random.default_rng(0).integers(5, size=(60, 3)) / 4
    measured = 0.9 - (features[:, 0] - 0.5) ** 2 + 0.02 * features[:, 1]
    model = GaussianProcess.fit(features, measured)
    curve = model.predict_median(np.array([[value, 0.5, 0.5] for value in (0.0, 0.25, 0.5, 0.75, 1.0)]))
    assert np.argmax(curve) == 2


def test_fantasies_keep_the_means_and_lower_the_uncertainty(model: GaussianProcess) -> None:
    fantasised = model.fantasise(X_OTHER[:3])
    np.testing.assert_allclose(fantasised.latent_mean(X_OTHER), model.latent_mean(X_OTHER), atol=1e-6)
    assert np.all(fantasised.latent(X_OTHER)[1] <= model.latent(X_OTHER)[1] + 1e-9)
    assert fantasised.latent(X_OTHER[:1])[1] < 0.9 * model.latent(X_OTHER[:1])[1]


def test_a_fit_survives_json_exactly(model: GaussianProcess) -> None:
    data = json.loads(json.dumps(model.to_json(), allow_nan=False))
    again = GaussianProcess.from_json(data, X, Y)
    for mine, other in zip(model.predict(X_OTHER), again.predict(X_OTHER), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_fit_does_not_take_samples_that_are_not_its_own(model: GaussianProcess) -> None:
    with pytest.raises(ValueError, match="fitted to 60 samples"):
        GaussianProcess.from_json(model.to_json(), X[:59], Y[:59])
    with pytest.raises(ValueError, match="do not belong to 3 feature columns"):
        GaussianProcess.from_json(model.to_json(), X[:, :3], Y)
    with pytest.raises(ValueError, match="Unknown predictor format 9"):
        GaussianProcess.from_json({**model.to_json(), "format": 9}, X, Y)


def test_a_fit_begun_from_an_earlier_one_is_as_probable(model: GaussianProcess) -> None:
    again = GaussianProcess.fit(X, Y, bounds=(0.0, 1.0), start=model)
    np.testing.assert_allclose(again.predict(X_OTHER)[0], model.predict(X_OTHER)[0], atol=2e-3)


def test_fits_are_repeatable() -> None:
    np.testing.assert_array_equal(GaussianProcess.fit(X, Y).theta, GaussianProcess.fit(X, Y).theta)


@pytest.mark.parametrize(
    ("features", "measured", "message"),
    [
        (X[:1], Y[:1], "at least 2 samples, not 1"),
        (X[:0], Y[:0], "at least 2 samples, not 0"),
        (X, Y[:-1], "do not belong together"),
        (X[:, :0], Y, "space of one architecture"),
        (X, np.where(np.arange(60) == 7, np.nan, Y), "Sample 7's accuracy is not a finite number"),
        (np.where(X[3, 0] == X, np.inf, X), Y, "feature is not a finite number"),
        (X, np.full(60, 0.1), "All 60 accuracies are 0.1"),
        (10.0 * X, Y, r"Features must lie in 0..1, not 0..10"),
    ],
)
def test_bad_samples_are_refused_in_plain_words(
    features: FloatArray, measured: FloatArray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        GaussianProcess.fit(features, measured)


def test_bad_questions_are_refused_in_plain_words(model: GaussianProcess) -> None:
    with pytest.raises(ValueError, match="points of 4 features"):
        model.predict(X_OTHER[:, :3])
    with pytest.raises(ValueError, match="level lies between 0 and 1"):
        model.predict_interval(X_OTHER, 95)


@pytest.mark.parametrize("measured", [[0.1, 0.9], [0.5, 0.5, 0.5, 0.9], [0.1] * 30 + [0.9, 0.91]])
def test_few_or_mostly_equal_samples_give_finite_predictions(measured: list[float]) -> None:
    features = samples(len(measured), 4, seed=0)[0]
    model = GaussianProcess.fit(features, measured, bounds=(0.0, 1.0))
    for values in (*model.predict(X_OTHER), *model.predict_interval(X_OTHER)):
        assert np.all(np.isfinite(values))
        assert values.min() >= 0.0
        assert values.max() <= 1.0


def test_samples_of_one_network_trained_often_give_its_spread() -> None:
    measured = 0.8 + 0.01 * np.random.default_rng(0).standard_normal(60)
    model = GaussianProcess.fit(np.full((60, 3), 0.5), measured)
    mean, deviation = model.predict(np.full((1, 3), 0.5))
    assert mean[0] == pytest.approx(measured.mean(), abs=0.004)
    assert deviation[0] == pytest.approx(0.01, rel=0.4)
