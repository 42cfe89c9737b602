"""A grasp of a ball in sixteen frames, the fit's smallest bucket, and functions on it."""

import jax
import jax.numpy as jnp
import numpy as np

from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.hand.prior import pose_prior
from toch_jax.object.model import ObjectMotion
from toch_jax.solver.costs.points import JointTerm, SurfaceTerm
from toch_jax.solver.settings import DEFAULT

N_FRAMES = 16
BALL_RADIUS = 0.04


def still(n_frames: int) -> ObjectMotion:
    """Motion of one resting part."""
    return ObjectMotion(jnp.broadcast_to(jnp.eye(3), (1, n_frames, 3, 3)), jnp.zeros((1, n_frames, 3)))


def grasp(n_frames: int = N_FRAMES, reach: float = 0.05, seed: int = 0) -> HandParams:
    """A right hand that moves down by `reach` metres onto the ball while its fingers bend, and rests on it."""
    rng = np.random.default_rng(seed)
    prior = pose_prior("right")
    way = np.clip(np.linspace(0, 1.25, n_frames), 0, 1)[:, None] if n_frames > 1 else np.ones((1, 1))
    way = way**2 * (3 - 2 * way)
    bend = np.clip(prior.mean + 0.3 * rng.normal(size=45), prior.lower, prior.upper)
    params = HandParams(
        global_orient=jnp.asarray((1 - way) * [0.3, 0.4, -0.2], jnp.float32),
        pose=jnp.asarray((0.3 + 0.4 * way) * bend, jnp.float32),
        betas=jnp.asarray(0.5 * rng.normal(size=10), jnp.float32),
        transl=jnp.zeros((n_frames, 3)),
    )
    skin = np.asarray(skin_frames(load_hand("open"), per_frame(params))[0])[-1]
    over = skin.mean(axis=0) * [1, 0, 1]
    # The lowest position at which the skin is outside the ball.
    beside = BALL_RADIUS**2 - ((skin - over)[:, ::2] ** 2).sum(axis=1)
    rest = (np.sqrt(beside[beside > 0]) - skin[beside > 0, 1]).max()
    place = np.array([0, rest, 0]) - over + (1 - way) * np.array([0, reach, 0.3 * reach])
    return params.replace(transl=jnp.asarray(place, jnp.float32))


def per_frame(params: HandParams) -> HandParams:
    """The parameters with the clip's shape repeated for every frame."""
    return params.replace(betas=jnp.broadcast_to(params.betas, (len(params.pose), params.betas.shape[-1])))


def joints_of(hand: HandModel, params: HandParams) -> np.ndarray:
    """Joints (T, 21, 3) of the hand, metres."""
    return np.asarray(skin_frames(hand, per_frame(params))[1])


def shaken(params: HandParams, wrist: float = 0.0, turn: float = 0.0, seed: int = 0) -> HandParams:
    """The parameters with white noise on the wrist's position (`wrist`, m) and on every rotation (`turn`, rad)."""
    place, orient, pose = jax.random.split(jax.random.key(seed), 3)
    return params.replace(
        transl=params.transl + wrist * jax.random.normal(place, params.transl.shape),
        global_orient=params.global_orient + turn * jax.random.normal(orient, params.global_orient.shape),
        pose=params.pose + turn * jax.random.normal(pose, params.pose.shape),
    )


def silent_surface(n_frames: int) -> SurfaceTerm:
    """A surface term of weight zero with a field term's shapes, so that all fits here share one compilation."""
    vector, zero = jnp.zeros((n_frames, DEFAULT.correspondences, 3)), jnp.zeros((n_frames, DEFAULT.correspondences))
    return SurfaceTerm(zero.astype(jnp.int32), vector, vector, vector, zero, zero)


def silent_joints(n_frames: int) -> JointTerm:
    """A joint term of weight zero, as `silent_surface`."""
    return JointTerm(jnp.zeros((n_frames, 21, 3)), jnp.zeros((n_frames, 21)))
