"""Training of the critic by contrast: which of many places of a clean hand beside its object is the true one?

The loss is InfoNCE (van den Oord et al. 2018) over the offsets of a few frames of one clip, whose scores are summed:
the score of a frame becomes the logarithm of how much likelier it is at its true place than elsewhere.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jaxlie
from flax import nnx
from jaxtyping import Array, Bool, Float

from toch_jax.critic.features import distance_to_parts, hand_points
from toch_jax.critic.network import Critic, CriticConfig
from toch_jax.critic.skin_points import skin_points
from toch_jax.hand.model import HandModel, HandParams
from toch_jax.perturb.hand_noise import N_POSE_DIRECTIONS, of_shape
from toch_jax.training.clips import Clips
from toch_jax.training.experiment import Learner, Sums, TrainingRun


@dataclass(frozen=True)
class ContrastConfig:
    """Sizes of a batch, and its noise."""

    batch: int = 16
    """Number of clips."""
    window: int = 32
    """Length of the stretch of a clip that its frames are drawn from, frames."""
    frames: int = 6
    candidates: int = 32
    """Places of the hand, of which the first is the true one."""
    offset: tuple[float, float] = (0.002, 0.016)
    """Range of the standard deviation of the other places' coordinates, metres."""
    turned: float = 0.0
    """Share of the other places at which the hand is also turned about its middle: as wrong, though as near."""
    turn: float = 0.25
    """Standard deviation of each coordinate of that rotation, radians."""
    orient: float = 0.05
    """Largest standard deviation of the wrist's rotation of all places, radians: a tracked hand is not a clean one."""
    bend: float = 0.15
    """Largest standard deviation of each principal pose coefficient of all places, radians."""
    press: float = 0.0015
    """Standard deviation of what is added to all distances of a clip, metres: generated hands press fingertips deeper
    into objects than real ones."""
    jitter: float = 0.004
    """Largest standard deviation of each coordinate of a frame's position, metres."""
    shape: float = 0.3
    """Largest standard deviation of the error of each shape coefficient."""
    growth: float = 0.1
    """Largest relative change of the hand's and the object's size together."""


class Places(NamedTuple):
    """B clips, each with F frames of a hand at C places, of which the first is the true one."""

    distance: Float[Array, "B C F K"]
    """Of the hand's points to the object, metres."""
    shape: Float[Array, "B 1 F S"]
    frame_mask: Bool[Array, "B F"]
    """False where the hand was not seen."""
    offset: Float[Array, "B C 3"]
    """From the true place, metres."""


@dataclass(frozen=True, kw_only=True)
class CriticTraining(TrainingRun):
    """All settings of the training of a critic; of `batch` and `noise` nothing is read."""

    critic: CriticConfig = field(default_factory=CriticConfig)
    contrast: ContrastConfig = field(default_factory=ContrastConfig)
    least: str | None = "nats"

    @property
    def with_distances(self) -> bool:
        return True

    def learner(self, hand: HandModel) -> Learner:
        surface = skin_points(hand)

        @jax.jit
        def draw(key: jax.Array, clips: Clips) -> Places:
            return draw_places(key, clips, surface, self.contrast)

        return Learner(Critic(self.critic, nnx.Rngs(self.seed)), draw, lambda net, drawn, _: loss(net, drawn), errors)


def draw_places(key: jax.Array, clips: Clips, surface: HandModel, config: ContrastConfig) -> Places:
    """Draw clips, frames of them, and places of the hand; each object is drawn as often as the root of its windows."""
    assert clips.shapes.slopes is not None, "clips that were built with distances"
    keys = jax.random.split(key, 9)
    batch, count = config.batch, config.candidates
    n_windows = jnp.zeros(len(clips.shapes.grid_of_part)).at[clips.object].add(1.0)
    picks = jax.random.categorical(keys[0], -0.5 * jnp.log(n_windows[clips.object]), shape=(batch,))
    step = jnp.floor(jax.random.uniform(keys[1], (batch, config.frames)) * clips.length[picks][:, None])
    frames = clips.start[picks][:, None] + step.astype(jnp.int32)
    hand = hand_points(
        surface, _unsteady(keys[2], jax.tree.map(lambda leaf: leaf[frames], clips.params), surface, config)
    )
    low, high = config.offset
    size = jax.random.uniform(keys[3], (batch, 1, 1), minval=low, maxval=high)
    offset = (size * jax.random.normal(keys[4], (batch, count, 3))).at[:, 0].set(0.0)
    points = hand.points[:, None] + offset[:, :, None, None]
    if config.turned:
        points = _turned(keys[5], hand.points, config) + offset[:, :, None, None]
    motion = jax.tree.map(lambda leaf: jnp.moveaxis(leaf[:, frames], 0, 1), clips.motion)
    parts = clips.shapes.grid_of_part[clips.object[picks]]
    distance = distance_to_parts(clips.shapes.slopes, parts, motion, points)
    growth = 1.0 + config.growth * jax.random.uniform(keys[6], (batch, 1, 1, 1), minval=-1.0)
    press = config.press * jax.random.normal(keys[7], (batch, 1, 1, 1))
    return Places(
        distance=growth * distance + press,
        shape=growth * hand.shape[:, None],
        frame_mask=clips.observed[frames],
        offset=offset,
    )


