"""What a training run is: one frozen record, bound as `experiment` by a file in experiments/."""

from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import optax

from toch_jax.denoiser.checkpoints import DenoiserConfig
from toch_jax.perturb.training import NoiseConfig
from toch_jax.training.batches import BatchConfig


@dataclass(frozen=True)
class DataConfig:
    """Which clean clips, and what hand looks at them."""

    dataset: str = "open_grasps"
    data_dir: str | None = None
    """Where prepared data sets lie; None is the usual place."""
    hand: str = "open"
    """The hand model that the clips' parameters belong to; "dataset" is whichever the prepared data set has."""
    hand_faces: int = 1500
    """Triangles of the skin that lines are tested against; the arithmetic of a batch goes with it."""
    object_samples: int = 2000
    """Samples of each object, of which each window draws its own."""
    speeds: tuple[int, ...] = (1, 2, 3)
    """Clips are played at these multiples of their speed: people are quicker than generated hands."""


@dataclass(frozen=True)
class OptimiserConfig:
    """Adam, its gradients clipped by their global norm; the rate warms up and goes along cosines."""

    learning_rate: float = 2e-3
    lowest_rate: float = 1e-5
    warmup: int = 100
    """Steps."""
    period: int | None = None
    """Steps of one cosine, restarted until the end (Loshchilov and Hutter 2017); None is one cosine for all steps."""
    weight_decay: float = 0.0
    """Of torch's Adam: added to the gradient as a penalty on squares would."""
    clip: float = 1.0


@dataclass(frozen=True)
class Experiment:
    """Everything that decides what weights come out. `toch train FILE --steps 10 --batch.window 16` overrides."""

    name: str
    denoiser: DenoiserConfig
    data: DataConfig = field(default_factory=DataConfig)
    batch: BatchConfig = field(default_factory=BatchConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    steps: int = 4000
    seed: int = 0
    log_every: int = 20
    """Steps between lines of metrics."""
    save_every: int = 250
    """Steps between checkpoints: no more than these are lost to a kill."""
    validate_every: int = 500
    validation_batches: int = 16


def learning_rate(config: OptimiserConfig, steps: int) -> optax.Schedule:
    """Step to rate."""
    period = config.period or steps
    cosine = optax.cosine_decay_schedule(config.learning_rate, period, config.lowest_rate / config.learning_rate)

    def rate(step: Any) -> Any:
        warm = jnp.minimum((step + 1) / config.warmup, 1.0) if config.warmup else 1.0
        return warm * cosine(step % period)

    return rate


def optimiser(config: OptimiserConfig, steps: int) -> optax.GradientTransformation:
    return optax.chain(
        optax.clip_by_global_norm(config.clip),
        optax.add_decayed_weights(config.weight_decay),
        optax.scale_by_adam(),
        optax.scale_by_learning_rate(learning_rate(config, steps)),
    )
