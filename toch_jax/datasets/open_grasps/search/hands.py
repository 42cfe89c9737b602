"""Hands that grasp, in the object's frame: in JAX for the search, in NumPy for clips; their points and joints."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float

from toch_jax.datasets.open_grasps.search.hand_samples import HandSamples, finger_rotations
from toch_jax.hand.model import rest_joints, skin_rotations


class Grasp(struct.PyTreeNode):
    """A hand in the object's frame, with any leading axes."""

    rotation: Float[Array, "*batch 3 3"]
    """Rotation of the wrist, hand to object."""
    wrist: Float[Array, "*batch 3"]
    """Position of the wrist joint, metres."""
    bend: Float[Array, "*batch 15 3"]
    """Flexion, spread and twist of the finger joints, radians."""
    betas: Float[Array, "*batch S"]


@dataclass(frozen=True)
class Hand:
    """One hand over T frames (or n grasps) in the object's frame, as NumPy arrays; fields as in Grasp."""

    rotation: Float[np.ndarray, "T 3 3"]
    wrist: Float[np.ndarray, "T 3"]
    bend: Float[np.ndarray, "T 15 3"]

    def __getitem__(self, index: slice | np.ndarray) -> "Hand":
        return Hand(self.rotation[index], self.wrist[index], self.bend[index])


def to_grasp(hand: Hand, betas: Float[np.ndarray, "*#T S"]) -> Grasp:
    """The hand as a Grasp of JAX arrays. `betas`: one shape for all frames, or one per frame."""
    shapes = np.broadcast_to(betas, (len(hand.wrist), np.shape(betas)[-1]))
    arrays = (np.asarray(part, np.float32) for part in (hand.rotation, hand.wrist, hand.bend, shapes))
    return Grasp(*map(jnp.asarray, arrays))


def hand_of(grasps: Grasp, index: int) -> Hand:
    """The grasp number `index` as a Hand (T = 1)."""
    return Hand(*(np.asarray(part, np.float64)[index][None] for part in (grasps.rotation, grasps.wrist, grasps.bend)))


def join(hands: list[Hand]) -> Hand:
    """The hands concatenated in time."""
    return Hand(*(np.concatenate([getattr(hand, key) for hand in hands]) for key in ("rotation", "wrist", "bend")))


def rotated(hand: Hand, rotation: Float[np.ndarray, "a 3 3"]) -> Hand:
    """The hands in another frame with the same origin; `rotation` leads from the old frame to the new one."""
    return Hand(rotation @ hand.rotation, np.einsum("...ab,...b->...a", rotation, hand.wrist), hand.bend)


def repeated(hand: Hand, frames: int) -> Hand:
    """The hand (T = 1) repeated over `frames` frames."""
    return Hand(*(np.repeat(part, frames, axis=0) for part in (hand.rotation, hand.wrist, hand.bend)))


def pose_hand(samples: HandSamples, grasp: Grasp) -> tuple[Float[Array, "*batch K 3"], Float[Array, "*batch 21 3"]]:
    """Points and joints of the samples in the object's frame, metres."""
    rotations = jnp.concatenate([grasp.rotation[..., None, :, :], finger_rotations(samples.axes, grasp.bend)], axis=-3)
    root = rest_joints(samples.model, grasp.betas)[..., 0, :]
    return skin_rotations(samples.model, rotations, grasp.betas, grasp.wrist - root)


def ball_centres(samples: HandSamples, joints: Float[Array, "*batch 21 3"]) -> Float[Array, "*batch L 3"]:
    """Centres of the balls that approximate the hand's soft tissue, in the joints' frame."""
    ends = joints[..., samples.ball_ends, :]
    return ends[..., 0, :] + samples.ball_fraction[:, None] * (ends[..., 1, :] - ends[..., 0, :])