def loss(critic: Critic, places: Places) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """Mean of the negative logarithm of the share that each of the critic's networks gives to the true place."""
    scores = _whole(places, critic.each(places.distance, places.shape))
    return -jax.nn.log_softmax(scores, axis=-1)[..., 0].mean(), {}


@jax.jit
def errors(critic: Critic, places: Places) -> Sums:
    """How far the place of the highest score is from the true one, and how far all places are; the loss, in nats."""
    scores = _whole(places, critic(places.distance, places.shape))
    away = 1000.0 * jnp.linalg.norm(places.offset, axis=-1)
    found = {
        "offset_mm": away[:, 1:].mean(axis=1),
        "left_mm": jnp.take_along_axis(away, scores.argmax(axis=1)[:, None], axis=1)[:, 0],
        "nats": -jax.nn.log_softmax(scores, axis=1)[:, 0],
    }
    return {name: (value.sum(), jnp.asarray(float(len(value)))) for name, value in found.items()}


def _whole(places: Places, scores: Float[Array, "*members B C F"]) -> Float[Array, "*members B C"]:
    """Scores of whole places: the sum over their frames."""
    return jnp.where(places.frame_mask[:, None], scores, 0.0).sum(axis=-1)


def _turned(key: jax.Array, points: Float[Array, "B F K 3"], config: ContrastConfig) -> Float[Array, "B C F K 3"]:
    """The hand turned about the mean of its points at a share of the places but not at the first."""
    turn_key, which_key = jax.random.split(key)
    shape = (len(points), config.candidates)
    which = (jax.random.uniform(which_key, shape) < config.turned).at[:, 0].set(False)
    turn = jaxlie.SO3.exp(config.turn * which[..., None] * jax.random.normal(turn_key, (*shape, 3))).as_matrix()
    middle = points.mean(axis=2, keepdims=True)
    return jnp.einsum("bcij,bfkj->bcfki", turn, points - middle) + middle[:, None]


def _unsteady(key: jax.Array, clean: HandParams, surface: HandModel, config: ContrastConfig) -> HandParams:
    """Hands as a tracker that is off in turn, pose and shape has them, at their true places; axes (B, F, ...).

    Each clip has its own level of errors; half of their variance is the same in all frames.
    """
    keys = jax.random.split(key, 8)
    batch, frames = clean.transl.shape[:2]
    level = jax.random.uniform(keys[0], (batch, 1, 1))

    def error(slow: jax.Array, quick: jax.Array, size: int) -> Float[Array, "B F n"]:
        same, new = jax.random.normal(slow, (batch, 1, size)), jax.random.normal(quick, (batch, frames, size))
        return level * (same + new) / jnp.sqrt(2.0)

    turn = config.orient * error(keys[1], keys[2], 3)
    bend = config.bend * error(keys[3], keys[4], N_POSE_DIRECTIONS) @ surface.pose_components[:N_POSE_DIRECTIONS]
    still = jax.random.uniform(keys[5], (batch, 1, 1))
    jitter = config.jitter * still * jax.random.normal(keys[6], (batch, frames, 3))
    betas = clean.betas + config.shape * level * jax.random.normal(keys[7], (batch, 1, clean.betas.shape[-1]))
    hand = of_shape(surface, clean, betas)
    return hand.replace(
        global_orient=(jaxlie.SO3.exp(turn) @ jaxlie.SO3.exp(hand.global_orient)).log(),
        pose=hand.pose + bend,
        transl=hand.transl + jitter,
    )
