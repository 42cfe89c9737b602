"""Train the shipped weights: FieldNet on the generated grasps of open_grasps, under two hours on two CPU cores."""

from toch_jax.denoiser.canonical import canonical_scale_offset
from toch_jax.denoiser.field_net import FieldNetConfig
from toch_jax.hand.files import load_hand
from toch_jax.training.batches import BatchConfig
from toch_jax.training.experiment import DataConfig, Experiment

scale, offset = canonical_scale_offset(load_hand("open"))

experiment = Experiment(
    name="open_grasps",
    denoiser=FieldNetConfig(canonical_scale=scale, canonical_offset=offset),
    data=DataConfig(dataset="open_grasps"),
    batch=BatchConfig(samples=256),
    steps=4000,
    validate_every=1000,
    validation_batches=8,
)
