"""EgoDex: an episode's .hdf5.

transforms/<joint> (T, 4, 4), joint to world, metres, for leftHand, leftIndexFingerKnuckle, ... in visionOS's names;
transforms/camera (T, 4, 4), camera to world, x right, y down, z forward; camera/intrinsic (3, 3), pixels; confidences/
<joint> (T) in some files; 30 frames a second; no objects (apple/ml-egodex's layout, as read by IstariRobotics/egohub,
adapters/egodex.py, and pxxq25/egodex-dexhand-retargeting, src/egodex_dexhand/data.py). The wrist is <side>Hand; the
metacarpals of the four fingers are left out. Needs h5py: pip install 'toch-jax[hdf5]'.
"""

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.joint_names import hand_joint, taken_side, words_of
from toch_jax.trackers.joint_orders import ABSENT
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array
from toch_jax.trackers.tracked import Camera, Tracked

FPS = 30.0
SIDES: tuple[Side, Side] = ("left", "right")
_JOINTS = "transforms/"


def fits(source: Source) -> bool:
    content = source.content
    return (
        isinstance(content, dict)
        and not source.is_folder
        and {f"{_JOINTS}camera", f"{_JOINTS}leftHand"} <= set(content)
    )


def read(source: Source, reading: Reading) -> Tracked:
    """Both hands in the world. Raises InputError."""
    where, content = source.path, source.content
    to_world = array(where, f"{_JOINTS}camera", content[f"{_JOINTS}camera"], "T 4 4")
    found: dict[Side, Float[np.ndarray, "T 21 3"]] = {}
    for name in content:
        if not name.startswith(_JOINTS):
            continue
        side, words = taken_side(words_of(name.removeprefix(_JOINTS)))
        joint = hand_joint(words)
        if side is None or joint is None or joint == ABSENT:
            continue
        poses = array(where, name, content[name], "T 4 4")
        if len(poses) != len(to_world):
            raise bad_input(where, name, f"the {len(to_world)} frames of the camera", str(len(poses)))
        found.setdefault(side, np.full((len(poses), 21, 3), np.nan))[:, joint] = poses[:, :3, 3]
    for side, track in found.items():
        missing = int(np.isnan(track).all(axis=(0, 2)).sum())
        if missing:
            raise bad_input(where, f"{side} hand", "all of its joints in transforms", f"{missing} missing")
    intrinsics = None
    if "camera/intrinsic" in content:
        intrinsics = array(where, "camera/intrinsic", content["camera/intrinsic"], "3 3")
    sides = tuple(side for side in SIDES if side in found)
    return Tracked(
        format="egodex",
        sides=sides,
        joints=np.stack([found[side] for side in sides]),
        is_world=True,
        fps=FPS,
        numbers=np.arange(len(to_world)),
        camera=Camera(intrinsics, None, np.linalg.inv(to_world)),
    )
