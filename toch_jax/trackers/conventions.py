"""Measures that tell a convention from the numbers: the side by the fingers' bend, MANO's mean pose by its likelihood,
the form of an object's poses by how still the hand is in its frame."""

from collections.abc import Mapping

import igl
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.hand.conventions import to_openpose
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, HandParams, rest_joints, skin_frames
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.tracked import mirrored_pose

CLOSE = 0.03
"""Metres from the object within which a joint counts as touching, as in track/contact_check.py."""
MOST_FRAMES = 300
"""Frames that are measured of a longer clip."""
LIKELIER = 0.5
"""Ratio of the errors from which another convention is likelier."""
BEYOND, FAR_WITHIN = 0.4, 0.3
"""Sum over the pose's angles beyond their anatomical limits, radians, above which another mean pose is tried, and the
ratio of its sum from which it is likelier. Measured on real hands: at most 0.7 as they are, mostly below 0.1; 1 to 5
with MANO's mean added or taken off once too often."""
HARDLY, OFTEN = 0.05, 0.3
"""Shares of frames with a touching joint: of a hand that does not touch the object, and of one that does."""
AGREES = 0.015
"""Mean distance between joints of the parameters and those of the file that is not questioned, metres: definitions of
joints differ by less."""


def bend(joints: Float[np.ndarray, "T 21 3"]) -> float:
    """Mean sine by which the four fingers' outer joints bend, positive for a right hand, negative for a left.

    Fingers bend to one side only, about the axis from the little finger's first joint to the index finger's. Joints in
    OpenPose's order; frames with NaN are ignored; 0 if all have. Measured: 0.21 to 0.58 on clips of real grasps, with
    noise of 5 mm a coordinate 0.21 to 0.48.
    """
    across = joints[:, 5] - joints[:, 17]
    across = across / np.linalg.norm(across, axis=-1, keepdims=True)
    bones = np.stack([np.diff(joints[:, 5 + 4 * finger : 9 + 4 * finger], axis=1) for finger in range(4)], axis=1)
    bones = bones / np.linalg.norm(bones, axis=-1, keepdims=True)
    sines = np.einsum("tfka,ta->tfk", np.cross(bones[:, :, :-1], bones[:, :, 1:]), across)
    known = np.isfinite(sines).all(axis=(1, 2))
    return float(np.median(sines[known].mean(axis=(1, 2)))) if known.any() else 0.0


def likely_mean_pose(model: HandModel, pose: Float[np.ndarray, "T 45"]) -> str | None:
    """ "relative" if the poses are within people's limits with MANO's mean added, "absolute" if with it taken off; None
    if they are so as they are, or in no way.
    """
    mean = np.asarray(model.pose_mean)
    lower, upper = np.asarray(model.prior.lower), np.asarray(model.prior.upper)

    def beyond(poses: np.ndarray) -> float:
        return float(np.median((np.maximum(lower - poses, 0) + np.maximum(poses - upper, 0)).sum(axis=1)))

    options = {"relative": beyond(pose + mean), "absolute": beyond(pose - mean)}
    best = min(options, key=lambda name: options[name])
    taken = beyond(pose)
    return best if taken > BEYOND and options[best] < FAR_WITHIN * taken else None


