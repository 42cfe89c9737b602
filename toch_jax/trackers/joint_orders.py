"""Orders of a hand's joints in files, and the 21 of OpenPose's order taken from them."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.hand.conventions import OPENPOSE

ABSENT = -1

JOINT_ORDERS: Mapping[str, tuple[int, tuple[int, ...]]] = MappingProxyType(
    {
        # wrist, then thumb, index, middle, ring, little finger from root to tip; MediaPipe's is the same
        "openpose": (21, tuple(range(21))),
        "mediapipe": (21, tuple(range(21))),
        # MANO's 16 joints, then the tips from thumb to little finger (smplx, hand/conventions.py)
        "mano": (21, tuple(OPENPOSE.tolist())),
        # wrist, thumb 4, then 5 of each finger; the four metacarpals are left out (immersive-web/webxr-hand-input)
        "webxr": (25, tuple(joint for joint in range(25) if joint not in (5, 10, 15, 20))),
        # the palm, then WebXR's (Khronos, XrHandJointEXT)
        "openxr": (26, tuple(joint for joint in range(1, 26) if joint not in (6, 11, 16, 21))),
        # WebXR's, then two of the forearm (Apple, HandSkeleton.JointName)
        "visionos": (27, tuple(joint for joint in range(25) if joint not in (5, 10, 15, 20))),
        # tips from thumb to pinky, wrist, thumb 2, 3 of each finger, palm (projectaria_tools core/mps/HandTracking.h);
        # the thumb's first joint is absent
        "aria": (21, (5, ABSENT, 6, 7, 0, 8, 9, 10, 1, 11, 12, 13, 2, 14, 15, 16, 3, 17, 18, 19, 4)),
        # wrist, the first joint of each finger from thumb to little finger, then the other three of each
        # (guiggh/hand_pose_action README.md, load_example.py)
        "fhab": (21, (0, 1, 6, 7, 8, 2, 9, 10, 11, 3, 12, 13, 14, 4, 15, 16, 17, 5, 18, 19, 20)),
    }
)
"""Number of joints, and the index of each of OpenPose's 21 (ABSENT: none), by the name of the order."""
COUNTS = tuple({count for count, _ in JOINT_ORDERS.values()})
BY_COUNT = {21: "openpose", 25: "webxr", 26: "openxr", 27: "visionos"}
"""The order that is assumed of so many joints."""


def to_openpose(
    where: str | Path, joints: Float[np.ndarray, "*batch J 3"], order: str | None
) -> tuple[Float[np.ndarray, "*batch 21 3"], str]:
    """The 21 joints in OpenPose's order (NaN where absent), and the name of the order that they had.

    `order` is as `indices_of` takes it. Raises InputError.
    """
    order, indices = indices_of(where, joints.shape[-2], order)
    taken = joints[..., np.array(indices), :].astype(np.float64)
    taken[..., np.array(indices) == ABSENT, :] = np.nan
    return taken, order


def indices_of(where: str | Path, count: int, order: str | None) -> tuple[str, tuple[int, ...]]:
    """The name of an order of `count` joints, and where in it each of OpenPose's 21 is.

    `order` is a name in JOINT_ORDERS, 21 indices with commas, or None: the one with this number of joints.
    Raises InputError.
    """
    order = order or BY_COUNT.get(count, "openpose")
    if order in JOINT_ORDERS:
        expected, indices = JOINT_ORDERS[order]
        if count != expected:
            raise bad_input(where, "joints", f"the {expected} of the order {order}", str(count))
    else:
        words = [word.strip() for word in order.strip("[]").split(",")]
        if len(words) != 21 or not all(word.isdigit() and int(word) < count for word in words):
            named = ", ".join(JOINT_ORDERS)
            raise bad_input(where, "--joint-order", f"{named}, or 21 indices below {count} with commas", order)
        indices = tuple(map(int, words))
    return order, indices
