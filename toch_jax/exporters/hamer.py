"""HaMeR's and WiLoR's detections, the other way round than trackers/hamer.py reads them: one .npz with a row for each
hand and frame.

Neither program writes a file itself; the keys are those that its demo has in memory: pred_keypoints_3d (N, 21, 3) and,
of MANO's hand, pred_vertices (N, 778, 3), about the hand; pred_cam_t_full (N, 3) before the virtual camera of focal
length scaled_focal_length; is_right; img_size; global_orient (N, 1, 3, 3), hand_pose (N, 15, 3, 3), betas (N, 10) (in
the demo's memory inside pred_mano_params); and frame_idx. Left hands are right hands in a mirrored image. `--camera` is
the real camera, whose pixels the hands keep; with the image's width and height the virtual focal length is HaMeR's,
5000 / 256 of the longer side, else the real one.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.base.files import write_arrays
from toch_jax.exporters.dyn_hamr import as_right_hands
from toch_jax.exporters.keypoints import joints_of
from toch_jax.exporters.mano import known_frames, lost_remark, matrices
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.derived import hand_meshes
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.camera import read_camera
from toch_jax.trackers.hamer import CROP, FOCAL
from toch_jax.trackers.tracked import FLIP, Camera

N_MANO = 778


def write_hamer(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the detections. Raises InputError, also without the camera."""
    if writing.camera is None:
        expected = "the real camera (--camera FILE or its focal length)"
        raise bad_input(sequence.source, "camera", expected, "none")
    camera = read_camera(writing.camera)
    joints = joints_of(sequence)
    has_mano = sequence.hands.params is not None and sequence.hand_model != "open"
    arrays = as_right_hands(sequence) if has_mano else None
    vertices = hand_meshes(sequence).vertices if has_mano else None
    right = np.array([side == "right" for side in sequence.hand_side])
    flip = np.where(right[:, None], 1.0, FLIP)[:, None]
    # what the points are about: the model's origin, to which its own place is added, else the wrist
    about = arrays["transl"] * flip if arrays is not None else joints[:, :, 0]
    rows: dict[str, np.ndarray] = {"pred_keypoints_3d": (joints - about[:, :, None]) * flip[:, None]}
    if vertices is not None and vertices.shape[2] == N_MANO:
        rows["pred_vertices"] = (np.asarray(vertices) - about[:, :, None]) * flip[:, None]
    place, focal = _virtual(camera, about)
    rows["pred_cam_t_full"] = place
    hands, frames = about.shape[:2]
    if arrays is not None:
        betas = arrays["betas"]
        rows["global_orient"] = np.stack([matrices(each) for each in arrays["global_orient"]])
        rows["hand_pose"] = np.stack([matrices(each) for each in arrays["pose"]])
        rows["betas"] = betas if betas.ndim == 3 else np.repeat(betas[:, None], frames, axis=1)
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


def _virtual(camera: Camera, place: Float[np.ndarray, "H T 3"]) -> tuple[Float[np.ndarray, "H T 3"], float]:
    """Places before the real camera as places before HaMeR's virtual one, and its focal length, pixels.

    The inverse of `trackers.camera.to_real_camera`: the depth grows with the focal length, the pixel stays.
    """
    assert camera.intrinsics is not None
    (fx, _, cx), (_, fy, cy), _ = camera.intrinsics
    focal = float(FOCAL / CROP * max(camera.size) if camera.size is not None else fx)
    depth = place[..., 2:]
    away = np.zeros(2)
    if camera.size is not None and np.isfinite([cx, cy]).all():
        away = np.array([camera.size[0] / 2 - cx, camera.size[1] / 2 - cy])
    lateral = (place[..., :2] - away * depth / np.array([fx, fy])) / np.array([1.0, fx / fy])
    return np.concatenate([lateral, depth * focal / fx], axis=-1), focal
