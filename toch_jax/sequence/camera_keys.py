"""The camera's keys in a sequence file: checked, read and written."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Array, Float
from scipy.spatial.transform import Rotation

from toch_jax.base.arrays import put
from toch_jax.base.errors import bad_input
from toch_jax.sequence.camera import Camera
from toch_jax.sequence.checks import Reader, check_angles

CAMERA_KEYS = ("camera_intrinsics", "camera_rotation", "camera_translation")


def read_camera(reader: Reader) -> Camera | None:
    """The camera of a record whose axis T is known; None if it has none. Raises InputError."""
    given = [key for key in CAMERA_KEYS if key in reader.record]
    if not given:
        return None
    poses = {}
    for key in CAMERA_KEYS[1:]:
        fixed = reader.need(key, f" beside {given[0]}").ndim == 1
        value = reader.array(key, "3" if fixed else "T 3").astype(np.float64)
        _check_finite(reader, key, value)
        poses[key] = np.broadcast_to(value, (reader.axes["T"][0], 3))
    check_angles(reader.where, "camera_rotation", poses["camera_rotation"])
    return Camera(
        rotation=put(Rotation.from_rotvec(np.array(poses["camera_rotation"])).as_matrix(), np.float32),
        translation=put(poses["camera_translation"], np.float32),
        intrinsics=_intrinsics(reader) if "camera_intrinsics" in given else None,
    )


def _intrinsics(reader: Reader) -> Float[Array, "3 3"]:
    value = reader.array("camera_intrinsics", "3 3").astype(np.float64)
    _check_finite(reader, "camera_intrinsics", value)
    if not (value[0, 0] > 0 and value[1, 1] > 0 and np.allclose(value[2], [0, 0, 1])):
        found = f"{value.round(3).tolist()}"
        raise bad_input(reader.where, "camera_intrinsics", "pixels, [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]", found)
    return put(value, np.float32)


def _check_finite(reader: Reader, key: str, value: np.ndarray) -> None:
    if not np.isfinite(value).all():
        raise bad_input(reader.where, key, "finite numbers", f"{(~np.isfinite(value)).sum()} that are not")


def camera_arrays(camera: Camera) -> Mapping[str, np.ndarray]:
    """The inverse of `read_camera`; of a camera at rest the pose is written once."""
    rotation = Rotation.from_matrix(np.asarray(camera.rotation, np.float64)).as_rotvec().astype(np.float32)
    poses = {"camera_rotation": rotation, "camera_translation": np.asarray(camera.translation)}
    if all((value == value[:1]).all() for value in poses.values()):
        poses = {key: value[0] for key, value in poses.items()}
    return poses if camera.intrinsics is None else {"camera_intrinsics": np.asarray(camera.intrinsics), **poses}