def parameter_fault(
    model: HandModel, params: Mapping[str, np.ndarray], joints: Float[np.ndarray, "T 21 3"]
) -> str | None:
    """What mends parameters whose joints are not those that stand beside them; None if they agree, up to AGREES."""
    mean, pose, transl = np.asarray(model.pose_mean), params["pose"], params["transl"]
    wrist = np.asarray(rest_joints(model, jnp.asarray(params["betas"])))[:, 0]

    def error(**changed: np.ndarray) -> float:
        given = HandParams(**{key: jnp.asarray(value) for key, value in {**params, **changed}.items()})
        found = to_openpose(np.asarray(skin_frames(model, given)[1]))
        return float(np.nanmean(np.linalg.norm(found - joints, axis=-1)))

    taken = error()
    if taken < AGREES:
        return None
    options = {
        "--mean-pose relative": error(pose=pose + mean),
        "--mean-pose absolute": error(pose=pose - mean),
        "--hand-translation wrist": error(transl=transl - wrist),
        "--hand-translation origin": error(transl=transl + wrist),
        "--left-hands (own or mirrored)": error(pose=mirrored_pose(pose)),
    }
    best = min(options, key=lambda name: options[name])
    mend = f", {1e3 * options[best]:.0f} mm with {best}" if options[best] < LIKELIER * taken else ""
    return f"{1e3 * taken:.0f} mm between them{mend}"


def nearest_joint(
    sequence: Sequence, points: Float[np.ndarray, "T K 3"], poses: Float[np.ndarray, "P T 4 4"] | None = None
) -> Float[np.ndarray, "T"]:
    """Distance of the nearest point of a hand from the object's surface in each frame, metres; NaN where lost.

    `poses`, if given, are used instead of the sequence's.
    """
    distance = part_distances(sequence, points, object_matrices(sequence) if poses is None else poses)
    nearest = distance.min(axis=0)
    return np.where(np.isfinite(nearest), nearest, np.nan)


def part_distances(
    sequence: Sequence, points: Float[np.ndarray, "T K 3"], poses: Float[np.ndarray, "P T 4 4"]
) -> Float[np.ndarray, "P T"]:
    """Distance of the nearest point of a hand from the surface of each part, metres; inf where lost."""
    vertices, faces = np.asarray(sequence.object_vertices, np.float64), np.asarray(sequence.object_faces, np.int64)
    part = np.asarray(sequence.object_vertex_part)
    nearest = np.full(poses.shape[:2], np.inf)
    for index, motion in enumerate(poses):
        own = faces[part[faces[:, 0]] == index]
        local = _in_object(points, motion)
        known = np.isfinite(local).all(axis=-1)
        squared = np.full(known.shape, np.inf)
        if known.any() and len(own):
            squared[known] = igl.point_mesh_squared_distance(np.ascontiguousarray(local[known]), vertices, own)[0]
        nearest[index] = np.sqrt(squared.min(axis=1))
    return nearest


def object_matrices(sequence: Sequence) -> Float[np.ndarray, "P T 4 4"]:
    rotation = np.asarray(sequence.object_motion.rotation)
    poses = np.tile(np.eye(4), (*rotation.shape[:2], 1, 1))
    poses[..., :3, :3] = rotation
    poses[..., :3, 3] = np.asarray(sequence.object_motion.translation)
    return poses


def _in_object(points: Float[np.ndarray, "T K 3"], poses: Float[np.ndarray, "T 4 4"]) -> Float[np.ndarray, "T K 3"]:
    return np.einsum("tba,tkb->tka", poses[:, :3, :3], points - poses[:, None, :3, 3])


def likely_option(sequence: Sequence, points: Float[np.ndarray, "T K 3"], reading: Reading) -> str | None:
    """The option with which object and hand fit far better, and why; None if there is none.

    With it, a hand that does not touch the object touches it; or, for the form of the rotations, one that touches it
    slips half as far along it. On 92 clips of real grasps, with and without noise, no option is named; transposed
    rotations and swapped quaternions have at least 0.86 of the slip of the right ones.
    """
    poses = object_matrices(sequence)
    others = {option: (points, changed) for option, changed in other_conventions(poses, reading).items()}
    for option, shift in _other_translations(sequence, reading).items():
        others[option] = (points + shift, poses)
    touch, slip = _touch_and_slip(sequence, points, poses)
    for option, (moved, changed) in others.items():
        other_touch, other_slip = _touch_and_slip(sequence, moved, changed)
        if touch < HARDLY and other_touch > OFTEN:
            return f"a hand that touches it in {touch:.0%} of the frames; {other_touch:.0%} with {option}"
        # a hand that is moved may slip less by chance: it is nearer to the axis that the object turns about
        if moved is points and min(touch, other_touch) > OFTEN and other_slip < LIKELIER * slip:
            mm = f"{1e3 * slip:.1f} mm a frame along it; {1e3 * other_slip:.1f} mm"
            return f"a hand that slips by {mm} with {option}"
    return None


