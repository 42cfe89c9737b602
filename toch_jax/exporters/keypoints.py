"""21 keypoints of each hand, as arrays (.npy, .npz), a table (.csv) or JSON; NaN where lost.

`.npy`: (T, 21, 3) of one hand, (H, T, 21, 3) of several. `.npz` and JSON: a key for each hand ("right", "left"), fps,
and, for a rigid object, object_pose (T, 4, 4), to the frame of reference of the hands (in metres whatever the unit of
the joints); `toch convert` reads them back. `.csv`: a line of names, then frame, seconds and the coordinates of each
joint; lost entries are empty.
"""

import json
from pathlib import Path

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.base.files import atomic, write_arrays, write_text
from toch_jax.exporters.mano import hide_lost, lost_remark
from toch_jax.exporters.writing import Writing
from toch_jax.hand.model import Side
from toch_jax.sequence.derived import hand_meshes
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.joint_orders import JOINT_ORDERS
from toch_jax.trackers.reading import METRES

FINGERS = ("thumb", "index", "middle", "ring", "little")
JOINT_NAMES = ("wrist", *(f"{finger}{joint}" for finger in FINGERS for joint in (1, 2, 3, 4)))
"""Names of the joints in OpenPose's order, as in a bone map; 4 is the tip."""


def joints_of(sequence: Sequence) -> Float[np.ndarray, "H T 21 3"]:
    """Joints in OpenPose's order, metres, NaN where lost. Raises InputError if there are points of the skin alone."""
    joints = hand_meshes(sequence).joints
    if joints is None:
        expected = "joints or parameters (toch denoise --hand model writes them)"
        raise bad_input(sequence.source, "hand", expected, "points of the skin alone")
    return hide_lost(sequence, joints)


def hand_names(sides: tuple[Side, ...]) -> tuple[str, ...]:
    """A name for each hand: its side, with a number where there are several of a side."""
    return tuple(
        side if sides.count(side) == 1 else f"{side}{1 + sides[:hand].count(side)}" for hand, side in enumerate(sides)
    )


def object_matrices(sequence: Sequence, part: int = 0) -> Float[np.ndarray, "T 4 4"]:
    """A part's pose in each frame, metres."""
    poses = np.tile(np.eye(4), (sequence.n_frames, 1, 1))
    poses[:, :3, :3] = np.asarray(sequence.object_motion.rotation)[part]
    poses[:, :3, 3] = np.asarray(sequence.object_motion.translation)[part]
    return poses


def write_keypoints(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the joints in the order and unit asked for, in the form that the file's ending says. Raises InputError."""
    taken = _taken(writing)
    joints = (joints_of(sequence) / METRES[writing.unit]).astype(np.float32)[:, :, taken]
    hands = dict(zip(hand_names(sequence.hand_side), joints, strict=True))
    if path.suffix == ".npy":
        with atomic(path) as part, part.open("wb") as file:
            np.save(file, joints[0] if len(joints) == 1 else joints, allow_pickle=False)
    elif path.suffix == ".csv":
        write_text(path, _table(hands, [JOINT_NAMES[joint] for joint in taken], sequence.fps))
    else:
        more = {"object_pose": object_matrices(sequence)} if len(sequence.object_motion.translation) == 1 else {}
        about = {"unit": writing.unit, "joint_names": [JOINT_NAMES[joint] for joint in taken]}
        if path.suffix == ".npz":
            write_arrays(path, {**hands, **more, "fps": np.array(sequence.fps), **about})
        else:
            numbers = {key: value.tolist() for key, value in (hands | more).items()}
            write_text(path, json.dumps({"fps": sequence.fps, **about, **numbers}))
    return lost_remark(sequence, "are empty" if path.suffix == ".csv" else "are NaN")


def _taken(writing: Writing) -> list[int]:
    """For each joint that is written, which of OpenPose's it is. Raises InputError."""
    order = writing.joint_order
    places = JOINT_ORDERS[order][1] if order in JOINT_ORDERS else tuple(_indices(order))
    if sorted(places) != list(range(21)):
        complete = ", ".join(name for name, (_, each) in JOINT_ORDERS.items() if sorted(each) == list(range(21)))
        raise bad_input("toch export", "--joint-order", f"{complete}, or the indices 0 to 20 with commas", order)
    return np.argsort(places).tolist()


def _indices(order: str) -> list[int]:
    words = [word.strip() for word in order.strip("[]").split(",")]
    return [int(word) for word in words] if all(word.isdigit() for word in words) else []


def _table(hands: dict[str, np.ndarray], names: list[str], fps: float) -> str:
    columns = [f"{hand}_{name}_{axis}" for hand in hands for name in names for axis in "xyz"]
    lines = [",".join(["frame", "seconds", *columns])]
    rows = np.concatenate([each.reshape(len(each), -1) for each in hands.values()], axis=1)
    for frame, row in enumerate(rows):
        numbers = ["" if np.isnan(value) else f"{value:.9g}" for value in row]
        lines.append(",".join([str(frame), f"{frame / fps:.9g}", *numbers]))
    return "\n".join(lines) + "\n"
