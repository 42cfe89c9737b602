"""Checks that a sequence is plausible: lengths in metres, angles in radians, a hand that comes near the object."""

from pathlib import Path

import igl
import numpy as np
from jaxtyping import Bool, Float, Int

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import HandModel
from toch_jax.object.mesh import HAND_UNITS, unit_hint
from toch_jax.object.model import ObjectMotion
from toch_jax.sequence.types import Sequence

# Joints from the wrist along the middle finger to its tip (OpenPose order), and the limits on the length of this chain,
# metres, which does not depend on the pose.
MIDDLE_CHAIN = (0, 9, 10, 11, 12)
HAND_LENGTH = (0.1, 0.3)
# Limits on the longest side of the bounding box of a hand, from a fist to a flat hand, metres.
HAND_EXTENT = (0.05, 0.5)
# Largest distance allowed between hand and object in the frame where they are nearest, metres.
FARTHEST_MEETING = 0.3
# Largest distance of a point of the hand from `transl`, metres: the wrist's offset in the template plus the hand.
REACH = 0.3
LARGEST_ANGLE = 4 * np.pi
# Largest numbers of frames, and of points of each hand, that `check_meeting` measures.
MOST_FRAMES, MOST_POINTS = 2000, 32


def check_angles(where: str | Path, key: str, axis_angle: np.ndarray) -> None:
    """Raise InputError for rotations by more than LARGEST_ANGLE, which are probably in degrees. NaN is ignored."""
    largest = float(np.nan_to_num(np.linalg.norm(axis_angle, axis=-1)).max())
    if largest > LARGEST_ANGLE:
        raise bad_input(where, key, "axis-angle in radians", f"a rotation of {largest:.0f} rad: probably in degrees")


def check_hand_size(
    where: str | Path, prefix: str, data: dict[str, np.ndarray], valid: Bool[np.ndarray, "H T"]
) -> None:
    """Raise InputError if the joints (OpenPose order) or vertices in `data` do not have the size of a hand."""
    for hand, observed in enumerate(valid):
        if "joints" in data:
            chain = np.diff(data["joints"][hand, observed][:, MIDDLE_CHAIN], axis=1)
            lengths = np.linalg.norm(chain, axis=-1).sum(axis=-1)
            # NaN where the tracker missed a joint
            if np.isfinite(lengths).any():
                length = float(np.nanmedian(lengths))
                _check_length(where, f"{prefix}joints", "from wrist to middle tip along the bones", length, HAND_LENGTH)
        if "vertices" in data:
            extent = float(np.median(np.ptp(data["vertices"][hand, observed], axis=1).max(axis=-1)))
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
    valid: Bool[np.ndarray, "H T"],
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
            query = np.ascontiguousarray(local[valid[:, ::every]].reshape(-1, 3))
            query = query[np.isfinite(query).all(axis=-1)]
            squared = igl.point_mesh_squared_distance(query, vertices.astype(np.float64), own)[0]
            nearest = min(nearest, float(np.sqrt(squared.min(initial=np.inf))))
    if nearest > allowed:
        hint = ": are both in metres, and in the same world?" if nearest > 3 else ""
        expected = f"a hand that comes within {allowed:g} m of the object"
        raise bad_input(where, f"hand_{given}", expected, f"{nearest:.3g} m at the nearest{hint}")
