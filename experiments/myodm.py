"""Train FieldNet on MyoDM's real grasps instead of generated ones, to compare it with the shipped weights."""

from toch_jax.denoiser.field_net import FieldNetConfig
from toch_jax.training.batches import BatchConfig
from toch_jax.training.experiment import DataConfig, Experiment

experiment = Experiment(
    name="myodm",
    denoiser=FieldNetConfig(),
    data=DataConfig(dataset="myodm", speeds=(1,)),
    batch=BatchConfig(samples=256),
    steps=1000,
    validate_every=500,
    validation_batches=8,
)
