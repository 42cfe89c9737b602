"""HOLD's `build/data.npy`: hands and object of a clip, as its training begins with them, a pickled dict.

entities.right and .left {hand_poses (T, 48): orientation and 45 numbers relative to MANO's mean (smplx with
flat_hand_mean=False), hand_trans (T, 3), mean_shape (10)} and entities.object {object_poses (T, 6): axis-angle and
translation, obj_scale, norm_mat (4, 4)}, all before one camera, y up, z backward, metres. A point v of HOLD's object is
at R (obj_scale norm_mat^-1 v) + t: the mesh to give is HOLD's own, in its normalised frame, which is brought to metres
here (zc-alexfan/hold, generator/scripts/build_dataset.py).
"""

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, need
from toch_jax.trackers.tracked import ManoTrack, Tracked

SIDES: tuple[Side, Side] = ("left", "right")


def fits(source: Source) -> bool:
    entities: Any = source.content.get("entities") if isinstance(source.content, dict) else None
    return isinstance(entities, dict) and "object" in entities and any(side in entities for side in SIDES)


def read(source: Source, reading: Reading) -> Tracked:
    """The hands and the object. Raises InputError."""
    where, entities = source.path, source.content["entities"]
    item = entities["object"]
    motion = array(where, "object_poses", need(where, item, "object_poses"), "T 6")
    frames = len(motion)
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = Rotation.from_rotvec(motion[:, :3]).as_matrix(), motion[:, 3:]
    scale = float(array(where, "obj_scale", need(where, item, "obj_scale"), ""))
    normalised = array(where, "norm_mat", need(where, item, "norm_mat"), "4 4")
    if not (np.isfinite(normalised).all() and abs(np.linalg.det(normalised)) > 0 and scale > 0):
        raise bad_input(where, "norm_mat", "a matrix with an inverse, and obj_scale above 0", f"obj_scale {scale:g}")
    sides = tuple(side for side in SIDES if side in entities)
    hands = [entities[side] for side in sides]
    pose = np.stack([array(where, "hand_poses", need(where, hand, "hand_poses"), f"{frames} 48") for hand in hands])
    transl = np.stack([array(where, "hand_trans", need(where, hand, "hand_trans"), f"{frames} 3") for hand in hands])
    betas = np.stack([array(where, "mean_shape", need(where, hand, "mean_shape"), "10") for hand in hands])
    return Tracked(
        format="hold",
        sides=sides,
        mano=ManoTrack(pose[..., :3], pose[..., 3:], transl, betas, is_relative=True),
        object_poses=poses,
        mesh_to_object=np.diag([scale, scale, scale, 1.0]) @ np.linalg.inv(normalised),
        said=(f"mesh x {scale * np.linalg.det(normalised[:3, :3]) ** (-1 / 3):.4g}, from HOLD's normalised frame",),
    )
