"""Train the baseline RefineNet (as in GrabNet) on the clips and noise that the shipped weights are trained on.

`python experiments/refinenet_open_grasps.py -o FILE`. GrabNet trains on 400,000 frames, 256 a step, for 500 epochs.
Here 64 frames are drawn in each of 2,000 steps.
"""

from pathlib import Path
from typing import Annotated

import tyro

from toch_jax.benchmark.methods.train_refinenet import RefineTraining, save_refinenet, train_refinenet
from toch_jax.datasets.read import read_sequences
from toch_jax.hand.files import load_hand
from toch_jax.track.tracked_hand import field_hand
from toch_jax.training.clips import build_clips

training = RefineTraining(steps=2000)


def main(output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    sequences = read_sequences("open_grasps", "train")
    clips = build_clips(sequences, load_hand("open"), window=2, n_samples=2000)
    save_refinenet(train_refinenet(training, clips, field_hand("open", "right")), output)


if __name__ == "__main__":
    tyro.cli(main)
