"""Train TOCH's network on GRAB with its losses, optimiser and clips: the paper's protocol, as its code tells it.

    toch prepare grab --raw DIR --toch-rules
    toch train experiments/grab_toch.py

From kzhou23/toch: windows of 30 frames; 8,000 samples an object, of which 2,000 are input and 2,000 others are
predicted; 32 windows a step; Adam with a rate from 8e-4 to 1e-4 in cosines of 50 epochs; 400 epochs; each window
rotated at random and reversed in time with probability one half. Differences:
- an epoch is taken as 310 steps (about 10,000 windows half a window apart), independent of the data set's size;
- noise is drawn in every step, not once; its levels are drawn for each window, with the authors' levels (1 cm,
  0.05 rad, 0.3 for 24 PCA coefficients) as their means;
- samples near the hand are drawn first.
"""

from toch_jax.denoiser.toch import TochConfig
from toch_jax.perturb.training import NoiseConfig
from toch_jax.training.batches import BatchConfig
from toch_jax.training.experiment import DataConfig, Experiment, OptimiserConfig

EPOCH = 310
"""Number of steps of an epoch."""

experiment = Experiment(
    name="grab_toch",
    denoiser=TochConfig(window=30, stride=15),
    data=DataConfig(dataset="grab_toch", hand="dataset", object_samples=8000, speeds=(1,)),
    batch=BatchConfig(batch=32, window=30, samples=4000, growth=0.0),
    noise=NoiseConfig(
        translation=0.02,
        rotation=0.1,
        pose=0.6,
        absent=0.0,
        slow=0.0,
        shape=0.0,
        gap=0.0,
        dropout=0.0,
        sway=(0.0, 0.0, 0.0),
        object_share=0.0,
    ),
    optimiser=OptimiserConfig(
        learning_rate=8e-4,
        lowest_rate=1e-4,
        warmup=0,
        period=50 * EPOCH,
        weight_decay=1e-6,
        clip=float("inf"),
    ),
    steps=400 * EPOCH,
    save_every=1000,
    validate_every=10 * EPOCH,
)
