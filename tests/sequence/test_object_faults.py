"""Frames in which an object's tracked pose is wrong: interpolated exactly where its velocity is constant."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from toch_jax.base.arrays import put
from toch_jax.object.model import ObjectMotion
from toch_jax.sequence.object_faults import mend_object


def _object(n_frames: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Rotations and centres of an object that rotates by 2 degrees per frame and moves."""
    turn = Rotation.from_rotvec(np.deg2rad(2) * np.arange(n_frames)[:, None] * [0.0, 0.6, 0.8]).as_matrix()
    return turn, np.array([1.0, 0.0, 0.5]) + 0.005 * np.arange(n_frames)[:, None] * [1.0, 0.0, 0.0]


MIDDLE = np.array([0.0, 0.5, 0.0])


def _motion(turn: np.ndarray, place: np.ndarray, middle: np.ndarray = MIDDLE) -> ObjectMotion:
    """Motion of a part with these rotations (T, 3, 3) and with its centre `middle` at these positions (T, 3)."""
    return ObjectMotion(
        rotation=put(turn[None], np.float32), translation=put((place - turn @ middle)[None], np.float32)
    )


@pytest.mark.parametrize("kind", ["jump", "zero"])
def test_an_object_that_is_away_for_some_frames_is_interpolated(kind: str) -> None:
    turn, place = _object()
    right = _motion(turn, place)
    rotation, translation = np.array(right.rotation), np.array(right.translation)
    if kind == "jump":
        translation[0, 10:14] += [0.0, 0.3, 0.0]
    else:
        translation[0, 10:14], rotation[0, 10:14] = 0, np.eye(3)
    given = np.ones((1, 40), bool)
    mended, observed, notes = mend_object(ObjectMotion(put(rotation), put(translation)), given, MIDDLE[None], 30.0)
    # both velocities are constant, so the interpolation is exact
    np.testing.assert_allclose(mended.rotation, right.rotation, atol=1e-6)
    np.testing.assert_allclose(mended.translation, right.translation, atol=1e-6)
    others = np.r_[:10, 14:40]
    np.testing.assert_array_equal(np.flatnonzero(~observed[0]), np.arange(10, 14))
    np.testing.assert_array_equal(np.asarray(mended.translation)[:, others], translation[:, others])
    (note,) = notes
    assert note.startswith("object: frames 10-13 are ")
    assert note.endswith(": filled in")


def test_an_object_at_rest_at_the_origin_is_right() -> None:
    turn, place = _object()
    rests = np.concatenate([np.tile(np.eye(3), (20, 1, 1)), turn[:20]])
    motion = _motion(rests, np.concatenate([np.zeros((20, 3)), place[:20] - place[0]]), np.zeros(3))
    mended, observed, notes = mend_object(motion, np.ones((1, 40), bool), np.zeros((1, 3)), 30.0)
    assert observed.all()
    np.testing.assert_array_equal(mended.translation, motion.translation)
    assert notes == ()


def test_an_objects_rotation_that_jumps_is_said() -> None:
    turn, place = _object()
    turn[20:] = turn[20:] @ Rotation.from_rotvec([0.0, 0.0, np.pi]).as_matrix()
    _, observed, notes = mend_object(_motion(turn, place), np.ones((1, 40), bool), MIDDLE[None], 30.0)
    assert observed.all()
    assert notes == ("object: frame 20 is up to 178 degrees off the frame before: is that right?",)
