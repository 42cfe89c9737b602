"""Train TOCH's network with its losses and optimiser on generated grasps, minutes on a GPU.

Smaller than in the paper's code (2,000 samples of the object as input and 2,000 others predicted, 32 windows of 30
frames a step, 400 epochs of GRAB, 8 cosines of 50 epochs each):
- 256 samples near the hand are input and 256 others are predicted;
- 3,500 steps of 32 windows: 112,000 in all, each used once, with its own noise;
- one cosine over all steps, with the same first and last rate: there are too few steps for restarts.
The noise is that of experiments/open_grasps.py, not the paper's. Without a graphics card, an hour of training has
almost no effect: `--batch.batch 4 --steps 1200` takes 45 minutes on two cores.
"""

from toch_jax.denoiser.toch import TochConfig
from toch_jax.training.batches import BatchConfig
from toch_jax.training.experiment import DataConfig, Experiment, OptimiserConfig

experiment = Experiment(
    name="toch_open_grasps",
    denoiser=TochConfig(window=30, stride=15),
    data=DataConfig(dataset="open_grasps"),
    batch=BatchConfig(batch=32, window=30, samples=512),
    optimiser=OptimiserConfig(learning_rate=8e-4, lowest_rate=1e-4, warmup=0, weight_decay=1e-6, clip=float("inf")),
    steps=3500,
    validate_every=875,
    validation_batches=8,
)
