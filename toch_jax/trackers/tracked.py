"""What a tracker's file says of a clip, in one form for all formats."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side


@dataclass(frozen=True)
class Camera:
    """A pinhole camera; x right, y down, z forward. Parts that are not known are None."""

    intrinsics: Float[np.ndarray, "3 3"] | None = None
    """Pixels."""
    size: tuple[float, float] | None = None
    """Width and height of the image, pixels."""
    from_world: Float[np.ndarray, "T 4 4"] | None = None
    """World to camera in each frame, metres."""


@dataclass(frozen=True)
class ManoTrack:
    """Parameters of MANO's own hand of each side, as smplx names them; lost frames are NaN."""

    global_orient: Float[np.ndarray, "H T 3"]
    pose: Float[np.ndarray, "H T K"]
    """45 numbers of axis-angle, or K coefficients of MANO's principal directions (`is_pca`)."""
    transl: Float[np.ndarray, "H T 3"]
    """Metres."""
    betas: Float[np.ndarray, "H T S"] | Float[np.ndarray, "H S"]
    is_pca: bool = False
    is_relative: bool = False
    """Whether MANO's mean pose is to be added."""
    places_wrist: bool = False
    """Whether `transl` is where the wrist is, not where the model's origin is."""
    turns_about_origin: bool = False
    """Whether the hand is turned about the model's origin, not its wrist, before `transl` is added (EasyMocap)."""
    has_left_fault: bool = False
    """Whether the betas of left hands are of MANO_LEFT.pkl with its fault (hand/conventions.py)."""
    moved_by: Float[np.ndarray, "H T 4 4"] | None = None
    """Rigid motion of the posed hand into the frame of reference of `Tracked`; None: it is there already."""


@dataclass(frozen=True)
class Tracked:
    """The content of a tracker's file: H hands over T frames. Metres; lost frames are NaN."""

    format: str
    sides: tuple[Side, ...]
    joints: Float[np.ndarray, "H T 21 3"] | None = None
    """OpenPose order."""
    vertices: Float[np.ndarray, "H T 778 3"] | None = None
    """MANO's vertices."""
    mano: ManoTrack | None = None
    is_world: bool = False
    """Whether the hands are in the world's frame of reference while the camera moves; else in the camera's."""
    fps: float | None = None
    numbers: Int[np.ndarray, "T"] | None = None
    """Each frame's number in the video."""
    seconds: Float[np.ndarray, "T"] | None = None
    """The file's time of each frame, where it has stamps; they may be uneven (resampling.py)."""
    camera: Camera | None = None
    object_poses: Float[np.ndarray, "T 4 4"] | Float[np.ndarray, "P T 4 4"] | None = None
    """Object, or each of its P parts, to the frame of reference of the hands."""
    mesh_to_object: Float[np.ndarray, "4 4"] | None = None
    """From the frame of the object's mesh file to that of the poses, with its scale; None: they are the same."""
    centre_mesh: bool = False
    """Whether the poses are of the mesh file's with the centre of its bounding box at the origin."""
    object_name: str | None = None
    """As the data set calls it."""
    object_mesh: Path | None = None
    """The object's mesh file, where it lies in a known place beside the file."""
    said: tuple[str, ...] = ()
    """What was assumed or left out, a phrase each."""

    @property
    def n_frames(self) -> int:
        given = self.joints if self.joints is not None else self.vertices
        return (given if given is not None else self.mano.transl).shape[1]  # type: ignore[union-attr]


FLIP = np.array([-1.0, 1.0, 1.0])
"""Multiplies a point: the mirror image in x."""
MIRROR_AXIS_ANGLE = np.array([1.0, -1.0, -1.0])
"""Multiplies a rotation vector: the same mirror image."""


def mirrored_pose(pose: Float[np.ndarray, "*batch 45"]) -> Float[np.ndarray, "*batch 45"]:
    """The finger pose of the mirrored hand."""
    return pose * np.tile(MIRROR_AXIS_ANGLE, 15)


def rigid(turn: Float[np.ndarray, "T K"], place: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 4 4"]:
    """Matrices from axis-angle (K = 3) or quaternions xyzw (K = 4) and translations; NaN where a number of them is, and
    where a quaternion is zero.
    """
    known = np.isfinite(turn).all(axis=1) & np.isfinite(place).all(axis=1)
    if turn.shape[1] == 4:
        known &= np.linalg.norm(np.nan_to_num(turn), axis=1) > 0
    found = np.full((len(turn), 4, 4), np.nan)
    found[known] = np.eye(4)
    if known.any():
        build = Rotation.from_quat if turn.shape[1] == 4 else Rotation.from_rotvec
        found[known, :3, :3], found[known, :3, 3] = build(turn[known]).as_matrix(), place[known]
    return found


def sides_of(where: str | Path, side: str | None, n_hands: int) -> tuple[Side, ...]:
    """The sides that the user gave ("right", "left" or several with commas) for `n_hands`. Raises InputError."""
    sides: list[Side] = []
    for word in (side or "").split(","):
        match word.strip():
            case "right":
                sides.append("right")
            case "left":
                sides.append("left")
            case _:
                found = side or "nothing in the file"
                raise bad_input(where, "hand side", "--side right or --side left (or left,right)", found)
    if len(sides) != n_hands:
        raise bad_input(where, "--side", f"the sides of {n_hands} hands, with commas", str(side))
    return tuple(sides)
