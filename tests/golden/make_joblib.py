"""Writes joblib.pth with joblib (pip install joblib): arrays as trackers dump them."""

from pathlib import Path

import joblib
import numpy as np

rng = np.random.default_rng(0)
content = [
    rng.normal(size=(2, 5, 3)).astype("f4"),
    np.asfortranarray(rng.normal(size=(3, 4))),
    np.ones((2, 5), bool),
    {"a": np.arange(3)},
]
joblib.dump(content, Path(__file__).with_suffix("").with_name("joblib.pth"))
