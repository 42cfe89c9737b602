"""What the fit assumes of hands, trackers and motion."""

from typing import TypeVar

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

Scalar = Float[Array, ""] | float
T = TypeVar("T")


class Levels(struct.PyTreeNode):
    """Standard deviations of a coordinate: wrist position (m), wrist rotation (rad), finger joint rotation (rad)."""

    wrist: Scalar
    orient: Scalar
    fingers: Scalar

    def by_group(self) -> Float[Array, "17"]:
        """In the order of the fit's unknowns: wrist rotation, 15 finger joints, wrist position."""
        return jnp.stack([jnp.asarray(level, jnp.float32) for level in (self.orient, *[self.fingers] * 15, self.wrist)])


TUNED = "tuned by hand on validation clips"
BY_HAND = "chosen by hand"


def setting(default: T, unit: str, source: str, traced: bool = True) -> T:
    """A field with its unit and where its value is from; if `traced`, another value compiles nothing anew."""
    field: T = struct.field(pytree_node=traced, default=default, metadata={"unit": unit, "source": source})
    return field


class FitSettings(struct.PyTreeNode):
    """Standard deviations unless said otherwise. `experiments/tune_fit.py` varies them on validation clips."""

    velocity: Levels = setting(Levels(wrist=1.0, orient=10.0, fingers=10.0), "m/s, rad/s, rad/s", TUNED)
    """In the object's frame."""
    acceleration: Levels = setting(Levels(wrist=4.0, orient=8.0, fingers=15.0), "m/s², rad/s², rad/s²", TUNED)
    """Of a hand whose speed is not known."""
    acceleration_per_speed: Levels = setting(
        Levels(wrist=26.0, orient=26.0, fingers=24.0),
        "1/s",
        "chosen by hand near what is measured on real hands: about 20 at every speed",
    )
    """Acceleration over speed: a slow hand accelerates little."""
    least_speed: Levels = setting(Levels(wrist=0.1, orient=0.6, fingers=0.6), "m/s, rad/s, rad/s", BY_HAND)
    """Least speed that `acceleration_per_speed` is multiplied with."""
    speed_time: Scalar = setting(0.067, "s", "chosen: two frames at 30 Hz")
    """Standard deviation of the Gaussian that the speed is averaged with."""
    motion_dof: Scalar = setting(5.0, "1", TUNED)
    """Degrees of freedom of Student's t for velocity and acceleration: fast frames are rare, not impossible."""
    tracked_floor: Levels = setting(Levels(wrist=0.001, orient=0.01, fingers=0.02), "m, rad, rad", BY_HAND)
    """Least standard deviation of the tracked hand, however steady it is."""
    tracked_assumed: Levels = setting(Levels(wrist=0.005, orient=0.05, fingers=0.1), "m, rad, rad", BY_HAND)
    """Noise assumed where a clip is too short to estimate it."""
    finger_bias: tuple[Scalar, Scalar] = setting((4.0, 0.1), "1, rad", BY_HAND)
    """Standard deviation of tracked fingers: the noise n, or min(first * n, second) if that is larger; fingers that
    shake have slow errors too."""
    tracked_dof: Scalar = setting(8.0, "1", BY_HAND)
    """Degrees of freedom of Student's t for the tracked hand in the second pass: a gross error counts little."""
    tracked_shape: Scalar = setting(0.1, "1", BY_HAND)
    """Of the tracked shape coefficients (betas, which have standard deviation 1 over people)."""
    field_effective_samples: Scalar = setting(0.02, "1", TUNED)
    """How many independent observations all correspondences of a frame count as."""
    joint_effective_samples: Scalar = setting(
        0.3, "1", TUNED + "; 0.15 is 1 to 5 % worse under T, 0.3 leaves intervals too narrow under T(0.02)"
    )
    """How many independent observations the denoiser's 21 joints of a frame count as."""
    steady_noise: Scalar = setting(0.002, "m", "chosen: a fifth of the noise in the shipped network's training")
    """Joint noise (per coordinate) at which the denoiser's weight is halved, in frames that were observed: the less the
    tracker shakes, the less the denoiser counts."""
    depth: Scalar = setting(0.001, "m", TUNED)
    """Standard deviation of the penetration depth of skin that faces straight into the object; of oblique skin it is
    larger, by the cosine."""
    push_back_from: tuple[Scalar, Scalar] = setting(
        (0.0015, 0.003),
        "m",
        "measured: T(0.02), R(0.5) or B(0.01,0.3) on MyoDM's validation clips leaves less than 1.3 mm in nineteen "
        "frames of twenty; hands that real trackers put through thin parts keep 3 mm and more",
    )
    """Penetration depth left after the second pass (running mean) at which the third begins to act on a frame, and at
    which it acts in full."""
    push_back_time: Scalar = setting(0.17, "s", "chosen: five frames at 30 Hz")
    """Standard deviation of the time over which that depth is averaged: noise does not last."""
    last_depths: tuple[Scalar, ...] = setting((0.004, 0.002, 0.001, 0.0007), "m", BY_HAND)
    """`depth` in the third pass, one value a continuation step: starting stiff overshoots."""
    margin: Scalar = setting(0.0005, "m", TUNED)
    """Depth that costs nothing."""
    sigma_scale: Scalar = setting(1.4, "1", TUNED + ", by the share of errors in the intervals")
    """Factor on the standard deviations that come from the normal equations, which are too small."""
    pose_prior: Scalar = setting(0.02, "1", BY_HAND)
    """Weight of the anatomical prior against one full observation."""
    joint_limit: Scalar = setting(0.05, "rad", BY_HAND)
    """Rotation beyond a joint's limit."""
    shape: Scalar = setting(1.0, "1", "definition: the coefficients of MANO and the open hand have this spread")
    """Of the shape coefficients over people."""
    correspondences: int = setting(128, "1", "chosen by hand: a limit of compute time", traced=False)
    """How many of a frame's correspondences are kept: those of least variance."""
    steps: int = setting(10, "1", "chosen by hand: a limit of compute time", traced=False)
    """Gauss-Newton steps of each of the first two passes. The first has no object, and Gaussian errors of tracker and
    motion: started from noisy input, Student's t would take every frame for a fast one, and the nearest way out of the
    object would be wrong. The second starts at its result."""
    last_steps: int = setting(8, "1", "chosen by hand: a limit of compute time", traced=False)
    """Gauss-Newton steps of the third pass at each of `last_depths`. It acts on frames that are still deep
    (`push_back_from`): vertices that came through something thin are pushed back."""


DEFAULT = FitSettings()
