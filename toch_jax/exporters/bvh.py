"""BVH: the hands' skeletons and their motion, for programs of animation and motion capture.

Biovision's format, as Blender's importer and `toch convert` read it: HIERARCHY with OFFSET and CHANNELS, MOTION with a
line for each frame. The wrist has three position channels, which stand for its offset (written as 0), and three
rotation channels; each finger joint has three rotation channels: Z, X, Y, degrees, applied in this order about the
moved axes (R = Rz Rx Ry). Several hands hang from one root that does not move. Beside the file lies its bone map,
NAME_bones.txt, with which `toch convert --bone-map` reads it. BVH has no skin, no object and no unit.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.base.files import atomic
from toch_jax.exporters.keypoints import FINGERS
from toch_jax.exporters.mano import lost_remark
from toch_jax.exporters.own_bvh import write_own_bvh
from toch_jax.exporters.skeleton import Skeleton, skeletons, upward
from toch_jax.exporters.writing import Writing
from toch_jax.hand.model import LAST_JOINTS
from toch_jax.sequence.derived import hand_meshes
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.reading import METRES

ORDER = "ZXY"
_TURNS = " ".join(f"{axis}rotation" for axis in ORDER)
_FINGER_BONES = dict(zip(("Thumb", "Index", "Middle", "Ring", "Pinky"), FINGERS, strict=True))


def write_bvh(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the skeletons and their motion, and the bone map. Raises InputError if the hands have no parameters.

    With `--like` the user's own take is written instead (exporters/own_bvh.py).
    """
    if writing.like is not None:
        return write_own_bvh(path, sequence, writing)
    hands, scale = skeletons(sequence), 1 / METRES[writing.unit]
    tips = np.asarray(hand_meshes(sequence).joints)[:, :, [4, 8, 12, 16, 20]]
    lines = ["HIERARCHY"]
    columns: list[np.ndarray] = []
    if len(hands) == 1:
        lines += _joint(hands[0], 0, "ROOT", 0, scale)
    else:
        lines += ["ROOT Hands", "{", "\tOFFSET 0 0 0", f"\tCHANNELS 6 Xposition Yposition Zposition {_TURNS}"]
        columns.append(np.zeros((sequence.n_frames, 6)))
        for hand in hands:
            lines += _joint(hand, 0, "JOINT", 1, scale)
        lines.append("}")
    columns += [_motion(hand, scale, upward(writing.up)) for hand in hands]
    lines += ["MOTION", f"Frames: {sequence.n_frames}", f"Frame Time: {1 / sequence.fps:.9g}"]
    lines += [" ".join(f"{number:.7g}" for number in row) for row in np.concatenate(columns, axis=1)]
    bones = [line for hand, side in zip(hands, sequence.hand_side, strict=True) for line in _bones(hand, side)]
    map_path = path.with_name(f"{path.stem}_bones.txt")
    with atomic(path) as part, atomic(map_path) as map_part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
        map_part.write_text("\n".join(bones) + "\n", encoding="utf-8")
    error = max(float(np.abs(_tips(hand) - own).max()) for hand, own in zip(hands, tips, strict=True))
    return (
        f"bone map -> {map_path}; its unit is {writing.unit}",
        f"finger tips at most {1e3 * error:.1f} mm from the skin's, as the last bones are rigid",
        *lost_remark(sequence, "hold the nearest pose"),
    )


def _joint(skeleton: Skeleton, joint: int, kind: str, depth: int, scale: float) -> list[str]:
    """The lines of a joint and those below it."""
    indent = "\t" * depth
    offset = skeleton.offsets[joint] * scale
    channels = f"3 {_TURNS}" if joint else f"6 Xposition Yposition Zposition {_TURNS}"
    lines = [f"{indent}{kind} {skeleton.bones[joint]}", f"{indent}{{"]
    lines += [f"{indent}\tOFFSET {_numbers(offset)}", f"{indent}\tCHANNELS {channels}"]
    for below in _below(skeleton, joint):
        lines += _joint(skeleton, below, "JOINT", depth + 1, scale)
    if joint in LAST_JOINTS:
        tip = skeleton.tip_offsets[LAST_JOINTS.index(joint)] * scale
        lines += [f"{indent}\tEnd Site", f"{indent}\t{{", f"{indent}\t\tOFFSET {_numbers(tip)}", f"{indent}\t}}"]
    return [*lines, f"{indent}}}"]


def _below(skeleton: Skeleton, joint: int) -> list[int]:
    return [child for child, parent in enumerate(skeleton.model.parents) if parent == joint]


def _numbers(values: Float[np.ndarray, "3"]) -> str:
    return " ".join(f"{value:.7g}" for value in values)


def _motion(skeleton: Skeleton, scale: float, turn: Rotation) -> Float[np.ndarray, "T C"]:
    """The channels of a hand, in the order of its lines."""
    columns = [turn.apply(skeleton.wrist) * scale]

    def add(joint: int) -> None:
        rotation = Rotation.from_matrix(skeleton.rotation[:, joint])
        angles = (turn * rotation if joint == 0 else rotation).as_euler(ORDER, degrees=True)
        columns.append(np.unwrap(angles, axis=0, period=360))
        for below in _below(skeleton, joint):
            add(below)

    add(0)
    return np.concatenate(columns, axis=1)


def _tips(skeleton: Skeleton) -> Float[np.ndarray, "T 5 3"]:
    """Where the end sites are in the world, metres."""
    turns, places = skeleton.joint_poses()
    last = np.array(LAST_JOINTS)
    return places[:, last] + np.einsum("tjab,jb->tja", turns[:, last], skeleton.tip_offsets)


def _bones(skeleton: Skeleton, side: str) -> list[str]:
    """The bone map's lines of a hand."""
    lines = [f"{side} wrist = {skeleton.name}"]
    for bone, finger in _FINGER_BONES.items():
        lines += [f"{side} {finger}{number} = {skeleton.name}{bone}{number}" for number in (1, 2, 3)]
        lines.append(f"{side} {finger}4 = {skeleton.name}{bone}3 End")
    return lines
