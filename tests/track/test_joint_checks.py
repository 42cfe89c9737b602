"""Detection of the joint order from the lengths of the bones."""

import numpy as np
import pytest
from support.grasps import grasp, joints_of

from toch_jax.base.errors import InputError
from toch_jax.hand.joint_order import from_openpose, to_openpose
from toch_jax.hand.model import HandModel
from toch_jax.track.joint_checks import OTHER_ORDERS, bone_change, check_order

NOISE = 0.003 * np.random.default_rng(0).normal(size=(16, 21, 3))


def test_openpose_order_passes(hand: HandModel) -> None:
    joints = joints_of(hand, grasp()) + NOISE
    check_order("clip.npz", hand, joints)
    check_order("clip.npz", hand, 1.4 * joints)
    joints[:, 18] = joints[3:, 7] = np.nan
    check_order("clip.npz", hand, joints)


@pytest.mark.parametrize("name", OTHER_ORDERS)
def test_another_order_is_refused_with_its_name_and_what_mends_it(hand: HandModel, name: str) -> None:
    right = to_openpose(joints_of(hand, grasp()) + NOISE)
    given = right[:, OTHER_ORDERS[name]]
    with pytest.raises(InputError, match=r"^clip\.npz: hand_joints: expected OpenPose order") as fault:
        check_order("clip.npz", hand, from_openpose(given))
    assert f"found {name}: take joints[..., [" in str(fault.value)
    mend = [int(index) for index in str(fault.value).split("[")[2].split("]")[0].split(",")]
    np.testing.assert_array_equal(given[:, mend], right)


def test_change_of_the_bones_lengths(hand: HandModel) -> None:
    joints = joints_of(hand, grasp())
    assert bone_change(joints) < 1e-5
    size = 1 + 0.02 * np.random.default_rng(0).normal(size=400)
    long = np.repeat(joints[:1], 400, axis=0) * size[:, None, None]
    long[::3, 5] = long[:, 20] = np.nan
    assert bone_change(long) == pytest.approx(0.02, rel=0.15)
