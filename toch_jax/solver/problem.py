"""What a trajectory is fitted to. Every term is data with weights, so one compiled solver serves every use of it.

Weights are 1 / variance (1/m2 or 1/rad2); a weight of 0 switches a row off. Everything lives in one reference frame,
usually that of the object's part which the hand holds.
"""

from flax import struct
from jaxtyping import Array, Bool, Float, Int

from toch_jax.hand.model import HandModel
from toch_jax.hand.skin_binding import Binding
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.solver.state import HandState


class SurfaceTerm(struct.PyTreeNode):
    """Points of the skin that should be at targets: correspondences of a field, or of a tracker's surface points."""

    face: Int[Array, "T M"]
    barycentric: Float[Array, "T M 3"]
    target: Float[Array, "T M 3"]
    normal: Float[Array, "T M 3"]
    """Unit direction whose weight differs from that of the two across it."""
    weight_along: Float[Array, "T M"]
    weight_across: Float[Array, "T M"]


class JointTerm(struct.PyTreeNode):
    """Joints (16 + tips) that should be at targets."""

    target: Float[Array, "T 21 3"]
    weight: Float[Array, "T 21"]


class TrackedTerm(struct.PyTreeNode):
    """The tracked hand as an observation, with Student's t errors: a gross error counts little."""

    state: HandState
    rotation_weight: Float[Array, "T 16"]
    wrist_weight: Float[Array, "T"]
    shape_weight: Float[Array, ""]
    freedom: Float[Array, ""]
    """Student's degrees of freedom."""


class SmoothTerm(struct.PyTreeNode):
    """Motion: velocity and acceleration of each of 16 rotations and of the wrist, with Student's t spread.

    Most frames of a grasp are still and a few are quick: few degrees of freedom hold the still ones still, many make
    the term plain least squares. Weights are per frame, not per second: the caller scales by the frame rate.
    """

    velocity_weight: Float[Array, "17"]
    acceleration_weight: Float[Array, "17"] | Float[Array, "T 17"]
    """Where it differs from frame to frame: of the second difference that each is the middle of."""
    freedom: Float[Array, "T"]
    """Student's degrees of freedom of each frame."""


class PriorTerm(struct.PyTreeNode):
    """Plausible hands."""

    pose_mean: Float[Array, "45"]
    pose_precision: Float[Array, "45 45"]
    lower: Float[Array, "45"]
    upper: Float[Array, "45"]
    limit_weight: Float[Array, ""]
    shape_weight: Float[Array, ""]


class ContactTerm(struct.PyTreeNode):
    """The skin stays out of the object."""

    object: ObjectModel
    motion: ObjectMotion
    """Each part relative to the reference frame."""
    skin: Binding
    """The points that are watched."""
    weight: Float[Array, "T"]
    """Of each point's depth inside the object."""
    margin: Float[Array, ""]
    """Depth that costs nothing, metres: skin gives way."""
    push_back: Float[Array, "T"]
    """0 to 1: weight of vertices that came through the middle of a thin part, whose nearest way out leads on. They are
    pushed against the direction of the skin's normal instead. At 0 they are left alone."""
    watched: int = struct.field(pytree_node=False, default=128)
    """How many points of each frame push: the deepest."""


class Problem(struct.PyTreeNode):
    """All terms of one hand's trajectory over T frames (T even)."""

    surface: SurfaceTerm
    joints: JointTerm
    tracked: TrackedTerm
    smooth: SmoothTerm
    prior: PriorTerm
    contact: ContactTerm
    frame_valid: Bool[Array, "T"]
    """False for the frames that pad the clip to its bucket."""


class HandsTerm(struct.PyTreeNode):
    """The skins of H hands stay out of each other."""

    skins: tuple[HandModel, ...]
    """Each hand, closed and coarse; its vertices are the points that are watched."""
    rotation: Float[Array, "H T 3 3"]
    """Each hand's own reference frame to one that they share."""
    translation: Float[Array, "H T 3"]
    weights: tuple[Float[Array, "T #V"], ...]
    """Of each point's depth inside another hand: of one hand's in another's, for all pairs as `permutations` orders."""
    margin: Float[Array, ""]
    """Depth that costs nothing, metres."""
    watched: int = struct.field(pytree_node=False, default=128)
    """How many points of a hand push out of another in each frame: the deepest."""
