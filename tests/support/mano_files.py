"""A small hand in MANO's file format, and its skinning in NumPy, independent of toch_jax."""

import pickle
from pathlib import Path

import numpy as np
import scipy.sparse
from scipy.spatial.transform import Rotation

GOLDEN = Path(__file__).parents[1] / "golden" / "smplx_mano.npz"
Arrays = dict[str, np.ndarray]
SIDES = ("right", "left")


def mano_arrays(side: str) -> Arrays:
    """Contents of MANO_RIGHT.pkl or MANO_LEFT.pkl, open at the wrist.

    The left one has MANO's own error: x of its shape directions has the sign of the right hand's.
    """
    start = f"{side}_model_"
    with np.load(GOLDEN) as golden:
        arrays = {key.removeprefix(start): golden[key] for key in golden.files if key.startswith(start)}
    # the fingers of a right hand point to -x, so the wrist is at the other end
    end = np.argmax(
        np.abs(arrays["v_template"][:, 0]) * (np.sign(arrays["v_template"][:, 0]) == (1 if side == "right" else -1))
    )
    arrays["f"] = arrays["f"][~(arrays["f"] == end).any(axis=1)]
    if side == "left":
        arrays["shapedirs"] = arrays["shapedirs"] * np.array([-1, 1, 1], np.float32)[:, None]
    return arrays


def write_mano(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for side in SIDES:
        arrays = mano_arrays(side)
        content = arrays | {"J_regressor": scipy.sparse.csc_matrix(arrays["J_regressor"])}
        (folder / f"MANO_{side.upper()}.pkl").write_bytes(pickle.dumps(content, protocol=2))
    return folder


def pose_hand(
    mano: Arrays, template: np.ndarray, orient: np.ndarray, pose: np.ndarray, transl: np.ndarray
) -> np.ndarray:
    """Vertices (T, V, 3) of an unposed hand by smplx's formula: joint rotations (absolute pose), then transl."""
    parents = mano["kintree_table"][0].astype(np.int64)
    weights, posedirs = mano["weights"].astype(np.float64), mano["posedirs"].astype(np.float64)
    joints = mano["J_regressor"].astype(np.float64) @ template
    frames = []
    for turn, bend, shift in zip(orient, pose, transl, strict=True):
        angles = np.concatenate([turn[None], bend.reshape(15, 3)])
        local = Rotation.from_rotvec(angles).as_matrix()
        shaped = template + posedirs @ (local[1:] - np.eye(3)).ravel()
        world = np.zeros((16, 4, 4))
        for joint in range(16):
            step = np.eye(4)
            step[:3, :3] = local[joint]
            step[:3, 3] = joints[joint] - (joints[parents[joint]] if joint else 0)
            world[joint] = world[parents[joint]] @ step if joint else step
        world[:, :3, 3] -= np.einsum("jab,jb->ja", world[:, :3, :3], joints)
        blended = np.einsum("vj,jab->vab", weights, world)
        frames.append(np.einsum("vab,vb->va", blended[:, :3, :3], shaped) + blended[:, :3, 3] + shift)
    return np.stack(frames)
