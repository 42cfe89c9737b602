"""HO-Cap: the folder of a sequence, in the world of its tag.

- `meta.yaml`: object_ids, mano_sides, subject_id, extrinsics.
- `poses_m.npy` (2, T, 51): the right hand, then the left: orientation, 45 coefficients of MANO's principal directions
  relative to its mean, and smplx's translation; rows of -1 are absent.
- `poses_o.npy` (O, T, 7): of each object of object_ids the quaternion xyzw and the translation, metres.

Two folders above lie calibration/mano/<subject_id>.yaml {betas}, calibration/extrinsics/<file> and models/<id>/
cleaned_mesh_10000.obj, metres. The left hand is MANO_LEFT.pkl as it is. `--object-key ID` chooses one of several
objects. This is the layout of the published files and their toolkit (IRVLUTD/HO-Cap: hocap_toolkit/loaders/
sequence_loader.py, layers/mano_layer.py: flat_hand_mean=False, no center_idx); the code of before the publication had
flat_hand_mean=True and center_idx=0 (`--mean-pose absolute --hand-translation wrist`). 30 frames a second.
"""

from pathlib import Path
from typing import Any

import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, model_beside, need, open_source, read_yaml
from toch_jax.trackers.tracked import Camera, ManoTrack, Tracked, rigid

FPS = 30.0
"""Frames per second of the cameras."""
SIDES: tuple[Side, Side] = ("right", "left")
"""The hands in the order of poses_m.npy."""
MESH = "cleaned_mesh_10000.obj"


def fits(source: Source) -> bool:
    return source.is_folder and {"meta.yaml", "poses_m.npy", "poses_o.npy"} <= set(source.content)


def read(source: Source, reading: Reading) -> Tracked:
    """A sequence's hands and one of its objects. Raises InputError."""
    where = source.path / "meta.yaml"
    meta = read_yaml(where)
    given = [str(side) for side in need(where, meta, "mano_sides")]
    sides = tuple(side for side in SIDES if side in given)
    if not sides or len(sides) < len(set(given)):
        raise bad_input(where, "mano_sides", "right, left or both", ", ".join(given) or "none")
    hands_file = source.path / "poses_m.npy"
    poses = array(hands_file, "poses_m", open_source(hands_file).content, "2 T 51")
    poses = np.where((poses == -1).all(axis=-1, keepdims=True), np.nan, poses)
    poses = poses[[SIDES.index(side) for side in sides]]
    name, motion = _object(source.path, where, meta, poses.shape[1], reading)
    calibration = source.path.absolute().parents[1] / "calibration"
    shape = calibration / "mano" / f"{need(where, meta, 'subject_id')}.yaml"
    betas = array(shape, "betas", need(shape, read_yaml(shape), "betas"), "10")
    return Tracked(
        format="hocap",
        sides=sides,
        mano=ManoTrack(
            poses[..., :3],
            poses[..., 3:48],
            poses[..., 48:],
            np.tile(betas, (len(sides), 1)),
            is_pca=True,
            is_relative=True,
            has_left_fault=True,
        ),
        is_world=True,
        fps=FPS,
        camera=_master(calibration, where, meta, poses.shape[1]),
        object_poses=motion,
        object_name=name,
        object_mesh=model_beside(source.path, "models", name, MESH),
        said=(f"the object {name}",),
    )


def object_names(folder: Path) -> list[str]:
    """The objects of a sequence's folder. Raises InputError."""
    where = folder / "meta.yaml"
    names = need(where, read_yaml(where), "object_ids")
    if not isinstance(names, list):
        raise bad_input(where, "object_ids", "a list of names", f"{names!r:.60}")
    return [str(name) for name in names]


def _object(folder: Path, where: Path, meta: Any, count: int, reading: Reading) -> tuple[str, np.ndarray]:
    names = object_names(folder)
    name = reading.object_key or (names[0] if len(names) == 1 else "none")
    if name not in names:
        raise bad_input(where, "--object-key", f"one of {', '.join(names)}", name)
    path = folder / "poses_o.npy"
    items = array(path, "poses_o", open_source(path).content, f"{len(names)} {count} 7")[names.index(name)]
    items = np.where((items == -1).all(axis=1, keepdims=True), np.nan, items)
    return name, rigid(items[:, :4], items[:, 4:])


def _master(calibration: Path, where: Path, meta: Any, count: int) -> Camera | None:
    """The camera that the others are calibrated against, in the world; None if it is not beside the sequence."""
    path = calibration / "extrinsics" / str(need(where, meta, "extrinsics"))
    if not path.is_file():
        return None
    content = read_yaml(path)
    serial, extrinsics = str(need(path, content, "rs_master")), need(path, content, "extrinsics")
    lens = calibration / "intrinsics" / f"{serial}.yaml"
    if not lens.is_file():
        return None
    to_master = np.stack([np.eye(4)] * 2)
    for matrix, key in zip(to_master, ("tag_1", serial), strict=True):
        matrix[:3] = array(path, key, need(path, extrinsics, key), "12").reshape(3, 4)
    color = need(lens, read_yaml(lens), "color")
    fx, fy, cx, cy = (float(array(lens, key, need(lens, color, key), "")) for key in ("fx", "fy", "ppx", "ppy"))
    # the world is that of the tag
    from_world = np.linalg.inv(to_master[1]) @ to_master[0]
    return Camera(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), None, np.tile(from_world, (count, 1, 1)))
