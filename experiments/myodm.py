"""Train FieldNet on MyoDM's real grasps instead of generated ones, to compare it with the shipped weights."""

from toch_jax.denoiser.canonical import canonical_scale_offset
from toch_jax.denoiser.field_net import FieldNetConfig
from toch_jax.hand.files import load_hand
from toch_jax.training.batches import BatchConfig
from toch_jax.training.experiment import DataConfig, Experiment

scale, offset = canonical_scale_offset(load_hand("open"))

experiment = Experiment(
    name="myodm",
    denoiser=FieldNetConfig(canonical_scale=scale, canonical_offset=offset),
    data=DataConfig(dataset="myodm", speeds=(1,)),
    batch=BatchConfig(samples=256),
    steps=1000,
    validate_every=500,
    validation_batches=8,
)
