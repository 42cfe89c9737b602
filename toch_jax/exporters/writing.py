"""How the user wants a clip written. Imports nothing that takes long: the command line needs it for its help."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from toch_jax.trackers.reading import Unit


def _shown(metavar: str) -> object:
    """How the help shows an option that may be left out."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


@dataclass(frozen=True)
class Writing:
    """What a format leaves open. What is left out is as the format has it."""

    joint_order: Annotated[str, tyro.conf.arg(metavar="NAME|INDICES")] = "openpose"
    """For keypoints: openpose, mediapipe, mano, or 21 indices: the place of each of OpenPose's joints."""
    unit: Unit = "m"
    """For keypoints, BVH, meshes, and your own arrays."""
    mean_pose: Annotated[Literal["absolute", "relative"], tyro.conf.arg(metavar="absolute|relative")] = "absolute"
    """For MANO's parameters; relative: MANO's mean pose is taken off (flat_hand_mean=False)."""
    up: Annotated[Literal["x", "y", "z", "-x", "-y", "-z"], tyro.conf.arg(metavar="x|y|z|-x|-y|-z")] = "y"
    """Which axis of the clip points up, for glTF, USD, BVH, ManipTrans (whose y does) and SPIDER (z); -y before a level
    camera."""
    camera: Annotated[str | None, _shown("FILE|PIXELS")] = None
    """For hands before a camera (hamer, vitra, dyn-hamr, ...): its intrinsics, or its focal length."""
    like: Annotated[Path | None, _shown("FILE|FOLDER")] = None
    """For the trackers' formats: the tracker's own file, whose other content is kept."""
    left_hands: Annotated[Literal["own", "mirrored"] | None, _shown("own|mirrored")] = None
    """For the trackers' formats: as the file of --like was read with."""
    bone_map: Annotated[Path | None, _shown("FILE")] = None
    """For BVH: which of the joints of the file of --like is which of the hand's."""
    object_uv: Annotated[Path | None, _shown("MESH")] = None
    """For contact-image: the object's mesh with its texture coordinates."""
    object_key: Annotated[str | None, _shown("KEY")] = None
    """For HOT3D: the object's identifier."""
