"""Train the critic that ships, on the generated grasps of open_grasps: minutes on two CPU cores."""

from toch_jax.training.contrast import CriticTraining
from toch_jax.training.experiment import DataConfig, OptimiserConfig

experiment = CriticTraining(
    name="critic_open_grasps",
    data=DataConfig(dataset="open_grasps", speeds=(1,), object_samples=500),
    optimiser=OptimiserConfig(learning_rate=1e-3),
    steps=150,
    validate_every=50,
    validation_batches=16,
)
