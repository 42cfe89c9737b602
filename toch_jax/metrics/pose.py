"""A sequence's hands as plain arrays: what metrics, baselines and pictures work on."""

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
    """One hand over a clip, in the world. Metres. Joints or vertices are there, or both."""

    joints: Float[np.ndarray, "T 21 3"] | None
    """OpenPose order; those that the tracker missed one by one are bridged over time."""
    vertices: Float[np.ndarray, "T K 3"] | None
    """The closed mesh's where `faces` is there, else points on the skin."""
    faces: Int[np.ndarray, "F 3"] | None
    observed: Bool[np.ndarray, "T"]
    sigma: Float[np.ndarray, "T 21"] | None = None
    """One standard deviation of each coordinate of a joint, where the method says so."""
    object_motion: ObjectMotion | None = None
    """The object's motion beside this version of the hand, where it is not the sequence's."""

    def motion_in(self, sequence: Sequence) -> ObjectMotion:
        """The object's motion to measure the hand against."""
        return sequence.object_motion if self.object_motion is None else self.object_motion

    @property
    def points(self) -> Float[np.ndarray, "T K 3"]:
        """The skin, or the joints where there is none."""
        points = self.joints if self.vertices is None else self.vertices
        assert points is not None, "a hand has joints or vertices"
        return points


def pose_hands(sequence: Sequence, models: Mapping[Side, HandModel]) -> list[PosedHand]:
    """The sequence's hands, skinned where they have parameters, else as they came.

    Points in no known order, or of another mesh than the model's, have no faces.
    """
    hands = _posed(sequence.hands, np.asarray(sequence.hand_valid), [models[side] for side in sequence.hand_side])
    hands = [replace(hand, object_motion=sequence.object_motion) for hand in hands]
    if sequence.hand_joint_sigma is None:
        return hands
    sigmas = np.asarray(sequence.hand_joint_sigma)
    return [replace(hand, sigma=sigma) for hand, sigma in zip(hands, sigmas, strict=True)]


def pose_truth(sequence: Sequence, models: Mapping[Side, HandModel]) -> list[PosedHand] | None:
    """The true hands, which are there in every frame; None where the sequence has none."""
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
