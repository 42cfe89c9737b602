"""Input of ManipTrans (ManipTrans/ManipTrans, CVPR 2025): what a loader of its reads, in a folder.

Its loaders are classes that derive from ManipData (README, Extending to New Hand-Object Datasets; main/dataset/base.py)
and give obj_trajectory (T, 4, 4), wrist_pos (T, 3), wrist_rot (T, 3, 3) and mano_joints, a dict of (T, 3) by names such
as index_proximal, index_intermediate, index_distal, index_tip; `right.npz` and `left.npz` have these, the joints as
mano_joints.index_proximal and so on. A right hand of MANO's 778 vertices is also written as its own demo of GRAB is
(main/dataset/grab_dataset_dexhand.py): 102_sv_dict.npy, with which the folder stands for data/grab_demo/102. There the
object's rotation multiplies row vectors. 102_obj.obj and 102_obj.urdf are the object, which its simulation reads.

Metres. The y axis points up in the arrays, as its change to the simulation's axes takes it, and z in 102_sv_dict.npy,
as in GRAB. In the first frame the object is above the origin, its lowest vertex at height 0: that is the table's top.
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import trimesh
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.base.files import atomic_folder, write_arrays, write_text
from toch_jax.exporters.keypoints import joints_of, object_matrices
from toch_jax.exporters.like import write_content
from toch_jax.exporters.mano import known_frames
from toch_jax.exporters.meshes import DIGITS
from toch_jax.exporters.own_skeleton import PALM, best_motion
from toch_jax.exporters.skeleton import upward
from toch_jax.exporters.writing import Writing
from toch_jax.hand.conventions import to_openpose
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import Side, rest_joints
from toch_jax.sequence.derived import hand_meshes
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.plain import N_MANO

OBJECT, RATE = "102_obj", 120
"""The object's name in the demo, and the frame rate by which its velocities count: 120 / skip frames a second."""
PARTS = ("proximal", "intermediate", "distal", "tip")
JOINTS = {
    f"{finger}_{part}": 1 + 4 * number + place
    for number, finger in enumerate(("thumb", "index", "middle", "ring", "pinky"))
    for place, part in enumerate(PARTS)
}
"""ManipTrans's names of OpenPose's joints beyond the wrist."""
URDF = f"""<?xml version="1.0"?>
<robot name="object">
  <link name="base">
    <visual><geometry><mesh filename="{OBJECT}.obj" scale="1 1 1"/></geometry></visual>
    <collision><geometry><mesh filename="{OBJECT}.obj" scale="1 1 1"/></geometry></collision>
  </link>
</robot>
"""
Z_UP = Rotation.from_euler("x", 90, degrees=True)
"""Turns y upwards to z upwards."""


