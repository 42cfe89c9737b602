"""TOCH's own network, losses and schedule on generated grasps; fewer samples and windows than the paper's, for a CPU.

The paper reads 2,000 samples and is asked for 2,000 others in 32 windows of 30 frames a step, for 400 epochs: days on
two cores. Here it is 256 and 256 in 4 windows, for about two hours.
"""

from toch_jax.denoiser.canonical import canonical_scale_offset
from toch_jax.denoiser.toch import TochConfig
from toch_jax.hand.files import load_hand
from toch_jax.training.batches import BatchConfig
from toch_jax.training.experiment import DataConfig, Experiment, OptimiserConfig

scale, offset = canonical_scale_offset(load_hand("open"))

experiment = Experiment(
    name="toch_open_grasps",
    denoiser=TochConfig(canonical_scale=scale, canonical_offset=offset),
    data=DataConfig(dataset="open_grasps"),
    batch=BatchConfig(batch=4, window=30, samples=512),
    optimiser=OptimiserConfig(
        learning_rate=8e-4, lowest_rate=1e-4, warmup=0, period=500, weight_decay=1e-6, clip=float("inf")
    ),
    steps=2000,
    validate_every=500,
    validation_batches=16,
)
