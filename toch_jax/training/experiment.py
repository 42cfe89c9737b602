"""Settings of training runs: frozen records, one of which a file in experiments/ binds as `experiment`."""

from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import optax

from toch_jax.denoiser.window import DenoiserConfig
from toch_jax.hand.decimate import decimate
from toch_jax.hand.model import HandModel
from toch_jax.perturb.training import NoiseConfig
from toch_jax.training.batches import BatchConfig
from toch_jax.training.learner import Learner, denoiser_learner


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

    @property
    def frame_rate(self) -> float:
        """Frame rate of the clips, Hz."""
        return DenoiserConfig.frame_rate

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
