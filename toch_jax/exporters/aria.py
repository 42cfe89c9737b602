"""Project Aria's `hand_tracking_results.csv`, the other way round than trackers/aria.py reads it.

`--like` is the recording's own file, beside which its trajectory lies: the landmarks are replaced, in the frame of the
glasses. What hangs on the palm is moved with it: its own landmark, the normals, the wrist's rotation. A hand that was
missing (confidence -1) and is filled in has the confidence 0 and the numbers of the nearest line. Other columns stay as
they are.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.base.files import write_text
from toch_jax.exporters.keypoints import joints_of
from toch_jax.exporters.like import like_tracked
from toch_jax.exporters.mano import known_frames, lost_remark
from toch_jax.exporters.own_skeleton import bones_remark, palm_motion, with_own_bones
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.aria import STAMP, device_poses, trajectory_of
from toch_jax.trackers.joint_orders import ABSENT, JOINT_ORDERS, to_openpose
from toch_jax.trackers.stamps import on_grid

N_LANDMARKS, WRIST = 21, 5
"""Landmarks of a hand, and which of them is the wrist."""


def write_aria(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the table. Raises InputError, also without the recording's own."""
    source, tracked = like_tracked(sequence, writing, "aria")
    table = source.content
    header, *lines = table.text.splitlines()
    cells = [line.split(",") for line in lines if line.strip()]
    seconds = 1e-6 * table.numbers(source.path, (STAMP,))[:, 0]
    frames = on_grid(source.path, seconds).frames
    rotation, place, within = np.tile(np.eye(3), (len(frames), 1, 1)), np.zeros((len(frames), 3)), frames >= 0
    if (trajectory := trajectory_of(source.path)) is not None:
        rotation, place, within = device_poses(trajectory, seconds)
    joints, known = joints_of(sequence).astype(np.float64), known_frames(sequence)
    for hand, side in enumerate(sequence.hand_side):
        local = np.einsum("tba,tjb->tja", rotation, joints[hand][frames] - place[:, None])
        columns = _columns(table.numbers(source.path), list(table.names), side, local)
        for row in np.flatnonzero(known[hand][frames] & within):
            for column, values in columns.items():
                cells[row][column] = f"{values[row]:.9g}"
    write_text(path, "\n".join([header, *(",".join(row) for row in cells)]) + "\n")
    left = sequence.n_frames - len(frames)
    said = (f"{left} frames that the file has no line for left out",) if left else ()
    return (*said, *bones_remark(tracked.joints, joints), *lost_remark(sequence, "are as they were"))


def _columns(
    numbers: Float[np.ndarray, "T C"], names: list[str], side: str, joints: Float[np.ndarray, "T 21 3"]
) -> dict[int, Float[np.ndarray, "T"]]:
    """The new numbers of a hand by their columns, in the frame of the glasses."""
    at = {name: index for index, name in enumerate(names)}

    def block(*wanted: str) -> list[int]:
        return [at[name] for name in wanted if name in at]

    confidence = at[f"{side}_tracking_confidence"]
    seen = numbers[:, confidence] >= 0
    landmarks = block(*(f"t{a}_{side}_landmark_{k}_device" for k in range(N_LANDMARKS) for a in "xyz"))
    own = np.where(seen[:, None, None], numbers[:, landmarks].reshape(-1, N_LANDMARKS, 3), np.nan)
    before = to_openpose("aria", own, "aria")[0]
    motion = palm_motion(before, joints)
    assert motion is not None, "the hand is in one line at least"
    moved = motion.apply(own)
    order = np.array(JOINT_ORDERS["aria"][1])
    known = order != ABSENT
    moved[:, order[known]] = with_own_bones(before, joints)[:, known]
    found = dict(zip(landmarks, moved.reshape(len(moved), -1).T, strict=True))
    found[confidence] = np.where(seen, numbers[:, confidence], 0.0)
    found |= dict(zip(block(*(f"t{a}_{side}_device_wrist" for a in "xyz")), moved[:, WRIST].T, strict=False))
    for part in ("palm", "wrist"):
        if len(normal := block(*(f"n{a}_{side}_{part}_device" for a in "xyz"))) == 3:
            turned = motion.turn(numbers[motion.frame][:, None, normal])[:, 0]
            found |= dict(zip(normal, turned.T, strict=True))
    turn = block(*(f"q{a}_{side}_device_wrist" for a in "xyzw"))
    quaternion = numbers[motion.frame][:, turn]
    if len(turn) == 4 and (np.linalg.norm(quaternion, axis=1) > 0.5).all():
        whole = Rotation.from_matrix(motion.rotation) * Rotation.from_quat(quaternion)
        found |= dict(zip(turn, whole.as_quat().T, strict=True))
    return found
