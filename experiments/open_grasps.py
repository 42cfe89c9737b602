"""Train the shipped weights: FieldNet on the generated grasps of open_grasps, under two hours on two CPU cores."""

from toch_jax.denoiser.field_net import FieldNetConfig
from toch_jax.training.batches import BatchConfig
from toch_jax.training.experiment import DataConfig, Experiment

experiment = Experiment(
    name="open_grasps",
    denoiser=FieldNetConfig(),
    data=DataConfig(dataset="open_grasps"),
    batch=BatchConfig(samples=256),
    steps=4000,
    validate_every=1000,
    validation_batches=8,
)
