"""Train FieldNet on ARCTIC: two hands, hinged objects, protocol p1.

toch prepare arctic --raw DIR
toch train experiments/arctic_ours.py
"""

from toch_jax.denoiser.field_net import FieldNetConfig
from toch_jax.perturb.training import NoiseConfig
from toch_jax.training.batches import BatchConfig
from toch_jax.training.experiment import DataConfig, Experiment

experiment = Experiment(
    name="arctic_ours",
    denoiser=FieldNetConfig(),
    data=DataConfig(dataset="arctic", hand="dataset", speeds=(1, 2)),
    batch=BatchConfig(batch=32, samples=384),
    # less than elsewhere: with twice as many shape coefficients as MANO's, the error of the shape is the same
    noise=NoiseConfig(shape=0.5),
    steps=40_000,
    save_every=1000,
    validate_every=2000,
)
