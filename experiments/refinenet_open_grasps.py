"""Train the baseline RefineNet (as in GrabNet) on the clips and noise that the shipped weights are trained on.

GrabNet trains on 400,000 frames, 256 a step, for 500 epochs. Here 64 frames are drawn in each of 2,000 steps. Learning
rate and weight decay are GrabNet's.
"""

from toch_jax.benchmark.methods.refinenet import RefineTraining
from toch_jax.training.batches import BatchConfig
from toch_jax.training.experiment import DataConfig, OptimiserConfig

experiment = RefineTraining(
    name="refinenet_open_grasps",
    data=DataConfig(dataset="open_grasps", speeds=(1,)),
    batch=BatchConfig(batch=32, window=2),
    optimiser=OptimiserConfig(learning_rate=5e-4, lowest_rate=0.0, warmup=0, weight_decay=5e-4),
    steps=2000,
)
