"""Run of a training experiment, from its data set to its weights."""

from pathlib import Path

from toch_jax.datasets.read import dataset_hand, read_sequences
from toch_jax.hand.decimate import decimate
from toch_jax.hand.files import load_hand
from toch_jax.training.clips import Clips, build_clips
from toch_jax.training.experiment import Experiment
from toch_jax.training.loop import claim_run_dir, train


def run_experiment(experiment: Experiment, run_dir: str | Path) -> dict[str, float]:
    """Trains or resumes the run in `run_dir`; returns the last validation (`validate`).

    Raises InputError if the data set is not prepared or `run_dir` holds the run of another experiment.
    """
    claim_run_dir(Path(run_dir).absolute(), experiment)
    data = experiment.data
    name = dataset_hand(data.dataset, data.data_dir) if data.hand == "dataset" else data.hand
    hand = load_hand(name)

    def clips(split: str) -> Clips:
        sequences = read_sequences(data.dataset, split, data.data_dir)
        window = experiment.batch.window
        return build_clips(sequences, hand, window, data.object_samples, data.speeds, where=split, hand_model=name)

    return train(experiment, run_dir, clips("train"), clips("val"), decimate(hand, data.hand_faces))
