"""A generated wheel with MyoDM's layout and a hand of straight bones that bend about one axis."""

import io
import zipfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import trimesh

from toch_jax.datasets.myodm import source
from toch_jax.datasets.myodm.hand_points import rest_pose
from toch_jax.hand.files import load_hand

# Parent of each body; each digit has four hinges, the first two at its root.
PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
REST_PLACE = np.array([0.0, 0.0, 0.035])


def rest_joints() -> np.ndarray:
    """Joints and tips (21, 3) of the unposed open hand, so that retargeting to it is exact."""
    hand = load_hand("open")
    return np.asarray(rest_pose(hand, jnp.zeros(hand.shapedirs.shape[2])), np.float64)


def scene(joints: np.ndarray) -> str:
    """The MuJoCo model: slides and hinges of the arm, the wrist, then each digit; every hinge is about z."""
    hinge = '<joint type="hinge" axis="0 0 1"/>'
    mass = '<inertial pos="0 0 0" mass="1" diaginertia="1 1 1"/>'

    def body(joint: int) -> str:
        place = " ".join(f"{x:.17g}" for x in joints[joint] - (joints[PARENTS[joint]] if joint else 0))
        children = "".join(body(child) for child in CHILDREN_IN_ORDER if PARENTS[child] == joint)
        hinges = {0: 3}.get(joint, 2 if PARENTS[joint] == 0 else 1)
        tip = {15: 16, 3: 17, 6: 18, 12: 19, 9: 20}.get(joint)
        site = ""
        if tip is not None:
            at = " ".join(f"{x:.17g}" for x in joints[tip] - joints[joint])
            site = f'<site name="{source.TIP_SITES[tip - 16]}" pos="{at}"/>'
        name = source.BODIES[joint]
        return f'<body name="{name}" pos="{place}">{mass}{hinge * hinges}{site}{children}</body>'

    slides = "".join(f'<joint type="slide" axis="{axis}"/>' for axis in ("1 0 0", "0 1 0", "0 0 1"))
    rest = " ".join(map(str, REST_PLACE))
    return (
        '<mujoco><compiler angle="radian"/><worldbody>'
        f"<body>{mass}{slides}{hinge * 3}{body(0)}</body>"
        f'<body name="OBJECT_NAME" pos="{rest}">{mass}{slides}</body></worldbody></mujoco>'
    )


# MyoDM's order of joint angles: thumb, then index to little finger.
CHILDREN_IN_ORDER = (13, 14, 15, 1, 2, 3, 4, 5, 6, 10, 11, 12, 7, 8, 9)
FIRST_ANGLE = {13: 9, 1: 13, 4: 17, 10: 21, 7: 25}


def clip(frames: int = 4, seed: int = 0) -> dict[str, np.ndarray]:
    """Random joint angles and object poses at 50 Hz."""
    rng = np.random.default_rng(seed)
    pose = np.concatenate([rng.normal(0, 0.1, (frames, 3)), rng.normal(size=(frames, 4))], axis=1)
    pose[:, 3:] /= np.linalg.norm(pose[:, 3:], axis=1, keepdims=True)
    robot = rng.normal(0, 0.3, (frames, 29))
    return {
        "time": 0.02 * np.arange(frames),
        "robot": robot,
        "object": pose,
        "robot_init": robot[1],
        "object_init": pose[1],
    }


def write_wheel(path: Path, clips: dict[str, dict[str, np.ndarray]], meshes: dict[str, trimesh.Trimesh]) -> Path:
    """Write a wheel that pip accepts to `path`."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(source.SCENE, scene(rest_joints()))
        archive.writestr("myosuite/__init__.py", "raise SystemExit('a wheel is read, never run')")
        for name, arrays in clips.items():
            stored = io.BytesIO()
            np.savez(stored, **arrays)
            archive.writestr(source.CLIPS.format(name), stored.getvalue())
        for name, mesh in meshes.items():
            archive.writestr(source.MESH.format(name), mesh.export(file_type="stl"))
        info = "tinydm-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinydm\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path
