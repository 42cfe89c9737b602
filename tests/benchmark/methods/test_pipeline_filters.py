"""Filters with the constants of other programs."""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from toch_jax.benchmark.methods.method import predict
from toch_jax.benchmark.methods.pipeline_filters import PIPELINE_FILTERS, CentroidGaussian
from toch_jax.object.model import ObjectModel
from toch_jax.sequence.types import Sequence


def test_only_the_centroid_is_smoothed() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 4, 3))
    found = CentroidGaussian(5.0)(points, 30.0)
    about = points - points.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found - found.mean(axis=1, keepdims=True), about, atol=1e-12)
    # scipy's own filter, far from the ends
    middle = gaussian_filter1d(points.mean(axis=1), 5.0, axis=0)
    np.testing.assert_allclose(found.mean(axis=1)[40:-40], middle[40:-40], atol=1e-6)


def test_each_is_named_and_repairs_a_clip(clean: Sequence, ball: ObjectModel) -> None:
    assert len({method.name for method in PIPELINE_FILTERS}) == 6
    given = predict(clean)
    for method in PIPELINE_FILTERS:
        found = method.load()(clean, ball)
        assert np.asarray(found.hands[0].joints).shape == np.asarray(given.hands[0].joints).shape
        moved = np.linalg.norm(np.asarray(found.hands[0].joints) - np.asarray(given.hands[0].joints), axis=-1).max()
        # the clip's hand moves evenly with its object: only One-Euro, which lags behind, moves it in the world
        assert moved < 1e-4 or method.name == "one-euro 1 Hz:world", (method.name, moved)
