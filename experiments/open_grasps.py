"""Train weights like the shipped ones: FieldNet on the grasps of open_grasps, under two hours on two CPU cores.

The shipped ones were trained with exact object poses; here these have errors too (`NoiseConfig.object_share`).
"""

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
