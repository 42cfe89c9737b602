"""ARCTIC's conventions that differ from this package's. Each gives wrong hands or objects, without an error, if missed.

- Millimetres: meshes and the object's translation are in mm (`MM`); the hands are in metres.
- Hinge: the top rotates about (0, 0, -1), not +z, before both parts are moved (`object_motion`; datasets/hinged.py).
- Part labels: in the documentation label 1 is the top, in the code 0 is (`vertex_part`).
- Mean pose: hand poses are relative to MANO's mean, flat_hand_mean=False (`absolute_pose`).
- Left shape: ARCTIC uses MANO_LEFT.pkl with its fault in the shape directions (`arctic_hands`).
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from toch_jax.datasets.hand_shapes import with_shapes
from toch_jax.datasets.hinged import BOTTOM, TOP, part_motion
from toch_jax.hand.model import HandModel, Side

MM = 1e-3
"""Metres per millimetre."""
N_SHAPES = 10
"""Number of shape coefficients in ARCTIC's files."""


def object_motion(pose: Float[np.ndarray, "T 7"]) -> tuple[Float[np.ndarray, "2 T 3"], Float[np.ndarray, "2 T 3"]]:
    """Axis-angle rotation and translation (m) of bottom and top in the world.

    `pose` is ARCTIC's: hinge angle (rad), axis-angle rotation (rad), translation (mm).
    """
    return part_motion(pose[:, 0], pose[:, 1:4], pose[:, 4:] * MM)


def vertex_part(
    label: Bool[np.ndarray, "Vo"], to_top: Float[np.ndarray, "Vo"], to_bottom: Float[np.ndarray, "Vo"]
) -> Int[np.ndarray, "Vo"] | None:
    """Part of each vertex (BOTTOM or TOP) from the labels of parts.json; None if the distances cannot tell.

    Of the two meanings of the labels the one is taken with which the vertices are nearer to their part's own mesh:
    `to_top` and `to_bottom` are the distances to top.obj and bottom.obj.
    """
    if_documented = to_top[label].mean() + to_bottom[~label].mean()
    if_coded = to_top[~label].mean() + to_bottom[label].mean()
    if if_documented == if_coded:
        return None
    return np.where(label == (if_documented < if_coded), TOP, BOTTOM).astype(np.int32)


def absolute_pose(pose: Float[np.ndarray, "T 45"], model: HandModel) -> Float[np.ndarray, "T 45"]:
    """Absolute finger pose (axis-angle) from ARCTIC's, which is relative to MANO's mean pose."""
    return pose + np.asarray(model.pose_mean)


def arctic_hands(mano: dict[Side, HandModel]) -> dict[Side, HandModel]:
    """MANO with ten more shape directions: those of the left hand as ARCTIC uses them.

    ARCTIC's code uses MANO_LEFT.pkl unchanged, whose shape directions have the wrong sign of x (smplx issue 48, arctic
    issue 50). `load_hand` corrects it; for ARCTIC's coefficients the uncorrected directions are added again.
    """
    faulty = np.asarray(mano["left"].shapedirs)[..., :N_SHAPES] * np.array([-1.0, 1.0, 1.0])[:, None]
    return with_shapes(mano, faulty[..., :0], faulty)


def arctic_betas(
    n_shapes: int, right: Float[np.ndarray, "10"], left: Float[np.ndarray, "10"]
) -> Float[np.ndarray, "2 S"]:
    """Shape coefficients of both hands for the models of `arctic_hands`: the right's come first, the left's last."""
    betas = np.zeros((2, n_shapes))
    betas[0, :N_SHAPES], betas[1, -N_SHAPES:] = right, left
    return betas
