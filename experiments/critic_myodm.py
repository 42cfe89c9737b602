"""Train the critic on MyoDM's real grasps instead of generated ones, to compare it with the shipped weights."""

from toch_jax.training.contrast import CriticTraining
from toch_jax.training.experiment import DataConfig, OptimiserConfig

experiment = CriticTraining(
    name="critic_myodm",
    data=DataConfig(dataset="myodm", speeds=(1,), object_samples=500),
    optimiser=OptimiserConfig(learning_rate=1e-3),
    steps=300,
    validate_every=100,
    validation_batches=16,
)
