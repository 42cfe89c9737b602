"""The repair of an object's tracked motion, with the help of the hands that handle it.

Tracked object poses have jitter, as hands do, and a hand repaired in the frame of such an object takes its jitter over.
Each part is repaired by itself (track/rigid_motion.py), with the noise estimated from its own differences: exact poses
stay. A hinged object's parts are repaired as independent rigid bodies, and then put on their hinge (track/hinge.py).
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from toch_jax.base.arrays import put
from toch_jax.object.model import ObjectMotion, part_middles
from toch_jax.sequence.hand_faults import frame_ranges
from toch_jax.sequence.types import Sequence
from toch_jax.track.hinge import find_hinge, on_hinge
from toch_jax.track.object_pose import FLOOR, PoseNoise, pose_noise
from toch_jax.track.part_frame import nearest_part
from toch_jax.track.pose_flips import without_flips
from toch_jax.track.reference_frame import Pose, near_share, part_mesh, surface_distance
from toch_jax.track.registered_hand import RegisteredHand
from toch_jax.track.rigid_motion import NearHand, PartMotion, RigidTrack, move_together

HAND_FLOOR = 0.001, 0.01
"""Smallest error, metres and radians per coordinate, that is assumed of a tracked hand (FitSettings.tracked_floor)."""
SIGMA_SCALE = 1.4
"""Factor on the standard deviations of the normal equations, which are too small. On eight training and the validation
clips of MyoDM, 90 % intervals of the position then hold 94 % (5 mm of noise), 77 % (2 mm) and, in gaps, 90 %."""
RAISED, LEAST_RAISE = 1.15, np.array([1e-4, 1e-3])
"""A part's repair may have this factor of its mean acceleration, and this more (metres and radians per frame^2), else
the part stays as tracked. The factor is that of fit/guard.py; noise of FLOOR has five times the second."""


def with_repaired_object(sequence: Sequence, hands: list[RegisteredHand]) -> Sequence:
    """The sequence with the poses of noisy object parts repaired, lost ones filled in, and a note on each noisy part.

    `hands` are all hands of the sequence. `object_pose_sigma` is set if any pose was changed: 0 for those that stay as
    they are, bit for bit.
    """
    middles = part_middles(np.asarray(sequence.object_vertices), np.asarray(sequence.object_vertex_part))
    motion = sequence.object_motion
    rotations, translations = np.array(motion.rotation), np.array(motion.translation)
    sigma = np.zeros((*translations.shape[:2], 6), np.float32)
    handled = [nearest_part(sequence, hand.joints, hand.observed) for hand in hands]
    notes: list[str] = []
    noises: list[PoseNoise] = []
    for part, middle in enumerate(middles):
        name = f"object{f', part {part}' if len(middles) > 1 else ''}"
        observed = sequence.object_observed[part]
        rotation, translation, flipped = without_flips(
            *part_mesh(sequence, part),
            rotations[part].astype(np.float64),
            translations[part].astype(np.float64),
            observed,
        )
        if flipped.any():
            notes.append(f"{name}: {frame_ranges(flipped)} turned by a symmetry of its shape: turned back")
            rotations[part, flipped], translations[part, flipped] = rotation[flipped], translation[flipped]
        # the middle, not the origin, which may be far away: there a rotation would look like a translation
        position = rotation @ middle + translation
        noise = pose_noise(position, rotation, observed)
        noises.append(noise)
        changed = ~observed if noise.is_exact else np.ones_like(observed)
        if not changed.any():
            continue
        near = [_near(sequence, part, hand) for hand, own in zip(hands, handled, strict=True) if own == part]
        found = move_together(_track(position, rotation, observed, noise, FLOOR), near, sequence.fps)
        before = _acceleration(position, rotation, observed)
        shakes_more = (_acceleration(found.position, found.rotation, observed) > RAISED * before + LEAST_RAISE).any()
        if shakes_more:
            changed = ~observed
            notes.append(f"{name}: its repaired pose would shake more than the tracked one: left as tracked")
        rotations[part, changed] = found.rotation[changed]
        translations[part, changed] = (found.position - found.rotation @ middle)[changed]
        sigma[part, changed] = _sigma(found, middle)[changed]
        if not noise.is_exact and not shakes_more:
            shakes = f"{1e3 * noise.position:.1f} mm and {np.rad2deg(noise.rotation):.1f} degrees a coordinate"
            notes.append(f"{name}: its tracked pose shakes by {shakes}: smoothed")
    if len(middles) == 2 and not any(noise.is_exact for noise in noises):
        parts = Pose(rotations[0], translations[0]), Pose(rotations[1], translations[1])
        hinge = find_hinge(parts, np.asarray(sequence.object_observed.all(axis=0)), _both(noises))
        if hinge is not None:
            for part, pose in enumerate(on_hinge(parts, hinge)):
                rotations[part], translations[part] = pose
            notes.append("object: its parts are kept on their hinge")
    return sequence.replace(
        object_motion=ObjectMotion(rotation=put(rotations), translation=put(translations)),
        object_valid=None,
        object_pose_sigma=put(sigma) if sigma.any() else None,
        notes=(*sequence.notes, *notes),
    )


def _both(noises: list[PoseNoise]) -> tuple[float, float]:
    """Noise of the pose of one part seen from another, metres and radians per coordinate."""
    first, second = noises
    return float(np.hypot(first.position, second.position)), float(np.hypot(first.rotation, second.rotation))


def _near(sequence: Sequence, part: int, hand: RegisteredHand) -> NearHand:
    """A hand as a rigid body: the mean of its joints and its wrist's rotation."""
    joints = np.asarray(hand.joints, np.float64)
    position = joints.mean(axis=1)
    rotation = Rotation.from_rotvec(np.asarray(hand.world.global_orient, np.float64)).as_matrix()
    noise = pose_noise(position, rotation, hand.observed)._replace(position_shape=np.eye(3), rotation_shape=np.eye(3))
    usable = hand.observed & sequence.object_observed[part]
    share = np.zeros(len(usable))
    if usable.any():
        share = near_share(surface_distance(sequence, part, joints, usable), sequence.fps)
    return NearHand(_track(position, rotation, hand.observed, noise, HAND_FLOOR), share)


