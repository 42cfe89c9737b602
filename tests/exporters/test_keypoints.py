"""Keypoints: read again by NumPy, the csv module, and the readers of plain arrays."""

import csv

import numpy as np
import pytest
from support.tracker_clip import ORDER, clip

from toch_jax.base.errors import InputError
from toch_jax.exporters.formats import export_sequence
from toch_jax.exporters.writing import Writing
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading


@pytest.mark.parametrize("form", ["params", "joints"])
def test_npy(form, make, tmp_path):
    """Of one hand without, of several with an axis for the hands."""
    export_sequence(tmp_path / "one.npy", make("left", form=form), "keypoints")
    np.testing.assert_allclose(np.load(tmp_path / "one.npy"), clip("left").joints, atol=1e-6)
    export_sequence(tmp_path / "two.npy", make("right", "left", form=form), "keypoints")
    np.testing.assert_allclose(np.load(tmp_path / "two.npy")[0], clip("right").joints, atol=1e-6)


def test_orders_and_units(make, tmp_path):
    """MANO's order: ORDER takes OpenPose's joints from it."""
    sequence = make("right", form="joints")
    for order in ("mano", ",".join(map(str, ORDER))):
        export_sequence(tmp_path / "hand.npy", sequence, "keypoints", Writing(joint_order=order, unit="mm"))
        found = np.load(tmp_path / "hand.npy")
        np.testing.assert_allclose(found[:, ORDER], 1000 * clip().joints, atol=1e-3)
    for order in ("webxr", "aria", "0,1,2", "left"):
        with pytest.raises(InputError, match=r"--joint-order: expected openpose, mediapipe, mano, .*or the indices"):
            export_sequence(tmp_path / "hand.npy", sequence, "keypoints", Writing(joint_order=order))


@pytest.mark.parametrize("ending", [".npz", ".json"])
@pytest.mark.parametrize("sides", [("left",), ("left", "right")])
def test_there_and_back(sides, ending, make, tmp_path):
    """With the object's poses and the frame rate."""
    path = tmp_path / f"hand{ending}"
    export_sequence(path, make(*sides, form="joints"), "keypoints", Writing(joint_order="mano"))
    tracked = read_tracked(path, Reading(joint_order="mano"))
    assert (tracked.format, tracked.sides, tracked.fps) == ("plain", sides, 8)
    for hand, side in enumerate(sides):
        np.testing.assert_allclose(tracked.joints[hand], clip(side).joints, atol=1e-5)
    np.testing.assert_allclose(tracked.object_poses, clip(sides[0]).object_poses, atol=1e-5)


def test_csv(make, tmp_path):
    valid = np.ones((2, clip().n_frames), bool)
    valid[1, 4] = False
    sequence = make("right", "right", form="joints", hand_valid=valid)
    assert export_sequence(tmp_path / "hand.csv", sequence, "keypoints") == ("1 lost frames are empty",)
    with (tmp_path / "hand.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[5]["seconds"]) == 5 / 8
    for name, joint in (("wrist", 0), ("thumb4", 4), ("index1", 5), ("little4", 20)):
        for axis, letter in enumerate("xyz"):
            found = [float(row[f"right1_{name}_{letter}"]) for row in rows]
            np.testing.assert_allclose(found, clip().joints[:, joint, axis], atol=1e-6)
    assert [row["right2_wrist_x"] == "" for row in rows].index(True) == 4


def test_points_alone_are_refused(make, tmp_path):
    with pytest.raises(InputError, match="hand: expected joints or parameters"):
        export_sequence(tmp_path / "hand.npy", make("right", form="points"), "keypoints")
    assert not list(tmp_path.iterdir())
