"""What the fit assumes of hands, trackers and motion."""

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

Scalar = Float[Array, ""] | float


class Levels(struct.PyTreeNode):
    """Standard deviations of a coordinate: wrist position (m), wrist rotation (rad), finger joint rotation (rad)."""

    wrist: Scalar
    orient: Scalar
    fingers: Scalar

    def by_group(self) -> Float[Array, "17"]:
        """In the order of the fit's unknowns: wrist rotation, 15 finger joints, wrist position."""
        return jnp.stack([jnp.asarray(level, jnp.float32) for level in (self.orient, *[self.fingers] * 15, self.wrist)])


class FitSettings(struct.PyTreeNode):
    """Standard deviations unless said otherwise; tuned by hand on validation clips of MyoDM and open_grasps."""

    velocity: Levels = Levels(wrist=1.0, orient=10.0, fingers=10.0)
    """Per second, in the object's frame."""
    acceleration: Levels = Levels(wrist=4.0, orient=8.0, fingers=15.0)
    """Per second squared, of a hand whose speed is not known."""
    quickness: Levels = Levels(wrist=26.0, orient=26.0, fingers=24.0)
    """Acceleration over speed (1/s): a slow hand accelerates little."""
    least_pace: Levels = Levels(wrist=0.1, orient=0.6, fingers=0.6)
    """Least speed that `quickness` is multiplied with, per second."""
    pace_time: Scalar = 0.067
    """Standard deviation of the Gaussian that the speed is averaged with, seconds."""
    motion_freedom: Scalar = 5.0
    """Degrees of freedom of Student's t for velocity and acceleration: fast frames are rare, not impossible."""
    tracked_floor: Levels = Levels(wrist=0.001, orient=0.01, fingers=0.02)
    """Least standard deviation of the tracked hand, however steady it is."""
    tracked_assumed: Levels = Levels(wrist=0.005, orient=0.05, fingers=0.1)
    """Noise assumed where a clip is too short to estimate it."""
    finger_bias: tuple[Scalar, Scalar] = (4.0, 0.1)
    """Fingers that shake also have slow errors. Their standard deviation is this many times the estimated noise, but
    at most this angle (rad) unless the noise itself is larger."""
    tracked_freedom: Scalar = 8.0
    """Degrees of freedom of Student's t for the tracked hand in the second pass: a gross error counts little."""
    tracked_shape: Scalar = 0.1
    """Of the tracked shape coefficients (betas, which have standard deviation 1 over people)."""
    field_strength: Scalar = 0.02
    """How many independent observations all correspondences of a frame count as."""
    joint_strength: Scalar = 0.3
    """How many independent observations the denoiser's 21 joints of a frame count as."""
    steady_noise: Scalar = 0.002
    """Joint noise (metres per coordinate) at which the denoiser's weight is halved, in frames that were observed: the
    less the tracker shakes, the less the denoiser counts. A fifth of the noise in the shipped network's training."""
    depth: Scalar = 0.001
    """Penetration depth of a point whose skin faces into the object, metres."""
    push_back_from: tuple[Scalar, Scalar] = (0.0015, 0.003)
    """Penetration depth left after the second pass (metres, running mean) at which the third begins to act on a frame,
    and at which it acts in full. Noise of T(0.02), R(0.5) or B(0.01,0.3) on MyoDM's validation clips leaves less than
    1.3 mm in nineteen frames of twenty; hands that real trackers put through thin parts keep 3 mm and more."""
    push_back_time: Scalar = 0.17
    """Standard deviation of the time over which that depth is averaged, seconds: noise does not last."""
    last_depths: tuple[Scalar, ...] = (0.004, 0.002, 0.001, 0.0007)
    """`depth` in the third pass, one value a continuation step: starting stiff overshoots."""
    margin: Scalar = 0.0005
    """Depth that costs nothing, metres."""
    sigma_scale: Scalar = 1.4
    """What validation clips say the normal equations leave out of the joints' spread."""
    pose_prior: Scalar = 0.02
    """Weight of the anatomical prior against one full observation."""
    joint_limit: Scalar = 0.05
    """Rotation beyond a joint's limit, rad."""
    shape: Scalar = 1.0
    """Of the shape coefficients over people: 1 by their definition."""
    correspondences: int = struct.field(pytree_node=False, default=128)
    """How many of a frame's correspondences are kept: those of least variance. A limit of compute time."""
    steps: int = struct.field(pytree_node=False, default=10)
    """Gauss-Newton steps of each of the first two passes. The first has no object, and Gaussian errors of tracker and
    motion: started from noisy input, Student's t would take every frame for a fast one, and the nearest way out of the
    object would be wrong. The second starts at its result."""
    last_steps: int = struct.field(pytree_node=False, default=8)
    """Gauss-Newton steps of the third pass at each of `last_depths`. It acts on frames that are still deep
    (`push_back_from`): vertices that came through something thin are pushed back."""


DEFAULT = FitSettings()
