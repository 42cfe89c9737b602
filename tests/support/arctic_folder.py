"""A folder with ARCTIC's layout and file formats, and the results of its authors' formulas."""

import json
from pathlib import Path

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from support.grab_folder import smooth
from support.mano_files import SIDES, mano_arrays, pose_hand

FILES = ("mesh.obj", "parts.json", "top.obj", "bottom.obj")


def halves() -> tuple[trimesh.Trimesh, trimesh.Trimesh]:
    """Bottom and top of a box with a lid (mm), which meet at the hinge, the z axis."""
    bottom = trimesh.creation.box((80, 30, 60)).apply_translation((45, -16, 0))
    top = trimesh.creation.box((80, 10, 60)).apply_translation((45, 6, 0))
    return bottom, top


def write_object(folder: Path, top_label: int) -> np.ndarray:
    """Write the files of one object and return whether each vertex of mesh.obj belongs to the top."""
    folder.mkdir(parents=True, exist_ok=True)
    bottom, top = halves()
    whole = trimesh.util.concatenate([top, bottom])
    is_top = np.arange(len(whole.vertices)) < len(top.vertices)
    whole.export(folder / "mesh.obj")
    # the parts' own meshes have more vertices
    top.subdivide().export(folder / "top.obj")
    bottom.subdivide().export(folder / "bottom.obj")
    labels = np.where(is_top, top_label, 1 - top_label)
    (folder / "parts.json").write_text(json.dumps(labels.tolist()))
    return is_top


def recording(rng: np.random.Generator, frames: int, per_frame_shape: bool) -> tuple[dict, np.ndarray]:
    """Contents of .mano.npy and .object.npy; the object's pose is articulation, axis-angle (rad), translation (mm)."""
    place = smooth(rng, frames, 3, 0.1) + np.array([0.1, 0.9, -0.3])
    pose = np.concatenate([smooth(rng, frames, 1, 0.7), smooth(rng, frames, 3, 0.8), place * 1000], axis=1)
    hands = {}
    for side in SIDES:
        shape = rng.normal(0, 1, 10)
        hands[side] = {
            "rot": smooth(rng, frames, 3, 1.0),
            "pose": smooth(rng, frames, 45, 0.3),
            "trans": place + smooth(rng, frames, 3, 0.02),
            "shape": np.tile(shape, (frames, 1)) if per_frame_shape else shape,
            "fitting_err": rng.random(frames),
        }
    return hands, pose


def write_arctic(root: Path, protocol: dict[str, list[str]], frames: int = 60, seed: int = 0) -> dict[str, tuple]:
    """Write the folder and return the contents of each recording.

    `protocol` lists the recordings of each split; files of the test split are not written. Part labels of every other
    object are swapped.
    """
    rng = np.random.default_rng(seed)
    (root / "splits_json").mkdir(parents=True, exist_ok=True)
    for number in (1, 2):
        splits = protocol if number == 1 else {**protocol, "train": protocol["val"], "val": protocol["train"]}
        (root / f"splits_json/protocol_p{number}.json").write_text(json.dumps(splits))
    names = [name for split in ("train", "val") for name in protocol[split]]
    for number, thing in enumerate(sorted({name.split("/")[1].split("_")[0] for name in names})):
        write_object(root / "meta/object_vtemplates" / thing, top_label=number % 2)
    contents = {}
    for number, name in enumerate(names):
        hands, pose = recording(rng, frames, per_frame_shape=bool(number % 2))
        path = root / "raw_seqs" / f"{name}.mano.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.array(hands, dtype=object), allow_pickle=True)
        np.save(path.with_name(path.name.replace(".mano.", ".object.")), pose)
        contents[name.replace("/", "_")] = hands, pose
    return contents


def official_hand(hands: dict, side: str) -> np.ndarray:
    """Vertices of smplx.MANO(use_pca=False, flat_hand_mean=False), with MANO_LEFT.pkl's uncorrected directions."""
    mano, params = mano_arrays(side), hands[side]
    template = mano["v_template"] + mano["shapedirs"].astype(np.float64) @ np.atleast_2d(params["shape"])[0]
    return pose_hand(mano, template, params["rot"], params["pose"] + mano["hands_mean"], params["trans"])


def official_object(pose: np.ndarray) -> np.ndarray:
    """Vertices (m) of ARCTIC's ObjectTensors: the top rotated about (0, 0, -1), then both parts posed."""
    bottom, top = halves()
    still, lid = np.asarray(bottom.vertices) / 1000, np.asarray(top.vertices) / 1000
    angle = pose[:, 0]
    about_z = np.zeros((len(pose), 3, 3))
    about_z[:, 0, 0], about_z[:, 0, 1] = np.cos(angle), np.sin(angle)
    about_z[:, 1, 0], about_z[:, 1, 1] = -np.sin(angle), np.cos(angle)
    about_z[:, 2, 2] = 1
    vertices = np.concatenate(
        [np.einsum("tab,vb->tva", about_z, lid), np.broadcast_to(still, (len(pose), *still.shape))], axis=1
    )
    turn = Rotation.from_rotvec(pose[:, 1:4]).as_matrix()
    return np.einsum("tab,tvb->tva", turn, vertices) + pose[:, None, 4:] / 1000
