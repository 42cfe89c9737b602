"""The user's camera, and the change of depth from a tracker's virtual camera to it."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.trackers.source import Source, Table, array, open_source
from toch_jax.trackers.tracked import Camera

_MATRIX_KEYS = ("K", "intrinsics", "camera_matrix", "cam_K", "intrinsic", "mtx")


def read_camera(given: str) -> Camera:
    """The camera from a file, or from a focal length in pixels.

    Files: 3 x 3 numbers as text (FoundationPose's cam_K.txt) or .npy; JSON or .npz with fx, fy, cx, cy (and width,
    height), or with the matrix as K, intrinsics, camera_matrix, cam_K, intrinsic or mtx. Raises InputError.
    """
    if _is_number(given):
        focal = float(given)
        if not 0 < focal < math.inf:
            raise bad_input("--camera", "focal length", "pixels, above 0", given)
        return Camera(np.array([[focal, 0, np.nan], [0, focal, np.nan], [0, 0, 1]]))
    source = open_source(Path(given))
    return camera_in(source.path, source)


def camera_in(where: str | Path, source: Source) -> Camera:
    """The camera that a file holds. Raises InputError."""
    content: Any = source.content
    if isinstance(content, dict) and not source.is_folder:
        size = _size(where, content)
        if "fx" in content:
            fx, fy, cx, cy = (
                float(array(where, key, content.get(key, content["fx"] if key == "fy" else math.nan), ""))
                for key in ("fx", "fy", "cx", "cy")
            )
            return Camera(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), size)
        for key in _MATRIX_KEYS:
            if key in content:
                value = (
                    content[key]["data"] if isinstance(content[key], dict) and "data" in content[key] else content[key]
                )
                return Camera(_matrix(where, key, value), size)
        raise bad_input(where, "camera", f"fx, fy, cx, cy or one of {', '.join(_MATRIX_KEYS)}", _keys(content))
    if isinstance(content, Table):
        content = content.numbers(where)
    return Camera(_matrix(where, "camera", content))


def _matrix(where: str | Path, key: str, value: Any) -> Float[np.ndarray, "3 3"]:
    found = array(where, key, value, "3 3", "9", "4")
    if found.shape == (4,):
        fx, fy, cx, cy = found
        found = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    found = found.reshape(3, 3)
    if not (np.isfinite(found).all() and found[0, 0] > 0 and found[1, 1] > 0 and abs(found[2, 2] - 1) < 1e-6):
        raise bad_input(where, key, "a matrix [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]", f"{found.round(3).tolist()}")
    return found


def _size(where: str | Path, content: dict[str, Any]) -> tuple[float, float] | None:
    if "width" in content and "height" in content:
        width, height = (float(array(where, key, content[key], "")) for key in ("width", "height"))
        return width, height
    return None


def _keys(content: dict[str, Any]) -> str:
    return ", ".join(map(str, content)) or "none"


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def to_real_camera(
    where: str | Path,
    place: Float[np.ndarray, "3"],
    virtual_focal: float,
    camera: Camera | None,
    size: tuple[float, float] | None,
) -> Float[np.ndarray, "3"]:
    """A hand's place before the virtual camera of HaMeR and its kind, before the real one: at the same pixel.

    The depth is multiplied by real / virtual focal length; the virtual camera looks at the image's middle, the real one
    past it by (cx, cy) (NVIDIA Video-to-Data, v2d_hamer/lib/align_hands.py). Raises InputError without a real camera.
    """
    if camera is None or camera.intrinsics is None:
        expected = f"the real camera (--camera FILE or its focal length), as the file's has {virtual_focal:.0f} pixels"
        raise bad_input(where, "camera", expected, "none")
    if not 0 < virtual_focal < math.inf:
        raise bad_input(where, "focal length", "pixels, above 0", f"{virtual_focal:g}")
    (fx, _, cx), (_, fy, cy), _ = camera.intrinsics
    depth = place[2] * fx / virtual_focal
    size = size or camera.size
    away = np.array([size[0] / 2 - cx, size[1] / 2 - cy]) if size is not None and np.isfinite([cx, cy]).all() else 0.0
    lateral = place[:2] * np.array([1.0, fx / fy]) + away * depth / np.array([fx, fy])
    return np.append(lateral, depth)


def to_virtual_camera(
    camera: Camera, place: Float[np.ndarray, "*axes 3"], virtual_focal: float, size: tuple[float, float] | None
) -> Float[np.ndarray, "*axes 3"]:
    """Places before the real camera as places before the virtual one: the inverse of `to_real_camera`."""
    assert camera.intrinsics is not None
    (fx, _, cx), (_, fy, cy), _ = camera.intrinsics
    depth = place[..., 2:]
    size = size or camera.size
    away = np.zeros(2)
    if size is not None and np.isfinite([cx, cy]).all():
        away = np.array([size[0] / 2 - cx, size[1] / 2 - cy])
    lateral = (place[..., :2] - away * depth / np.array([fx, fy])) / np.array([1.0, fx / fy])
    return np.concatenate([lateral, depth * virtual_focal / fx], axis=-1)
