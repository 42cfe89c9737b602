"""A filter of your own beside the repair, on the example's true motion under two kinds of noise.

Run: python 09_add_a_filter_baseline.py. Put your filter in place of `my_filter`.
"""

import dataclasses
from importlib.resources import files

import numpy as np
from scipy.signal import butter, filtfilt

import toch_jax
from toch_jax.benchmark.run import perturb_clip
from toch_jax.metrics.clip import measure, metrics_table
from toch_jax.perturb.registry import parse_perturbation
from toch_jax.sequence.derived import PosedHand
from toch_jax.view.scene import rows_of


def my_filter(points: np.ndarray, fps: float) -> np.ndarray:
    """Butterworth's low-pass filter at 2 Hz over time, forward and backward. `points` (T, K, 3), metres."""
    return filtfilt(*butter(2, 2.0, fs=fps), points, axis=0)


def filtered(hand: PosedHand, sequence: toch_jax.Sequence) -> PosedHand:
    """The hand's joints and skin by the filter, in the frame of the object, in which a hand that holds it rests."""
    motion = sequence.object_motion
    rotation, translation = np.asarray(motion.rotation)[0], np.asarray(motion.translation)[0][:, None]

    def in_object(points: np.ndarray) -> np.ndarray:
        local = my_filter((points - translation) @ rotation, sequence.fps)
        return (local @ rotation.swapaxes(1, 2) + translation).astype(np.float32)

    return dataclasses.replace(hand, joints=in_object(hand.joints), vertices=in_object(hand.vertices))


example = toch_jax.load_sequence(files("toch_jax.example") / "tracked.npz")
clean = example.replace(hands=example.truth, truth=None)
for noise, meaning in {
    "T(0.02)": "the hand moved by 20 mm along each axis, anew in each frame",
    "R(0.5)": "the fingers bent, anew in each frame, by 0.5 rad per pose coefficient",
}.items():
    tracked = perturb_clip("example", clean, parse_perturbation(noise), seed=1)
    rows = rows_of(tracked, toch_jax.refine(tracked))
    rows = {"before": rows["before"], "my filter": [filtered(hand, tracked) for hand in rows["before"]], **rows}
    print(f"\n{noise}: {meaning} (standard deviations).")
    print(metrics_table({name: measure(tracked, hands, rows["truth"]) for name, hands in rows.items()}))
