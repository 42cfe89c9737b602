"""Training runs: what the loop needs of a network, and their settings, one of which a file in experiments/ binds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from toch_jax.denoiser.checkpoints import create_denoiser
from toch_jax.denoiser.window import Denoiser, DenoiserConfig, Network, Target, Window
from toch_jax.hand.mesh import decimate
from toch_jax.hand.model import HandModel
from toch_jax.perturb.training import NoiseConfig
from toch_jax.training.batches import BatchConfig, draw_scenes, track, vary
from toch_jax.training.clips import Clips

CONTACT = 0.005
"""Absolute clean distance (metres) below which a sample is in contact."""
_MM = 1000.0

Sums = dict[str, tuple[Float[Array, ""], Float[Array, ""]]]
"""For each error its weighted sum and the sum of the weights."""


@dataclass(frozen=True)
class Learner:
    """A network and how it learns. Batches are pytrees of any kind; networks are passed through jax.jit."""

    network: Network
    """Untrained."""
    draw: Callable[[jax.Array, Clips], Any]
    """A batch from a random key and clean clips."""
    loss: Callable[[Any, Any, jax.Array], tuple[Float[Array, ""], dict[str, Float[Array, ""]]]]
    """The loss of (network, batch, the batch's key), and its terms by name. Traced, without full precision."""
    errors: Callable[[Any, Any], Sums]
    """Errors of (network, batch), by name, with the unit in the name."""


def denoiser_learner(
    config: DenoiserConfig, surface: HandModel, batch: BatchConfig, noise: NoiseConfig, seed: int
) -> Learner:
    """How a denoiser learns: perturbed windows; in training also rotated, scaled and reversed.

    `surface` is the right hand whose skin the fields are computed from.
    """

    def draw(key: jax.Array, clips: Clips) -> tuple[Window, Target]:
        draw_key, track_key, _ = jax.random.split(key, 3)
        return track(track_key, draw_scenes(draw_key, clips, batch), surface, batch, noise, config)

    def loss(
        model: Denoiser, drawn: tuple[Window, Target], key: jax.Array
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        return model.loss(*vary(jax.random.split(key, 3)[2], *drawn, batch))

    return Learner(create_denoiser(config, seed), draw, loss, lambda model, drawn: errors(model, *drawn))


def validate(learner: Learner, network: Network, clips: Clips, seed: int, batches: int) -> dict[str, float]:
    """Mean errors over a number of batches, always the same ones."""
    key = jax.random.fold_in(jax.random.key(seed), 2)
    total: Sums = {}
    for index in range(batches):
        sums = learner.errors(network, learner.draw(jax.random.fold_in(key, index), clips))
        total = jax.tree.map(jnp.add, total, sums) if total else sums
    return {name: float(value / jnp.maximum(weight, 1.0)) for name, (value, weight) in total.items()}


@jax.jit
def errors(model: Denoiser, window: Window, target: Target) -> Sums:
    """Errors of the noisy field (`_before`) and of the denoised field on samples in contact, and errors of joints.

    Field errors count only samples that are also in the noisy field's mask, so that both are over the same samples.
    `hand_point` combines distance and correspondence. Joint errors are over observed frames (`lost_joints`: lost ones).
    """
    estimate = model(window)
    noisy, field, truth = window.field, estimate.field, target.field
    frame_mask = target.frame_mask[..., None]
    contact = truth.mask & frame_mask & (jnp.abs(truth.distance) < CONTACT)
    shared = contact & noisy.mask
    sums: Sums = {}

    def add(name: str, values: Float[Array, "*batch"], where: Bool[Array, "*batch"]) -> None:
        sums[name] = (jnp.sum(jnp.where(where, values, 0.0)), jnp.sum(where.astype(jnp.float32)))

    for suffix, each in (("_before", noisy), ("", field)):
        distance = _MM * jnp.abs(each.distance - truth.distance)
        correspondence = _MM * jnp.linalg.norm(each.correspondence - truth.correspondence, axis=-1)
        add(f"distance{suffix}_mm", distance, shared)
        add(f"correspondence{suffix}_mm", correspondence, shared)
        add(f"hand_point{suffix}_mm", jnp.hypot(distance, correspondence), shared)
    for suffix, mask in (("_before", noisy.mask), ("", field.mask_logit > 0)):
        union = (mask | truth.mask) & frame_mask
        add(f"mask_overlap{suffix}", (mask & truth.mask).astype(jnp.float32), union)
    error = jnp.abs(field.distance - truth.distance)
    add("distance_within_sigma", (error < field.distance_sigma).astype(jnp.float32), contact)
    observed = jnp.broadcast_to((target.frame_mask & window.observed)[..., None], window.joints.shape[:-1])
    add("joints_tracked_mm", _MM * jnp.linalg.norm(window.tracked - target.joints, axis=-1), observed)
    add("joints_before_mm", _MM * jnp.linalg.norm(window.joints - target.joints, axis=-1), observed)
    if estimate.joints is not None:
        off = jnp.linalg.norm(estimate.joints.joints - target.joints, axis=-1)
        add("joints_mm", _MM * off, observed)
        lost = jnp.broadcast_to((target.frame_mask & ~window.observed)[..., None], off.shape)
        add("lost_joints_mm", _MM * off, lost)
        inside = jnp.abs(estimate.joints.joints - target.joints) < estimate.joints.sigma[..., None]
        add("joints_within_sigma", inside.mean(axis=-1), observed | lost)
    return sums


@dataclass(frozen=True)
class DataConfig:
    """The clean clips and the hand model."""

    dataset: str = "open_grasps"
    data_dir: str | None = None
    """Folder of the prepared data sets; None is the default folder."""
    hand: str = "open"
    """Hand model of the clips' parameters; "dataset" is the one of the prepared data set."""
    hand_faces: int = 1500
    """Number of faces of the skin that rays are cast against; the computation for a batch is proportional to it."""
    object_samples: int = 2000
    """Number of samples of each object, from which each window draws its own."""
    speeds: tuple[int, ...] = (1, 2, 3)
    """Multiples of their speed at which clips are used: real hands are faster than generated ones."""


@dataclass(frozen=True)
class OptimiserConfig:
    """Adam with gradients clipped by their global norm; the learning rate has a warm-up and a cosine schedule."""

    learning_rate: float = 2e-3
    lowest_rate: float = 1e-5
    """Learning rate at the end of each cosine."""
    warmup: int = 100
    """Number of steps of linear warm-up."""
    period: int | None = None
    """Number of steps of a cosine, with restarts (Loshchilov and Hutter 2017); None is one cosine for all steps."""
    weight_decay: float = 0.0
    """L2 penalty, added to the gradient as in torch's Adam (not decoupled)."""
    clip: float = 1.0
    """Largest global norm of the gradient."""


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """Settings of a training run, of any network. `toch train FILE --steps 10 --batch.window 16` overrides them."""

    name: str
    data: DataConfig = field(default_factory=DataConfig)
    batch: BatchConfig = field(default_factory=BatchConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    steps: int = 4000
    seed: int = 0
    log_every: int = 20
    """Number of steps between lines of metrics."""
    save_every: int = 250
    """Number of steps between checkpoints: at most as many are lost if a run is interrupted."""
    validate_every: int = 500
    """Number of steps between validations."""
    validation_batches: int = 16
    least: str | None = None
    """The validation error of which the weights with the least are kept; None: the last weights are."""

    @property
    def frame_rate(self) -> float:
        """Frame rate of the clips, Hz."""
        return DenoiserConfig.frame_rate

    @property
    def with_distances(self) -> bool:
        """Whether its batches need distances to all objects."""
        return False

    def learner(self, hand: HandModel) -> Learner:
        """The network and how it learns; `hand` is the right hand of the clips, not decimated."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Experiment(TrainingRun):
    """All settings of the training of a denoiser."""

    denoiser: DenoiserConfig

    @property
    def frame_rate(self) -> float:
        return self.denoiser.frame_rate

    def learner(self, hand: HandModel) -> Learner:
        surface = decimate(hand, self.data.hand_faces)
        return denoiser_learner(self.denoiser.for_hand(hand), surface, self.batch, self.noise, self.seed)


def learning_rate(config: OptimiserConfig, steps: int) -> optax.Schedule:
    """Schedule from step to learning rate."""
    period = config.period or steps
    cosine = optax.cosine_decay_schedule(config.learning_rate, period, config.lowest_rate / config.learning_rate)

    def rate(step: Any) -> Any:
        warm = jnp.minimum((step + 1) / config.warmup, 1.0) if config.warmup else 1.0
        return warm * cosine(step % period)

    return rate


def optimiser(config: OptimiserConfig, steps: int) -> optax.GradientTransformation:
    """The gradient transformation of a run of `steps` steps."""
    return optax.chain(
        optax.clip_by_global_norm(config.clip),
        optax.add_decayed_weights(config.weight_decay),
        optax.scale_by_adam(),
        optax.scale_by_learning_rate(learning_rate(config, steps)),
    )
