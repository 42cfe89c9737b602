"""Train FieldNet on GRAB, both hands.

    toch prepare grab --raw DIR
    toch train experiments/grab_ours.py

The shape noise is smaller than for other data sets: beyond MANO's ten, each shape coefficient is the hand shape of one
subject.
"""

from toch_jax.denoiser.field_net import FieldNetConfig
from toch_jax.perturb.training import NoiseConfig
from toch_jax.training.batches import BatchConfig
from toch_jax.training.experiment import DataConfig, Experiment

experiment = Experiment(
    name="grab_ours",
    denoiser=FieldNetConfig(),
    data=DataConfig(dataset="grab", hand="dataset", speeds=(1, 2)),
    batch=BatchConfig(batch=32, samples=384),
    noise=NoiseConfig(shape=0.2),
    steps=40_000,
    save_every=1000,
    validate_every=2000,
)
