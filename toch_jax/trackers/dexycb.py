"""DexYCB: the folder of a sequence, whose `pose.npz` is in the world, or that of one of its cameras, with labels.

- `meta.yml` in the sequence's folder: ycb_ids, ycb_grasp_ind (which of them is grasped), mano_sides, mano_calib,
  extrinsics. `calibration` lies two folders above: mano_<id>/mano.yml {betas}, extrinsics_<id>/extrinsics.yml,
  intrinsics/<serial>_640x480.yml.
- `pose.npz`: pose_m (T, 1, 51): orientation, 45 coefficients of MANO's principal directions relative to its mean, and
  smplx's translation; pose_y (T, O, 7): quaternion xyzw and translation.
- `labels_%06d.npz`: pose_m (1, 51), pose_y (O, 3, 4) and joint_3d (1, 21, 3) in OpenPose's order, before the camera, z
  forward.

A hand of zeros is absent, and so is an object whose pose is zero, or in pose.npz the identity. The left hand is
MANO_LEFT.pkl as it is. The grasped object is read, or that of `--object-key`, by its name (NVlabs/dex-ycb-toolkit:
dex_ycb.py, sequence_loader.py, layers/mano_layer.py, examples/visualize_pose.py). 30 frames a second.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.base.pickles import read_npz
from toch_jax.trackers.frame_numbers import numbered_files
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, model_beside, need, read_yaml
from toch_jax.trackers.tracked import Camera, ManoTrack, Tracked, rigid, sides_of

FPS = 30.0
"""Frames per second of the cameras."""
YCB = {
    **{1: "002_master_chef_can", 2: "003_cracker_box", 3: "004_sugar_box", 4: "005_tomato_soup_can"},
    **{5: "006_mustard_bottle", 6: "007_tuna_fish_can", 7: "008_pudding_box", 8: "009_gelatin_box"},
    **{9: "010_potted_meat_can", 10: "011_banana", 11: "019_pitcher_base", 12: "021_bleach_cleanser"},
    **{13: "024_bowl", 14: "025_mug", 15: "035_power_drill", 16: "036_wood_block", 17: "037_scissors"},
    **{18: "040_large_marker", 19: "051_large_clamp", 20: "052_extra_large_clamp", 21: "061_foam_brick"},
}
"""Names of the objects by their number in ycb_ids."""
SIZE = (640.0, 480.0)
"""Width and height of the images, pixels."""


def _labels(source: Source) -> list[Path]:
    return sorted(source.path.glob("labels_*.npz")) if source.is_folder else []


def fits(source: Source) -> bool:
    if not source.is_folder:
        return False
    whole = {"meta.yml", "pose.npz"} <= set(source.content)
    return whole or (bool(_labels(source)) and (source.path.parent / "meta.yml").is_file())


def read(source: Source, reading: Reading) -> Tracked:
    """A sequence, or what one of its cameras saw. Raises InputError."""
    labels = _labels(source)
    sequence = source.path.parent if labels else source.path
    where = sequence / "meta.yml"
    meta = read_yaml(where)
    names = [_name(where, each) for each in need(where, meta, "ycb_ids")]
    grasped = int(array(where, "ycb_grasp_ind", need(where, meta, "ycb_grasp_ind"), ""))
    wanted = reading.object_key or (names[grasped] if 0 <= grasped < len(names) else "none")
    if wanted not in names:
        raise bad_input(where, "--object-key", f"one of {', '.join(names)}", wanted)
    chosen = names.index(wanted)
    calibration = sequence.absolute().parents[1] / "calibration"
    numbers = joints = None
    if labels:
        numbers, hand, joints, poses = _from_labels(source.path, labels, chosen)
        camera, serial = _camera(calibration, source.path.name), source.path.name
    else:
        hand, poses = _whole(sequence / "pose.npz", chosen, len(names))
        camera = _master(calibration, where, meta, len(hand))
        serial = None
    hand = np.where((hand == 0).all(axis=1, keepdims=True), np.nan, hand)
    shape = calibration / f"mano_{need(where, meta, 'mano_calib')[0]}" / "mano.yml"
    return Tracked(
        format="dexycb",
        sides=sides_of(where, str(need(where, meta, "mano_sides")[0]), 1),
        joints=None if joints is None else np.where(np.isnan(hand[:, :1, None]), np.nan, joints)[None],
        mano=ManoTrack(
            hand[None, :, :3],
            hand[None, :, 3:48],
            hand[None, :, 48:],
            array(shape, "betas", need(shape, read_yaml(shape), "betas"), "10")[None],
            is_pca=True,
            is_relative=True,
            has_left_fault=True,
        ),
        is_world=not labels,
        fps=FPS,
        numbers=numbers,
        camera=camera,
        object_poses=poses,
        object_name=wanted,
        object_mesh=model_beside(sequence, "models", wanted, "textured_simple.obj"),
        said=(f"the object {wanted}" + (f" before camera {serial}" if serial else ""),),
    )


def _name(where: Path, number: Any) -> str:
    if number not in YCB:
        raise bad_input(where, "ycb_ids", "numbers from 1 to 21", repr(number))
    return YCB[number]


def _whole(path: Path, chosen: int, count: int) -> tuple[Float[np.ndarray, "T 51"], Float[np.ndarray, "T 4 4"]]:
    content = read_npz(path, ("pose_m", "pose_y"))
    hand = array(path, "pose_m", content["pose_m"], "T 1 51")[:, 0]
    items = array(path, "pose_y", content["pose_y"], f"{len(hand)} {count} 7")[:, chosen]
    absent = (items == [0, 0, 0, 1, 0, 0, 0]).all(axis=1)
    return hand, rigid(np.where(absent[:, None], np.nan, items[:, :4]), items[:, 4:])


def _from_labels(
    folder: Path, labels: list[Path], chosen: int
) -> tuple[np.ndarray, Float[np.ndarray, "T 51"], Float[np.ndarray, "T 21 3"], Float[np.ndarray, "T 4 4"]]:
    every, index = numbered_files(folder, labels)
    hand, joints = np.full((len(every), 51), np.nan), np.full((len(every), 21, 3), np.nan)
    poses = np.full((len(every), 4, 4), np.nan)
    for frame, file in zip(index, labels, strict=True):
        content = read_npz(file, ("pose_m", "pose_y", "joint_3d"))
        hand[frame] = array(file, "pose_m", content["pose_m"], "51")
        joints[frame] = array(file, "joint_3d", content["joint_3d"], "21 3")
        items = array(file, "pose_y", content["pose_y"], "O 3 4")
        if chosen >= len(items):
            raise bad_input(file, "pose_y", "a pose for each of ycb_ids", f"{len(items)}")
        if items[chosen].any():
            poses[frame] = np.vstack([items[chosen], [0, 0, 0, 1]])
    return every, hand, joints, poses


def _camera(calibration: Path, serial: str) -> Camera | None:
    """A camera's intrinsics; None if they are not beside the sequence."""
    path = calibration / "intrinsics" / f"{serial}_640x480.yml"
    if not path.is_file():
        return None
    color = need(path, read_yaml(path), "color")
    fx, fy, cx, cy = (float(array(path, key, need(path, color, key), "")) for key in ("fx", "fy", "ppx", "ppy"))
    return Camera(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), SIZE)


def _master(calibration: Path, where: Path, meta: Mapping[str, Any], count: int) -> Camera | None:
    """The camera that the others are calibrated against, in the world; None if it is not beside the sequence."""
    path = calibration / f"extrinsics_{need(where, meta, 'extrinsics')}" / "extrinsics.yml"
    if not path.is_file():
        return None
    content = read_yaml(path)
    serial = str(need(path, content, "master"))
    to_world = np.eye(4)
    to_world[:3] = array(path, serial, need(path, need(path, content, "extrinsics"), serial), "12").reshape(3, 4)
    camera = _camera(calibration, serial)
    if camera is None:
        return None
    return Camera(camera.intrinsics, camera.size, np.tile(np.linalg.inv(to_world), (count, 1, 1)))