def write_maniptrans(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the folder. Raises InputError for hinged objects, two hands of a side, and lost frames."""
    sides = sequence.hand_side
    if len(set(sides)) < len(sides):
        raise bad_input(sequence.source, "hands", "one of each side at most", ", ".join(sides))
    if len(sequence.object_motion.translation) > 1:
        raise bad_input(sequence.source, "object", "a rigid one", f"{len(sequence.object_motion.translation)} parts")
    if not known_frames(sequence).all():
        lost = int((~known_frames(sequence)).sum())
        raise bad_input(sequence.source, "hands", "a repaired clip (toch denoise)", f"{lost} lost frames")
    turn = upward(writing.up)
    poses = object_matrices(sequence)
    poses[:, :3] = turn.as_matrix() @ poses[:, :3]
    vertices = np.asarray(sequence.object_vertices, np.float64)
    low = (vertices @ poses[0, :3, :3].T + poses[0, :3, 3])[:, 1].min()
    origin = np.array([poses[0, 0, 3], low, poses[0, 2, 3]])
    poses[:, :3, 3] -= origin
    joints = _turned(joints_of(sequence).astype(np.float64), turn) - origin
    rotations = [_wrist(sequence, hand, turn) for hand in range(len(sides))]
    skin = hand_meshes(sequence).vertices
    is_demo = "right" in sides and sequence.hands.params is not None and skin is not None and skin.shape[2] == N_MANO
    said = [f"frames a second: {RATE} / skip in its loaders, here {sequence.fps:g}: skip = {RATE / sequence.fps:g}"]
    with atomic_folder(path) as folder:
        for hand, side in enumerate(sides):
            named = {f"mano_joints.{name}": joints[hand][:, joint] for name, joint in JOINTS.items()}
            record = {"obj_trajectory": poses, "wrist_pos": joints[hand][:, 0], "wrist_rot": rotations[hand]}
            arrays = {key: value.astype(np.float32) for key, value in (record | named).items()}
            write_arrays(folder / f"{side}.npz", arrays | {"fps": np.array(sequence.fps)})
        if is_demo:
            hand = sides.index("right")
            points = _turned(np.asarray(skin, np.float64)[hand], turn) - origin
            demo = _demo(sequence, hand, poses, rotations[hand], joints[hand][:, 0], points)
            write_content(folder / "102_sv_dict.npy", demo, None)
            said.append("for data/grab_demo/102 (index g0, whose loader has skip 1) write with --fps 120")
        mesh = trimesh.Trimesh(vertices, np.asarray(sequence.object_faces), process=False)
        mesh.export(folder / f"{OBJECT}.obj", include_normals=False, digits=DIGITS, header=None)
        write_text(folder / f"{OBJECT}.urdf", URDF)
    return tuple(said)


def _turned(points: Float[np.ndarray, "*axes 3"], turn: Rotation) -> Float[np.ndarray, "*axes 3"]:
    return points @ turn.as_matrix().T


def _wrist(sequence: Sequence, hand: int, turn: Rotation) -> Float[np.ndarray, "T 3 3"]:
    """The wrist's rotation in MANO's convention: MANO's own, else what turns the unposed hand's palm to the clip's."""
    side: Side = sequence.hand_side[hand]
    params = sequence.hands.params
    if params is not None and sequence.hand_model != "open":
        own = Rotation.from_rotvec(np.asarray(params.global_orient[hand], np.float64)).as_matrix()
    else:
        palm, joints = list(PALM), joints_of(sequence)[hand].astype(np.float64)
        model = load_hand("open", side)
        bones = np.asarray(rest_joints(model, jnp.zeros(model.shapedirs.shape[-1])), np.float64)
        rest = to_openpose(np.concatenate([bones, np.zeros((5, 3))]))[palm]
        own, _, _ = best_motion(np.tile(rest, (len(joints), 1, 1)), joints[:, palm])
    return turn.as_matrix() @ own


def _demo(
    sequence: Sequence,
    hand: int,
    poses: Float[np.ndarray, "T 4 4"],
    rotation: Float[np.ndarray, "T 3 3"],
    wrist: Float[np.ndarray, "T 3"],
    vertices: Float[np.ndarray, "T V 3"],
) -> dict[str, np.ndarray]:
    """102_sv_dict.npy, z upwards."""
    object_turns = Z_UP.as_matrix() @ poses[:, :3, :3]
    # transl is the wrist's place without that of the unposed hand
    rest = joints_of(sequence)[hand][:, 0] - np.asarray(sequence.hands.params.transl[hand])  # type: ignore[union-attr]
    record = {
        "object_global_orient": Rotation.from_matrix(object_turns.swapaxes(1, 2)).as_rotvec(),
        "object_transl": Z_UP.apply(poses[:, :3, 3]),
        "rhand_global_orient_gt": Rotation.from_matrix(Z_UP.as_matrix() @ rotation).as_rotvec(),
        "rhand_transl": Z_UP.apply(wrist) - rest,
        "rhand_verts": _turned(vertices, Z_UP),
    }
    return {key: value.astype(np.float32) for key, value in record.items()}
