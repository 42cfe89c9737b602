"""A sequence's hands as NumPy arrays, for metrics, baselines and pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from toch_jax.base.arrays import put, take
from toch_jax.hand.joint_order import to_openpose
from toch_jax.hand.mesh import close_surface, closed_faces
from toch_jax.hand.model import HandModel, Side, skin_frames
from toch_jax.object.model import ObjectMotion
from toch_jax.sequence.missing_joints import bridge_joints
from toch_jax.sequence.types import Hands, Sequence


@dataclass(frozen=True)
class PosedHand:
    """One hand over a clip, in the world, metres. At least one of joints and vertices is given."""

    joints: Float[np.ndarray, "T 21 3"] | None
    """Joints in OpenPose order; single joints that the tracker lost are interpolated over time."""
    vertices: Float[np.ndarray, "T K 3"] | None
    """Vertices of the closed mesh if `faces` is given, else points on the skin."""
    faces: Int[np.ndarray, "F 3"] | None
    observed: Bool[np.ndarray, "T"]
    sigma: Float[np.ndarray, "T 21"] | None = None
    """One standard deviation of each coordinate of a joint, metres; None if the method gives none."""
    object_motion: ObjectMotion | None = None
    """The object's motion that belongs to this version of the hand; None: the sequence's."""

    def motion_in(self, sequence: Sequence) -> ObjectMotion:
        """The object's motion that the hand is compared with."""
        return sequence.object_motion if self.object_motion is None else self.object_motion

    @property
    def points(self) -> Float[np.ndarray, "T K 3"]:
        """Points on the skin, or the joints if there is no skin."""
        points = self.joints if self.vertices is None else self.vertices
        assert points is not None, "a hand has joints or vertices"
        return points


def pose_hands(sequence: Sequence, models: Mapping[Side, HandModel]) -> list[PosedHand]:
    """The sequence's hands: skinned if they have parameters, else the given joints and points.

    `faces` is None for given points that are not the vertices of the model's mesh.
    """
    hands = _posed(sequence.hands, np.asarray(sequence.hand_valid), [models[side] for side in sequence.hand_side])
    hands = [replace(hand, object_motion=sequence.object_motion) for hand in hands]
    if sequence.hand_joint_sigma is None:
        return hands
    sigmas = np.asarray(sequence.hand_joint_sigma)
    return [replace(hand, sigma=sigma) for hand, sigma in zip(hands, sigmas, strict=True)]


def pose_truth(sequence: Sequence, models: Mapping[Side, HandModel]) -> list[PosedHand] | None:
    """The ground-truth hands, observed in every frame; None if the sequence has no ground truth."""
    if sequence.truth is None:
        return None
    observed = np.ones(sequence.hand_valid.shape, dtype=bool)
    return _posed(sequence.truth, observed, [models[side] for side in sequence.hand_side])


def _posed(hands: Hands, observed: Bool[np.ndarray, "H T"], models: list[HandModel]) -> list[PosedHand]:
    posed = []
    for hand, model in enumerate(models):
        params, joints, skin = take((hands.params, hands.joints, hands.vertices), hand)
        if params is not None:
            skin, joints = skin_frames(model, params)
            joints = put(to_openpose(np.asarray(joints)))
        has_mesh = skin is not None and (params is not None or hands.vertex_order == model.name)
        posed.append(
            PosedHand(
                joints=None if joints is None else bridge_joints(np.asarray(joints)),
                vertices=None if skin is None else np.asarray(close_surface(model, skin) if has_mesh else skin),
                faces=np.asarray(closed_faces(model)) if has_mesh else None,
                observed=observed[hand],
            )
        )
    return posed
