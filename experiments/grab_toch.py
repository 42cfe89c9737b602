"""TOCH's network, losses, optimiser and clips on GRAB: the paper's protocol as closely as its code tells.

    toch prepare grab --raw DIR --toch-rules
    toch train experiments/grab_toch.py

From kzhou23/toch: windows of 30 frames, 8,000 samples an object, of which 2,000 are read and 2,000 others asked for,
32 windows a step, Adam at 8e-4 along cosines of 50 epochs down to 1e-4, 400 epochs; each window turned at random and
played backwards half of the time. Where it differs:
- an epoch is taken as 310 steps (some 10,000 windows half a window apart), whatever the data set's number is;
- noise is drawn afresh in every step, not once; its levels are drawn for each window, and theirs (1 cm, 0.05 rad,
  0.3 of 24 PCA) are the mean levels;
- samples are drawn among those near the hand first.
"""

from toch_jax.denoiser.toch import TochConfig
from toch_jax.perturb.training import NoiseConfig
from toch_jax.training.batches import BatchConfig
from toch_jax.training.experiment import DataConfig, Experiment, OptimiserConfig

EPOCH = 310

experiment = Experiment(
    name="grab_toch",
    denoiser=TochConfig(),
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
