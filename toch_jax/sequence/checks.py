"""Checks of a sequence's arrays: type and shape; then sizes in metres, angles in radians, a hand near the object."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import igl
import numpy as np
from jaxtyping import Bool, Float, Int

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import HandModel
from toch_jax.object.mesh import HAND_UNITS, unit_hint
from toch_jax.object.model import ObjectMotion
from toch_jax.sequence.types import Sequence

KINDS = {"f": "numbers", "b": "true or false", "U": "text", "i": "whole numbers"}
FIRST_AXES = {"H": "hands", "P": "object parts"}
ROTATIONS = ("rotation", "global_orient", "pose")
JOINT_HINTS = {
    16: ": these lack the fingertips, which are OpenPose's 4, 8, 12, 16, 20",
    25: ": of WebXR's 25 leave out 5, 10, 15, 20 (the metacarpals)",
    26: ": of OpenXR's 26 leave out 0 (the palm), 6, 11, 16, 21 (the metacarpals)",
}
# Joints from the wrist along the middle finger to its tip (OpenPose order), and the limits on the length of this chain,
# metres, which does not depend on the pose. Limits in this file are wide, chosen by hand.
MIDDLE_CHAIN = (0, 9, 10, 11, 12)
HAND_LENGTH = (0.1, 0.3)
# Limits on the longest side of the bounding box of a hand, from a fist to a flat hand, metres.
HAND_EXTENT = (0.05, 0.5)
# Largest distance allowed between hand and object in the frame where they are nearest, metres.
FARTHEST_MEETING = 0.3
# Largest distance of a point of the hand from `transl`, metres: the wrist's offset in the template plus the hand.
REACH = 0.3
# Largest rotation, radians: degrees are mostly beyond it.
LARGEST_ANGLE = 4 * np.pi
# Largest numbers of frames, and of points of each hand, that `check_meeting` measures.
MOST_FRAMES, MOST_POINTS = 2000, 32


@dataclass
class Reader:
    """A record to read arrays from; `axes` keeps the length of each axis and the key that it was first read from."""

    where: str | Path
    record: Mapping[str, np.ndarray]
    axes: dict[str, tuple[int, str]] = field(default_factory=dict)

    def need(self, key: str, why: str = "") -> np.ndarray:
        """The array of `key`. Raises InputError if it is missing; `why` follows "this key" in the message."""
        if key not in self.record:
            raise bad_input(self.where, key, f"this key{why}", "none")
        return np.asarray(self.record[key])

    def array(self, key: str, shape: str, kinds: str = "fiu", why: str = "") -> np.ndarray:
        """The array of `key`, checked. Raises InputError for another type or shape.

        `shape` has numbers, and letters for lengths that must agree between all arrays; `kinds` are the letters of
        numpy's dtype kinds.
        """
        value = self.need(key, why)
        if value.dtype.kind not in kinds:
            raise bad_input(self.where, key, KINDS[kinds[0]], f"{value.dtype}")
        axes = shape.split()
        expected = [int(a) if a.isdigit() else self.axes.get(a, (None, ""))[0] for a in axes]
        fits = len(value.shape) == len(axes) and all(
            e is None or e == n for e, n in zip(expected, value.shape, strict=True)
        )
        if not fits:
            known = [f"{a} = {self.axes[a][0]} from {self.axes[a][1]}" for a in axes if a in self.axes]
            wanted = f"shape ({', '.join(axes)})" + (f" with {', '.join(known)}" if known else "")
            raise bad_input(self.where, key, wanted, f"{value.shape}{_shape_hint(key, axes, expected, value.shape)}")
        for axis, length in zip(axes, value.shape, strict=True):
            if length == 0:
                raise bad_input(self.where, key, f"at least one along {axis}", str(value.shape))
            if not axis.isdigit():
                self.axes.setdefault(axis, (length, key))
        return value

    def text(self, key: str) -> str:
        return str(self.array(key, "", "U")[()])


def _shape_hint(key: str, axes: list[str], expected: list[int | None], shape: tuple[int, ...]) -> str:
    """The end of the error message: what the array seems to be instead, or nothing."""
    name = key.partition("_")[2]
    if name in ROTATIONS and shape[-2:] == (3, 3):
        return ": rotation matrices, where files hold axis-angle"
    if name in ROTATIONS and shape[-1:] == (4,):
        return ": quaternions, where files hold axis-angle"
    if name == "joints" and len(shape) >= 2 and shape[-2] in JOINT_HINTS:
        return JOINT_HINTS[shape[-2]]
    lacks_first = len(shape) == len(axes) - 1 and all(
        e is None or e == n for e, n in zip(expected[1:], shape, strict=True)
    )
    if lacks_first and axes[0] in FIRST_AXES:
        return f": the axis of the {FIRST_AXES[axes[0]]} comes first, with length 1 where there is one"
    return ""


def check_angles(where: str | Path, key: str, axis_angle: np.ndarray) -> None:
    """Raise InputError for rotations by more than LARGEST_ANGLE, which are probably in degrees. NaN is ignored."""
    largest = float(np.nan_to_num(np.linalg.norm(axis_angle, axis=-1)).max())
    if largest > LARGEST_ANGLE:
        raise bad_input(where, key, "axis-angle in radians", f"a rotation of {largest:.0f} rad: probably in degrees")


def check_hand_size(
    where: str | Path, prefix: str, data: dict[str, np.ndarray], observed: Bool[np.ndarray, "H T"]
) -> None:
    """Raise InputError if the joints (OpenPose order) or vertices in `data` do not have the size of a hand."""
    for hand, frames in enumerate(observed):
        if "joints" in data:
            chain = np.diff(data["joints"][hand, frames][:, MIDDLE_CHAIN], axis=1)
            lengths = np.linalg.norm(chain, axis=-1).sum(axis=-1)
            # NaN where the tracker missed a joint
            if np.isfinite(lengths).any():
                length = float(np.nanmedian(lengths))
                _check_length(where, f"{prefix}joints", "from wrist to middle tip along the bones", length, HAND_LENGTH)
        if "vertices" in data:
            extent = float(np.median(np.ptp(data["vertices"][hand, frames], axis=1).max(axis=-1)))
            _check_length(where, f"{prefix}vertices", "of largest extent", extent, HAND_EXTENT)


def check_betas(sequence: Sequence, model: HandModel) -> None:
    """Raise InputError if tracked or true parameters have another number of shape coefficients than the model."""
    n_betas = model.shapedirs.shape[-1]
    for prefix, hands in (("hand_", sequence.hands), ("truth_", sequence.truth)):
        if hands is not None and hands.params is not None and hands.params.betas.shape[-1] != n_betas:
            expected = f"the {n_betas} of the {model.name} hand"
            raise bad_input(sequence.source, f"{prefix}betas", expected, f"{hands.params.betas.shape[-1]}")


def _check_length(where: str | Path, key: str, what: str, found: float, limits: tuple[float, float]) -> None:
    low, high = limits
    if not low <= found <= high:
        hint = unit_hint(found, low, high, HAND_UNITS) or ": is it in metres?"
        raise bad_input(where, key, f"a hand {low:g}-{high:g} m {what}", f"{found:.4g} m{hint}")


def check_meeting(
    where: str | Path,
    data: dict[str, np.ndarray],
    observed: Bool[np.ndarray, "H T"],
    vertices: Float[np.ndarray, "Vo 3"],
    faces: Int[np.ndarray, "Fo 3"],
    vertex_part: Int[np.ndarray, "Vo"],
    motion: ObjectMotion,
) -> None:
    """Raise InputError if no hand comes near the object in any frame. `data` holds joints, vertices or `transl`."""
    given = next(name for name in ("joints", "vertices", "transl") if name in data)
    points = data[given] if given != "transl" else data[given][:, :, None]
    allowed = FARTHEST_MEETING + (REACH if given == "transl" else 0.0)
    every = -(-points.shape[1] // MOST_FRAMES)
    points = points[:, ::every, :: -(-points.shape[2] // MOST_POINTS)].astype(np.float64)
    nearest = np.inf
    for part in range(int(vertex_part.max()) + 1):
        rotation = np.asarray(motion.rotation, np.float64)[part, ::every]
        local = (points - np.asarray(motion.translation)[part, ::every][:, None]) @ rotation
        own = faces[vertex_part[faces[:, 0]] == part].astype(np.int64)
        if len(own):
            query = np.ascontiguousarray(local[observed[:, ::every]].reshape(-1, 3))
            query = query[np.isfinite(query).all(axis=-1)]
            squared = igl.point_mesh_squared_distance(query, vertices.astype(np.float64), own)[0]
            nearest = min(nearest, float(np.sqrt(squared.min(initial=np.inf))))
    if nearest > allowed:
        hint = ": are both in metres, and in the same world?" if nearest > 3 else ""
        expected = f"a hand that comes within {allowed:g} m of the object"
        raise bad_input(where, f"hand_{given}", expected, f"{nearest:.3g} m at the nearest{hint}")
