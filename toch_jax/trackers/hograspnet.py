"""HOGraspNet: the folder of a trial, or of one camera's annotation in it, `<camera>_<frame>.json`, centimetres.

annotations[0].data: the 21 joints in OpenPose's order in the world, which is the frame of the camera `mas`;
hand.3D_pose_per_cam, beside it, is before the file's own camera. Mesh[0]: object_mat (4, 4), of the mesh object_file,
mano_side, and for manopth with flat_hand_mean=True and center_idx=0 mano_trans (1, 3), which is the orientation,
mano_pose (1, 45), mano_betas (1, 10). The hand is MANO's in millimetres divided by hand.mano_scale, with the wrist at
its joint; hand.mano_xyz_root may be that of another frame. calibration: intrinsic (3, 3), extrinsic (3, 4), world to
camera (UVR-WJCHO/HOGraspNet: docs/data_structure.md, scripts/visualization.py).

The meshes lie in `obj_scanned_models/<name>/<name>.obj`, centimetres, four of them in another size (scripts/config.py).
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.frame_numbers import numbered_files
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, model_beside, need, open_source
from toch_jax.trackers.tracked import Camera, ManoTrack, Tracked

KEYS = {"annotations", "Mesh", "hand", "calibration"}
CM = 0.01
MM_PER_CM = 10.0
"""mano_scale of a hand of MANO's size."""
OTHER_SIZE = 0.02
"""Share by which a hand may be larger or smaller than MANO's whose parameters are taken: 2 mm at the finger tips."""
OBJECT_SCALE = {5: 0.8296698468, 11: 0.1035083229, 13: 0.6706711338, 16: 0.43}
"""Factors of the meshes that are of another size, by the object's number; of the others it is 1 (scripts/config.py)."""
SIZE = (1920.0, 1080.0)
"""Of the images, pixels."""


def _files(folder: Path) -> list[Path]:
    """The files of the folder, or of the camera `mas` in it."""
    for each in (folder, folder / "mas", folder / "annotation" / "mas"):
        files = sorted(each.glob("*_*.json")) if each.is_dir() else []
        if files:
            return files
    return []


def fits(source: Source) -> bool:
    files = _files(source.path) if source.is_folder else []
    return bool(files) and _is_frame(open_source(files[0]).content)


def _is_frame(content: Any) -> bool:
    return isinstance(content, dict) and set(content) >= KEYS and isinstance(content["hand"], dict)


def read(source: Source, reading: Reading) -> Tracked:
    """A trial's hand, object and camera. Raises InputError."""
    files = _files(source.path)
    every, index = numbered_files(source.path, files)
    rows = [_frame(path) for path in files]
    tracks: dict[str, np.ndarray] = {}
    for key in ("orient", "pose", "betas", "joints", "object"):
        values = np.stack([row[key] for row in rows])
        tracks[key] = np.full((len(every), *values.shape[1:]), np.nan)
        tracks[key][index] = values
    first = rows[0]
    for path, row in zip(files, rows, strict=True):
        for key in ("side", "object_name"):
            if row[key] != first[key]:
                raise bad_input(path, key, f"{first[key]}, as in {files[0].name}", row[key])
    size = MM_PER_CM / np.median([row["scale"] for row in rows])
    is_mano = abs(size - 1) < OTHER_SIZE
    name = first["object_name"]
    number = int(name.split("_")[0]) if name.split("_")[0].isdigit() else 0
    scale = CM * OBJECT_SCALE.get(number, 1.0)
    wrist = tracks["joints"][:, 0]
    orient, pose, betas = (tracks[key][None] for key in ("orient", "pose", "betas"))
    return Tracked(
        format="hograspnet",
        sides=(first["side"],),
        joints=tracks["joints"][None],
        mano=ManoTrack(orient, pose, wrist[None], betas, places_wrist=True, has_left_fault=True) if is_mano else None,
        is_world=True,
        numbers=every,
        camera=Camera(first["intrinsics"], SIZE, np.tile(first["camera"], (len(every), 1, 1))),
        object_poses=tracks["object"],
        mesh_to_object=np.diag([scale, scale, scale, 1.0]),
        object_name=name,
        object_mesh=model_beside(files[0].parents[2], "obj_scanned_models", name, f"{name}.obj"),
        said=(
            f"mesh x {scale:.4g}",
            *(() if is_mano else (f"joints, as the hand is MANO's x {size:.3g}",)),
        ),
    )


def _frame(path: Path) -> dict[str, Any]:
    """One file; metres."""
    content = open_source(path).content
    if not _is_frame(content):
        raise bad_input(path, "file", f"the keys {', '.join(sorted(KEYS))}", type(content).__name__)
    mesh, points = (_first(path, content, key) for key in ("Mesh", "annotations"))
    calibration = content["calibration"]

    def take(record: Any, key: str, *shapes: str) -> Float[np.ndarray, "*axes"]:
        return array(path, key, need(path, record, key), *shapes)

    side: Side = "left" if need(path, mesh, "mano_side") == "left" else "right"
    object_pose, from_world = take(mesh, "object_mat", "4 4"), np.eye(4)
    from_world[:3] = take(calibration, "extrinsic", "3 4", "12").reshape(3, 4)
    for pose in (object_pose, from_world):
        pose[:3, 3] *= CM
    scale = float(take(content["hand"], "mano_scale", ""))
    if not scale > 0:
        raise bad_input(path, "mano_scale", "above 0", f"{scale:g}")
    return {
        "side": side,
        "orient": take(mesh, "mano_trans", "3"),
        "pose": take(mesh, "mano_pose", "45"),
        "betas": take(mesh, "mano_betas", "10"),
        "joints": CM * take(points, "data", "21 3", "63").reshape(21, 3),
        "scale": scale,
        "object": object_pose,
        "object_name": Path(str(need(path, mesh, "object_file"))).stem,
        "intrinsics": take(calibration, "intrinsic", "3 3"),
        "camera": from_world,
    }


def _first(path: Path, content: dict[str, Any], key: str) -> Any:
    if not isinstance(content[key], list) or not content[key]:
        raise bad_input(path, key, "a list of one record", type(content[key]).__name__)
    return content[key][0]
