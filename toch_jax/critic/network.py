"""The critic: a network that scores one frame of a hand at one place beside an object, given distances only."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from toch_jax.critic.features import N_READ, N_SHAPE
from toch_jax.denoiser.window import Network

FINE, COARSE, DEEP = 0.02, 0.1, 0.03
"""Distances (metres) up to which they are read finely, and coarsely outside and inside the object."""
TOUCH = (0.004, 0.010)
"""Widths (metres) of the Gaussians that say that a point touches. Without them a critic that learnt from generated
grasps leaves 0.83 instead of 0.75 of an offset of real ones."""
N_BASIS = 5
"""Functions of a distance that are read."""


@dataclass(frozen=True, kw_only=True)
class CriticConfig:
    """Sizes of the critic, and what makes its scores log likelihoods."""

    members: int = 4
    """Networks whose scores are averaged: where the data do not say, they differ, and the mean is flat."""
    channels: int = 24
    """Sums over all points, of each."""
    width: int = 64
    rate: float = 6.0
    """Independent observations in a second of frames, fitted on validation clips: the frames of one grasp say much the
    same."""


class Member(nnx.Module):
    """Sums over the hand's points of functions of their distances, and a small network from the sums to a score.

    The pose enters the functions by a factor only: what is near counts in much the same way for all poses and objects.
    """

    def __init__(self, config: CriticConfig, rngs: nnx.Rngs) -> None:
        small = nnx.initializers.normal(1e-2)
        self.pose_in = nnx.Linear(N_SHAPE, config.width, rngs=rngs)
        self.pose_out = nnx.Linear(config.width, N_READ * N_BASIS, kernel_init=small, rngs=rngs)
        self.sums = nnx.Linear(N_READ * N_BASIS, config.channels, rngs=rngs)
        self.head_sums = nnx.Linear(config.channels, config.width, rngs=rngs)
        self.head_pose = nnx.Linear(N_SHAPE, config.width, use_bias=False, rngs=rngs)
        self.out = nnx.Linear(config.width, 1, kernel_init=small, rngs=rngs)

    def __call__(self, read: Float[Array, "*batch M"], shape: Float[Array, "*#batch S"]) -> Float[Array, "*batch"]:
        factor = 1.0 + self.pose_out(jax.nn.silu(self.pose_in(shape)))
        sums = self.sums(read * factor)
        return self.out(jax.nn.silu(self.head_sums(sums) + self.head_pose(shape)))[..., 0]


class Critic(Network):
    """Score of each frame, a log likelihood up to a constant of the frame: the mean of several networks'."""

    ARCHITECTURE = "critic"
    CONFIG = CriticConfig

    def __init__(self, config: CriticConfig, rngs: nnx.Rngs) -> None:
        super().__init__(config, rngs)
        self.members = nnx.List([Member(config, rngs) for _ in range(config.members)])

    def each(self, distance: Float[Array, "*batch K"], shape: Float[Array, "*#batch S"]) -> Float[Array, "E *batch"]:
        """Every network's scores from the distances of a hand's points (metres) and its joints in the palm's frame."""
        read = basis(distance)
        return jnp.stack([member(read, shape) for member in self.members])

    def __call__(self, distance: Float[Array, "*batch K"], shape: Float[Array, "*#batch S"]) -> Float[Array, "*batch"]:
        return self.each(distance, shape).mean(axis=0)


def basis(distance: Float[Array, "*batch K"]) -> Float[Array, "*batch M"]:
    """N_BASIS functions of each distance (metres)."""
    fine = jnp.clip(distance, -FINE, FINE) / FINE
    coarse = jnp.clip(distance, -DEEP, COARSE) / COARSE
    nearness = [jnp.exp(-((distance / width) ** 2)) for width in TOUCH]
    return jnp.concatenate([fine, coarse, *nearness, 4.0 * jax.nn.relu(-fine)], axis=-1)