def _track(
    position: Float[np.ndarray, "T 3"],
    rotation: Float[np.ndarray, "T 3 3"],
    observed: Bool[np.ndarray, "T"],
    noise: PoseNoise,
    floor: tuple[float, float],
) -> RigidTrack:
    precisions = [
        np.linalg.inv(level**2 * shape + least**2 * np.eye(3))
        for level, shape, least in zip(noise[:2], noise[2:], floor, strict=True)
    ]
    return RigidTrack(position, rotation, observed, *precisions)


def _acceleration(
    position: Float[np.ndarray, "T 3"], rotation: Float[np.ndarray, "T 3 3"], observed: Bool[np.ndarray, "T"]
) -> Float[np.ndarray, "2"]:
    """Mean second differences of position (metres) and rotation (rad) over observed frames, 0 for none."""
    steps = Rotation.from_matrix(np.swapaxes(rotation[:-1], 1, 2) @ rotation[1:]).as_rotvec()
    lengths = np.linalg.norm([np.diff(position, n=2, axis=0), np.diff(steps, axis=0)], axis=-1)
    counted = observed[2:] & observed[1:-1] & observed[:-2]
    return lengths[:, counted].mean(axis=1) if counted.any() else np.zeros(2)


def _sigma(found: PartMotion, middle: Float[np.ndarray, "3"]) -> Float[np.ndarray, "T 6"]:
    """Standard deviations of the rotation vector in the world (rad) and of the part's origin (m).

    The origin is o - R m: an error R exp(w) of the rotation moves it by R (m x w).
    """
    rotation = found.rotation
    lever = np.cross(middle, np.eye(3)).T
    to_sigma = np.zeros((len(rotation), 6, 6))
    to_sigma[:, :3, 3:] = rotation
    to_sigma[:, 3:, :3] = np.eye(3)
    to_sigma[:, 3:, 3:] = rotation @ lever
    return SIGMA_SCALE * np.sqrt(np.einsum("tij,tjk,tik->ti", to_sigma, found.covariance, to_sigma))
