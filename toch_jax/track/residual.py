"""How far a hand stays off the joints or points that it was fitted to, whatever it does: what its form can't meet."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.spatial.transform import Rotation

from toch_jax.base.arrays import put
from toch_jax.hand.model import HandModel, HandParams, rest_joints, skin_frames
from toch_jax.track.initial_pose import flat_joints

NEVER_SEEN = 0.01
"""Metres, the residual of a joint that no frame has: a fingertip's, whose last joint turns by 0.4 rad more or less."""
LARGEST_BETA = 3.0
"""Standard deviations of people's shapes: one person in 370 is farther from the mean along a direction."""

SPREAD = (0.033, 0.075)
"""Metres, root mean square distance from their mean of points spread evenly over a hand's skin: 0.0335 to 0.0743 for
the open hand in 400 poses drawn from its prior, the first shape coefficient -LARGEST_BETA to LARGEST_BETA."""


def framewise(params: HandParams) -> HandParams:
    """The clip's one shape given to each frame."""
    betas = jnp.broadcast_to(params.betas, (len(params.pose), params.betas.shape[-1]))
    return params.replace(betas=betas)


def joint_residual(
    model: HandModel, params: HandParams, joints: Float[np.ndarray, "T 21 3"], observed: Bool[np.ndarray, "T"]
) -> Float[np.ndarray, "21"]:
    """How far each joint stays off the hand's as the wrist sees it, metres. Joints that are NaN are skipped.

    A joint that no frame has gets NEVER_SEEN.
    """
    off = joints - np.asarray(skin_frames(model, framewise(params))[1])
    wrist = Rotation.from_rotvec(np.asarray(params.global_orient)).as_matrix()
    local = np.einsum("tab,tja->tjb", wrist, off)[observed]
    absent = np.isnan(local).any(axis=-1).all(axis=0)
    return np.where(absent, NEVER_SEEN, steady(local)).astype(np.float32)


def steady(offset: Float[np.ndarray, "T K C"]) -> Float[np.ndarray, "K"]:
    """Length of the mean over frames, less what noise that is new in each frame leaves in a mean; NaN is skipped."""
    known = np.isfinite(offset).all(axis=-1)[..., None]
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, offset, 0).sum(axis=0) / count
    noise = (np.where(known, offset - mean, 0) ** 2).sum(axis=0) / np.maximum(count - 1, 1) / count
    return np.sqrt(np.maximum((mean**2 - noise).sum(axis=-1), 0))


def add_residual(sigma: Float[Array, "T 21"], residual: Float[np.ndarray, "21"]) -> Float[Array, "T 21"]:
    """The sigma of a joint's coordinates where the hand stays off it by `residual`: a third of its square each."""
    return put(np.sqrt(np.asarray(sigma) ** 2 + residual**2 / 3), np.float32)


def within_people(params: HandParams) -> HandParams:
    """The same with the shape no farther from the mean than people's."""
    return params.replace(betas=jnp.clip(params.betas, -LARGEST_BETA, LARGEST_BETA))


def is_within_people(params: HandParams) -> bool:
    return bool((np.abs(np.asarray(params.betas)) <= LARGEST_BETA).all())


def scale_between(
    fitted: Float[np.ndarray, "T K 3"], given: Float[np.ndarray, "T K 3"], observed: Bool[np.ndarray, "T"]
) -> float:
    """How many times larger the given points are than the fitted ones, each frame about its mean; NaN is skipped."""
    known = (np.isfinite(given).all(axis=-1) & observed[:, None])[..., None]
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)

    def centred(points: Float[np.ndarray, "T K 3"]) -> Float[np.ndarray, "T K 3"]:
        there = np.where(known, points, 0)
        return np.where(known, there - there.sum(axis=1, keepdims=True) / count, 0)

    mine = centred(fitted)
    return float((mine * centred(given)).sum() / (mine**2).sum())


def size_note(model: HandModel, params: HandParams, scale: float) -> tuple[str, ...]:
    """A line if the points are of a hand that is larger or smaller than people's; `scale` is theirs over the fitted
    hand's.
    """
    size = scale * _length(model, np.asarray(params.betas))
    first = np.eye(len(params.betas))[0]
    low, high = sorted(_length(model, end * first) for end in (-LARGEST_BETA, LARGEST_BETA))
    if low <= size <= high:
        return ()
    return (f"{size:.2f} times as large as the mean adult's hand (people: {low:.2f} to {high:.2f}): is it in metres?",)


def spread_note(points: Float[np.ndarray, "T K 3"]) -> tuple[str, ...]:
    """A line if points, spread evenly over the skin, lie closer together or farther apart than those of any person's
    hand in any pose. An unknown order and a wrong one leave it as it is.
    """
    spread = float(np.median(np.sqrt(np.var(points, axis=1).sum(axis=-1))))
    low, high = SPREAD
    if low <= spread <= high:
        return ()
    people = f"people's hands: {1e3 * low:.0f} to {1e3 * high:.0f}"
    return (f"a spread of {1e3 * spread:.3g} mm about the middle ({people}): is it all of one hand, in metres?",)


def _length(model: HandModel, betas: Float[np.ndarray, "S"]) -> float:
    """From wrist to the middle finger's last joint, in units of the mean hand's."""
    chain = np.array([0, 4, 5, 6])

    def length(joints: Float[np.ndarray, "J 3"]) -> float:
        return float(np.linalg.norm(np.diff(joints[chain], axis=0), axis=-1).sum())

    return length(np.asarray(rest_joints(model, jnp.asarray(betas, jnp.float32)))) / length(flat_joints(model))
