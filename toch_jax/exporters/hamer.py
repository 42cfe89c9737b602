"""HaMeR's, WiLoR's and WiLoR-mini's detections, the other way round than trackers/hamer.py reads them.

No program writes a file itself. With `--like` what the user saved of them is copied and only the hands are replaced:
points, place, parameters; what else is there (boxes, 2D points) stays as it was. Without it, for `hamer`, one .npz with
a row for each hand and frame is written: the keys are those that HaMeR's demo has in memory: pred_keypoints_3d
(N, 21, 3) and, of MANO's hand, pred_vertices (N, 778, 3), about the hand; pred_cam_t_full (N, 3) before the virtual
camera of focal length scaled_focal_length; is_right; img_size; global_orient (N, 1, 3, 3), hand_pose (N, 15, 3, 3),
betas (N, 10) (in the demo's memory inside pred_mano_params); and frame_idx. Left hands are right hands in a mirrored
image, but for WiLoR-mini. `--camera` is the real camera, whose pixels the hands keep; with the image's width and height
the virtual focal length is HaMeR's, 5000 / 256 of the longer side, else the real one.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.base.files import write_arrays
from toch_jax.exporters.detections import Row, with_hands
from toch_jax.exporters.keypoints import joints_of
from toch_jax.exporters.like import as_given, betas_of_frames, like_tracked, mirrored, write_content
from toch_jax.exporters.mano import known_frames, lost_remark, mano_arrays, matrices
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.derived import hand_meshes
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.camera import read_camera, to_virtual_camera
from toch_jax.trackers.hamer import CROP, FOCAL, image_size, is_hamer, is_wilor_mini, virtual_focal
from toch_jax.trackers.source import Source, array
from toch_jax.trackers.tracked import FLIP, Camera

N_MANO = 778
PARAMS = ("global_orient", "hand_pose", "betas")


def write_hamer(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write HaMeR's or WiLoR's detections. Raises InputError, also without the camera."""
    camera = _camera(sequence, writing)
    is_mirrored = writing.left_hands != "own"
    if writing.like is not None:
        return _like(path, sequence, writing, "hamer", is_hamer, is_mirrored)
    if path.suffix != ".npz":
        raise bad_input(path, "-o", "a file name that ends in .npz without --like", path.name)
    rows, about = hand_rows(sequence, is_mirrored)
    focal = float(FOCAL / CROP * max(camera.size) if camera.size is not None else camera.intrinsics[0, 0])  # type: ignore[index]
    rows["pred_cam_t_full"] = to_virtual_camera(camera, about, focal, None)
    hands, frames = about.shape[:2]
    right = np.array([side == "right" for side in sequence.hand_side])
    known = known_frames(sequence)
    record = {key: value[known].astype(np.float32) for key, value in rows.items()}
    record["scaled_focal_length"] = np.full(known.sum(), focal)
    record["is_right"] = np.repeat(right[:, None], frames, axis=1)[known].astype(np.float32)
    record["frame_idx"] = np.tile(np.arange(frames), (hands, 1))[known]
    if camera.size is not None:
        record["img_size"] = np.tile(np.array(camera.size), (int(known.sum()), 1))
    order = np.argsort(record["frame_idx"], kind="stable")
    write_arrays(path, {key: value[order] for key, value in record.items()})
    return lost_remark(sequence, "have no row")


