"""Joint positions and object pose in the world from MyoDM's joint angles, by MuJoCo's forward kinematics."""

import tempfile
from pathlib import Path

import numpy as np
from flax import struct
from jaxtyping import Float
from scipy.spatial.transform import Rotation, Slerp

from toch_jax.base.errors import missing_extra
from toch_jax.datasets.myodm.source import Recording, unpack_scene

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
