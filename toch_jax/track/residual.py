"""Distance of a hand from the joints or points that it was fitted to which remains because its form differs."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.spatial.transform import Rotation

from toch_jax.base.arrays import put
from toch_jax.hand.model import HandModel, HandParams, rest_joints, skin_frames
from toch_jax.track.initial_pose import flat_joints

NEVER_SEEN = 0.01
"""Residual (metres) of a joint missing in all frames: a fingertip's, if its last joint is off by 0.4 rad."""
LARGEST_BETA = 3.0
"""Largest shape coefficient, in standard deviations over people: one person in 370 is beyond it in a direction."""

SPREAD = (0.033, 0.075)
"""Metres, root mean square distance from their mean of points spread evenly over a hand's skin: 0.0335 to 0.0743 for
the open hand in 400 poses drawn from its prior, the first shape coefficient -LARGEST_BETA to LARGEST_BETA."""


def framewise(params: HandParams) -> HandParams:
    """Parameters with the clip's one shape repeated for each frame: betas (T, S)."""
    betas = jnp.broadcast_to(params.betas, (len(params.pose), params.betas.shape[-1]))
    return params.replace(betas=betas)


def joint_residual(
    model: HandModel, params: HandParams, joints: Float[np.ndarray, "T 21 3"], observed: Bool[np.ndarray, "T"]
) -> Float[np.ndarray, "21"]:
    """Distance between given and fitted joints that is constant in the wrist's frame, metres.

    Joints that are NaN are ignored; one that is NaN in all frames gets NEVER_SEEN.
    """
    off = joints - np.asarray(skin_frames(model, framewise(params))[1])
    wrist = Rotation.from_rotvec(np.asarray(params.global_orient)).as_matrix()
    local = np.einsum("tab,tja->tjb", wrist, off)[observed]
    absent = np.isnan(local).any(axis=-1).all(axis=0)
    return np.where(absent, NEVER_SEEN, steady(local)).astype(np.float32)


def steady(offset: Float[np.ndarray, "T K C"]) -> Float[np.ndarray, "K"]:
    """Length of the mean offset over frames, less the part due to noise that is independent in time; NaN is ignored."""
    known = np.isfinite(offset).all(axis=-1)[..., None]
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, offset, 0).sum(axis=0) / count
    noise = (np.where(known, offset - mean, 0) ** 2).sum(axis=0) / np.maximum(count - 1, 1) / count
    return np.sqrt(np.maximum((mean**2 - noise).sum(axis=-1), 0))


def add_residual(sigma: Float[Array, "T 21"], residual: Float[np.ndarray, "21"]) -> Float[Array, "T 21"]:
    """Standard deviation of joints' coordinates, metres: a third of `residual` squared is added to each variance."""
    return put(np.sqrt(np.asarray(sigma) ** 2 + residual**2 / 3), np.float32)


def within_people(params: HandParams) -> HandParams:
    """Parameters with the shape coefficients clipped to LARGEST_BETA."""
    return params.replace(betas=jnp.clip(params.betas, -LARGEST_BETA, LARGEST_BETA))


def is_within_people(params: HandParams) -> bool:
    """Whether no shape coefficient is beyond LARGEST_BETA."""
    return bool((np.abs(np.asarray(params.betas)) <= LARGEST_BETA).all())


def scale_between(
    fitted: Float[np.ndarray, "T K 3"], given: Float[np.ndarray, "T K 3"], observed: Bool[np.ndarray, "T"]
) -> float:
    """Size of the given points over that of the fitted ones, each frame about its mean; NaN is ignored."""
    known = (np.isfinite(given).all(axis=-1) & observed[:, None])[..., None]
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)

    def centred(points: Float[np.ndarray, "T K 3"]) -> Float[np.ndarray, "T K 3"]:
        there = np.where(known, points, 0)
        return np.where(known, there - there.sum(axis=1, keepdims=True) / count, 0)

    mine = centred(fitted)
    return float((mine * centred(given)).sum() / (mine**2).sum())


def size_note(model: HandModel, params: HandParams, scale: float) -> tuple[str, ...]:
    """A note if the tracker's hand is larger or smaller than people's; `scale` is its size over the fitted hand's."""
    size = scale * _length(model, np.asarray(params.betas))
    first = np.eye(len(params.betas))[0]
    low, high = sorted(_length(model, end * first) for end in (-LARGEST_BETA, LARGEST_BETA))
    if low <= size <= high:
        return ()
    return (f"{size:.2f} times as large as the mean adult's hand (people: {low:.2f} to {high:.2f}): is it in metres?",)


def spread_note(points: Float[np.ndarray, "T K 3"]) -> tuple[str, ...]:
    """A note if points, spread evenly over the skin, are closer together or farther apart than on any person's hand in
    any pose. It does not depend on the order of the points.
    """
    spread = float(np.median(np.sqrt(np.var(points, axis=1).sum(axis=-1))))
    low, high = SPREAD
    if low <= spread <= high:
        return ()
    people = f"people's hands: {1e3 * low:.0f} to {1e3 * high:.0f}"
    return (f"a spread of {1e3 * spread:.3g} mm about the middle ({people}): is it all of one hand, in metres?",)


def _length(model: HandModel, betas: Float[np.ndarray, "S"]) -> float:
    """Length from the wrist to the middle finger's last joint, relative to the mean hand."""
    chain = np.array([0, 4, 5, 6])

    def length(joints: Float[np.ndarray, "J 3"]) -> float:
        return float(np.linalg.norm(np.diff(joints[chain], axis=0), axis=-1).sum())

    return length(np.asarray(rest_joints(model, jnp.asarray(betas, jnp.float32)))) / length(flat_joints(model))
