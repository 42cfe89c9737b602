"""How the user wants a tracker's file read. Imports nothing that takes long: the command line needs it for its help."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
"""Metres per unit."""
Unit = Annotated[Literal["m", "cm", "mm"], tyro.conf.arg(metavar="m|cm|mm")]


def _shown(metavar: str) -> object:
    """How the help shows an option that may be left out."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


@dataclass(frozen=True)
class Reading:
    """For what a tracker's file does not say, or says wrongly. What is left out is as its format has it."""

    format: Annotated[str | None, _shown("NAME")] = None
    """The format of the hand's file, if several fit."""
    side: Annotated[str | None, _shown("right|left|left,right")] = None
    """The side of the hand; of several hands in one array, in its order."""
    joint_order: Annotated[str | None, _shown("NAME|INDICES")] = None
    """openpose, mediapipe, mano, webxr, openxr, visionos, aria, fhab, or where in the file's joints each of OpenPose's
    21 is."""
    bone_map: Annotated[Path | None, _shown("FILE")] = None
    """For BVH: which of its joints is which of the hand's; a file, or rokoko or neuron."""
    hand_key: Annotated[str | None, _shown("KEY")] = None
    """The hand's array, if a file has several that fit."""
    episode: Annotated[int | None, _shown("INT")] = None
    """The episode, where a file has several (LeRobot)."""
    hand_unit: Unit = "m"
    """Unit of the hand's joints or vertices."""
    fps: Annotated[float | None, _shown("FLOAT")] = None
    """Frames per second."""
    mean_pose: Annotated[Literal["absolute", "relative"] | None, _shown("absolute|relative")] = None
    """Relative: MANO's mean pose is to be added (smplx with flat_hand_mean=False)."""
    hand_translation: Annotated[Literal["origin", "wrist"] | None, _shown("origin|wrist")] = None
    """What MANO's translation places: the model's origin (smplx) or its wrist (manopth with center_idx=0)."""
    left_hands: Annotated[Literal["own", "mirrored"] | None, _shown("own|mirrored")] = None
    """Left hands are given as left hands, or as right hands in a mirrored image."""
    camera: Annotated[str | None, _shown("FILE|PIXELS")] = None
    """The camera's intrinsics, or its focal length."""
    object_poses: Annotated[Path | None, _shown("FILE|FOLDER")] = None
    """The object's pose in each frame: npy, npz, csv, json, txt, or a folder of 4 x 4 text files."""
    object_key: Annotated[str | None, _shown("KEY")] = None
    """The object's poses, if their file has several arrays that fit."""
    object_rotation: Annotated[
        Literal["matrix", "rows", "axis-angle", "wxyz", "xyzw"] | None, _shown("matrix|rows|axis-angle|wxyz|xyzw")
    ] = None
    """Form of the object's rotations; rows: matrices that multiply row vectors; wxyz, xyzw: a quaternion's order."""
    object_unit: Unit = "m"
    """Unit of the translations of the object's poses."""
    object_frame: Annotated[Literal["hand", "camera"], tyro.conf.arg(metavar="hand|camera")] = "hand"
    """Frame of reference of the object's poses: the hand's, or the camera's where the hand is in the world's."""
