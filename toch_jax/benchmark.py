"""A benchmark experiment, from its data sets to its table."""

from dataclasses import dataclass
from pathlib import Path

from toch_jax.datasets.read import read_sequences
from toch_jax.denoiser.checkpoints import load_denoiser
from toch_jax.evaluate.benchmark import benchmark
from toch_jax.evaluate.report import Result
from toch_jax.refine import refine


@dataclass(frozen=True)
class Benchmark:
    """What is compared on what; bound as `benchmark` by a file in experiments/."""

    dataset: str
    noises: tuple[str, ...]
    split: str = "test"
    validation: str = "val"
    """The filters are tuned on these clips, for each noise by itself."""
    denoiser: str = "default"
    seed: int = 0


def run_benchmark(experiment: Benchmark, folder: Path, quick: bool = False) -> list[Result]:
    """Scores every method under every noise into `folder` (results.json, results.md), going on where it was killed.

    `quick` takes a few clips of each split. Raises InputError where the data set is not prepared.
    """
    few = "[:3]" if quick else ""
    denoiser = load_denoiser(experiment.denoiser)
    return benchmark(
        experiment.dataset,
        read_sequences(experiment.dataset, experiment.split + few),
        read_sequences(experiment.dataset, experiment.validation + few),
        list(experiment.noises),
        lambda sequence: refine(sequence, denoiser),
        folder,
        seed=experiment.seed,
    )
