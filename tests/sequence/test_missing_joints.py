from collections.abc import Callable

import numpy as np
import pytest

from toch_jax.base.errors import InputError
from toch_jax.hand.files import load_hand
from toch_jax.metrics.clip import measure
from toch_jax.metrics.pose import pose_hands
from toch_jax.sequence.missing_joints import bridge_joints, enough_joints, mark_missing
from toch_jax.sequence.record import sequence_from_record
from toch_jax.sequence.types import Sequence

Record = dict[str, np.ndarray]


def _joints_only(record: Record, change: Callable[[np.ndarray], None]) -> Sequence:
    """The record with joints alone, after `change`."""
    joints = record["hand_joints"].copy()
    change(joints)
    kept = {key: value for key, value in record.items() if not key.startswith("hand_") or key == "hand_side"}
    return sequence_from_record("clip.npz", kept | {"hand_joints": joints})


def test_a_frame_is_kept_without_some_of_its_joints(record: Record) -> None:
    def change(joints: np.ndarray) -> None:
        joints[0, 1, 7] = np.nan
        joints[0, 2, 3, 1] = np.inf
        joints[0, 4, 10:] = 0
        joints[0, 5, 0] = np.nan

    sequence = _joints_only(record, change)
    # a frame without its wrist is lost
    np.testing.assert_array_equal(sequence.hand_valid[0], [True, True, True, True, True, False])
    missing = np.isnan(np.asarray(sequence.hands.joints)).any(axis=-1)[0]
    expected = np.zeros((6, 21), bool)
    expected[1, 7] = expected[2, 3] = expected[4:, 10:] = True
    np.testing.assert_array_equal(missing, expected)
    (note,) = sequence.notes
    assert note.startswith("hand 0 (right): 13 single joints are missing (NaN or all zero) in 3 frames: ")


def test_a_joint_that_is_never_there(record: Record) -> None:
    sequence = _joints_only(record, lambda joints: joints[..., 12, :].fill(np.nan))
    assert sequence.hand_valid.all()
    assert ", 1 of the 21 in all frames" in sequence.notes[0]
    # the middle finger's tip, which the estimate of the hand's size uses
    (hand,) = pose_hands(sequence, {"right": load_hand("open")})
    assert np.isfinite(measure(sequence, [hand])["acceleration_m_s2"])


def test_what_places_no_hand_is_refused(record: Record) -> None:
    with pytest.raises(InputError, match="expected a frame with the wrist, 2 fingers' first joints and 8 joints"):
        _joints_only(record, lambda joints: joints[..., 0, :].fill(np.nan))


def test_joints_relative_to_the_wrist_keep_it() -> None:
    joints = np.random.default_rng(0).normal(size=(1, 5, 21, 3))
    joints -= joints[:, :, :1]
    assert np.isfinite(mark_missing(joints)).all()
    joints[0, 3] = 0
    assert np.isfinite(mark_missing(joints)).all(), "a frame of zeros is another matter"


@pytest.mark.parametrize(
    ("known", "enough"),
    [([0, 5, 9, 1, 2, 3, 4, 6], True), ([0, 5, 9, 1, 2, 3, 4], False), ([0, 5, *range(1, 5), 6, 7, 8], False)],
)
def test_how_many_joints_are_enough(known: list[int], enough: bool) -> None:
    joints = np.full((1, 1, 21, 3), np.nan)
    joints[0, 0, known] = 0.1
    assert enough_joints(joints) == enough


def test_bridging_is_linear_in_time_and_straight_in_space() -> None:
    joints = np.arange(7.0)[:, None, None] + np.arange(21.0)[None, :, None] + np.zeros(3)
    holed = joints.copy()
    holed[2:4, 6] = holed[:, 7:9] = np.nan
    np.testing.assert_allclose(bridge_joints(holed), joints)
    holed[0, 6] = np.nan
    np.testing.assert_allclose(bridge_joints(holed)[0, 6], joints[1, 6], err_msg="held at the ends")