def write_wilor_mini(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write WiLoR-mini's detections into the user's own file of them. Raises InputError, also without the camera."""
    _camera(sequence, writing)
    return _like(path, sequence, writing, "wilor-mini", is_wilor_mini, writing.left_hands == "mirrored")


def _camera(sequence: Sequence, writing: Writing) -> Camera:
    if writing.camera is None:
        expected = "the real camera (--camera FILE or its focal length)"
        raise bad_input(sequence.source, "camera", expected, "none")
    return read_camera(writing.camera)


def hand_rows(sequence: Sequence, is_mirrored: bool) -> tuple[dict[str, np.ndarray], Float[np.ndarray, "H T 3"]]:
    """Points about the hand and parameters by HaMeR's names, (H, T, ...), and what the points are about, metres.

    That is the model's origin, to which its own place is added, or, of joints alone, the wrist. `is_mirrored`: left
    hands are right hands in a mirrored image.
    """
    joints = joints_of(sequence)
    has_mano = sequence.hands.params is not None and sequence.hand_model != "open"
    arrays = mano_arrays(sequence) if has_mano else None
    vertices = hand_meshes(sequence).vertices if has_mano else None
    about = joints[:, :, 0] if arrays is None else arrays["transl"]
    left = np.array([is_mirrored and side == "left" for side in sequence.hand_side])
    flip = np.where(left[:, None], FLIP, 1.0)[:, None, None]
    rows: dict[str, np.ndarray] = {"pred_keypoints_3d": (joints - about[:, :, None]) * flip}
    if vertices is not None and vertices.shape[2] == N_MANO:
        rows["pred_vertices"] = (np.asarray(vertices) - about[:, :, None]) * flip
    if arrays is not None:
        rows["betas"] = betas_of_frames(arrays, sequence.n_frames)
        arrays = mirrored(arrays, sequence, transl=False) if is_mirrored else arrays
        rows["global_orient"] = np.stack([matrices(each) for each in arrays["global_orient"]])
        rows["hand_pose"] = np.stack([matrices(each) for each in arrays["pose"]])
    return rows, about


def _like(
    path: Path,
    sequence: Sequence,
    writing: Writing,
    name: str,
    is_detection: Callable[[Any], bool],
    is_mirrored: bool,
) -> tuple[str, ...]:
    """Write the user's own file of detections with the hands replaced."""
    source, tracked = like_tracked(sequence, writing, name)
    camera = read_camera(str(writing.camera))
    rows, about = hand_rows(sequence, is_mirrored)
    gone: set[str] = set()
    change = partial(_changed, source=source, camera=camera, rows=rows, about=about, gone=gone)
    content, left_out = with_hands(source, tracked, known_frames(sequence), is_detection, _place, change)
    write_content(path, content, source.path)
    said = [f"{left_out} hands of frames for which the file has no image left out"] if left_out else []
    if gone:
        said.append(f"left out, as the clip has not the hand model's parameters for them: {', '.join(sorted(gone))}")
    return (*said, *lost_remark(sequence, "have no detection"))


def _predictions(row: Row) -> Row:
    found: Row = row.get("wilor_preds", row)
    return found


def _place(row: Row) -> Float[np.ndarray, "3"] | None:
    if not _predictions(row):
        return None
    return np.ravel(np.asarray(_predictions(row)["pred_cam_t_full"], np.float64))[:3]


def _changed(
    row: Row,
    hand: int,
    frame: int,
    *,
    source: Source,
    camera: Camera,
    rows: dict[str, np.ndarray],
    about: Float[np.ndarray, "H T 3"],
    gone: set[str],
) -> Row:
    """A detection with the hand replaced; keys that the clip has nothing for are taken out and put into `gone`."""
    given = dict(_predictions(row))
    size = image_size(source, row) or camera.size
    focal = virtual_focal(source, given, size)
    place = to_virtual_camera(camera, about[hand, frame], focal, size)
    given["pred_cam_t_full"] = as_given(given["pred_cam_t_full"], place)
    params = dict(given.get("pred_mano_params", given))
    for record, keys in ((given, ("pred_keypoints_3d", "pred_vertices")), (params, PARAMS)):
        for key in keys:
            if key in record and key not in rows:
                gone.add(key)
                del record[key]
            elif key in record:
                record[key] = as_given(record[key], _in_form(source, key, record[key], rows[key][hand, frame]))
    if "pred_mano_params" in given:
        given["pred_mano_params"] = params
    else:
        given.update({key: params[key] for key in PARAMS if key in params})
        given = {key: value for key, value in given.items() if key not in PARAMS or key in params}
    return {**row, "wilor_preds": given} if "wilor_preds" in row else given


def _in_form(source: Source, key: str, old: Any, new: np.ndarray) -> np.ndarray:
    """Rotation matrices as axis-angle, where the file has them so."""
    if key not in ("global_orient", "hand_pose"):
        return new
    count = len(new)
    before = array(source.path, key, old, f"{count} 3 3", f"{count} 3", f"{3 * count}", "3 3", "3")
    return new if before.size == 9 * count else Rotation.from_matrix(new).as_rotvec()
