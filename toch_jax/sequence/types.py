"""The sequence that flows in and out: tracked hands, an object and its motion."""

import jax
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from toch_jax.hand.model import HandParams, Side
from toch_jax.object.model import ObjectMotion


class Hands(struct.PyTreeNode):
    """H hands over T frames, given as any of parameters, joints and points; at least one is there. Metres.

    What is read counts in that order: parameters win, then joints, then vertices.
    """

    params: HandParams | None
    """global_orient (H,T,3), pose (H,T,45), betas (H,T,S), transl (H,T,3)."""
    joints: Float[Array, "H T 21 3"] | None
    """16 skeleton joints, then tips thumb to pinky (not OpenPose's order, which is the file's)."""
    vertices: Float[Array, "H T K 3"] | None
    vertex_order: str | None = struct.field(pytree_node=False)
    """"mano", "open" or "unordered"."""


class Sequence(struct.PyTreeNode):
    """One clip. The file that holds it is described in sequence/file.py."""

    fps: float = struct.field(pytree_node=False)
    hand_side: tuple[Side, ...] = struct.field(pytree_node=False)
    hand_model: str | None = struct.field(pytree_node=False)
    """What the parameters belong to: "open", "mano", a path, or None where there are none."""
    hands: Hands
    hand_valid: Bool[Array, "H T"]
    """False where the tracker lost the hand; the data there are finite but mean nothing."""
    object_vertices: Float[Array, "Vo 3"]
    object_faces: Int[Array, "Fo 3"]
    object_vertex_part: Int[Array, "Vo"]
    object_motion: ObjectMotion
    truth: Hands | None
    """Ground truth; read by metrics only."""
    hand_joint_sigma: Float[Array, "H T 21"] | None
    """One standard deviation of each joint (16 + tips order), metres; written by denoise."""
    notes: tuple[str, ...] = struct.field(pytree_node=False, default=())
    """What was found odd in the data and how it was treated, a line each; not written to files."""

    @property
    def n_frames(self) -> int:
        return self.object_motion.translation.shape[1]

    def frames(self, start: int, stop: int) -> "Sequence":
        """These frames alone."""
        timed = (self.hands, self.hand_valid, self.object_motion, self.truth, self.hand_joint_sigma)
        hands, valid, motion, truth, sigma = jax.tree.map(lambda leaf: leaf[:, start:stop], timed)
        return self.replace(hands=hands, hand_valid=valid, object_motion=motion, truth=truth, hand_joint_sigma=sigma)