def _other_translations(sequence: Sequence, reading: Reading) -> dict[str, Float[np.ndarray, "3"]]:
    """How MANO's hands would be moved by the other meaning of their translation; nothing for several or other hands."""
    params = sequence.hands.params
    if params is None or len(sequence.hand_side) > 1 or reading.hand_translation is not None:
        return {}
    model = load_hand(sequence.hand_model or "open", sequence.hand_side[0])
    wrist = np.asarray(rest_joints(model, jnp.asarray(np.asarray(params.betas)[0].mean(axis=0))))[0]
    return {"--hand-translation wrist": -wrist, "--hand-translation origin": wrist}


def _touch_and_slip(
    sequence: Sequence, points: Float[np.ndarray, "T K 3"], poses: Float[np.ndarray, "P T 4 4"]
) -> tuple[float, float]:
    """Share of frames with a point within CLOSE, and the median step of the nearest points in the frame of the part
    that is touched most."""
    every = -(-len(points) // MOST_FRAMES)
    distance = part_distances(sequence, points[::every], poses[:, ::every])
    known = np.isfinite(distance).any(axis=0)
    if not known.any():
        return 0.0, np.inf
    touched = int((distance < CLOSE).sum(axis=1).argmax())
    near = distance.min(axis=0) < CLOSE
    local = _in_object(points, poses[touched])
    frames = np.flatnonzero(distance[touched] < CLOSE) * every
    frames = frames[frames + 1 < len(points)]
    steps = np.linalg.norm(local[frames + 1] - local[frames], axis=-1)
    steps = steps[np.isfinite(steps).any(axis=1)]
    slip = float(np.median(np.nanmedian(steps, axis=1))) if len(steps) else np.inf
    return float(near.sum() / known.sum()), slip


def other_conventions(
    poses: Float[np.ndarray, "*P T 4 4"], reading: Reading
) -> dict[str, Float[np.ndarray, "*P T 4 4"]]:
    """The poses as they would be with other options."""
    others: dict[str, np.ndarray] = {}
    for unit, factor in (("mm", 0.001), ("cm", 0.01)):
        if reading.object_unit == "m":
            others[f"--object-unit {unit}"] = _with(poses, translation=poses[..., :3, 3] * factor)
    transposed = poses[..., :3, :3].swapaxes(-1, -2)
    match reading.object_rotation:
        case "wxyz" | "xyzw" as form:
            quaternion = Rotation.from_matrix(poses[..., :3, :3].reshape(-1, 3, 3)).as_quat()
            # read as one order, they were of the other
            moved = np.roll(quaternion, 1 if form == "wxyz" else -1, axis=1)
            other = "xyzw" if form == "wxyz" else "wxyz"
            turned = Rotation.from_quat(moved).as_matrix().reshape(transposed.shape)
            others[f"--object-rotation {other}"] = _with(poses, turned)
        case "rows":
            others["--object-rotation matrix"] = _with(poses, transposed)
        case "matrix" | None:
            others["--object-rotation rows"] = _with(poses, transposed)
    return others


def _with(
    poses: Float[np.ndarray, "*P T 4 4"],
    rotation: Float[np.ndarray, "*P T 3 3"] | None = None,
    translation: Float[np.ndarray, "*P T 3"] | None = None,
) -> Float[np.ndarray, "*P T 4 4"]:
    changed = poses.copy()
    if rotation is not None:
        changed[..., :3, :3] = rotation
    if translation is not None:
        changed[..., :3, 3] = translation
    return changed
