"""A small training run in a process of its own: `python -m support.tiny_run RUN_DIR`, in tests/."""

import sys

import jax

from support.toy import toy_clips
from toch_jax.denoiser.field_net import FieldNetConfig
from toch_jax.hand.files import load_hand
from toch_jax.training.batches import BatchConfig
from toch_jax.training.experiment import Experiment, OptimiserConfig
from toch_jax.training.loop import train

HAND = load_hand("open")
EXPERIMENT = Experiment(
    name="tiny",
    denoiser=FieldNetConfig(point_width=8, frame_width=16, dilations=(1, 2)),
    batch=BatchConfig(batch=2, window=8, samples=32),
    optimiser=OptimiserConfig(warmup=2),
    steps=30,
    log_every=1,
    save_every=4,
    validate_every=20,
    validation_batches=2,
)


def run(run_dir: str) -> dict[str, float]:
    return train(EXPERIMENT, run_dir, toy_clips(2, 20, 8, 128), toy_clips(1, 12, 8, 128), HAND)


if __name__ == "__main__":
    jax.config.update("jax_platforms", "cpu")
    run(sys.argv[1])
