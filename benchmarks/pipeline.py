"""Speed of the whole repair beside filters: `python -m benchmarks.pipeline`.

The filters smooth the joints of the same clip and know nothing of the object; they are what people run otherwise.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from benchmarks.timing import Race, benchmark
from toch_jax.benchmark.methods.filters import FILTERS
from toch_jax.critic.files import load_critic
from toch_jax.denoiser.checkpoints import load_denoiser
from toch_jax.pipeline import refine
from toch_jax.sequence.derived import sequence_object
from toch_jax.warming import example

FRAMES = 100
NAMES = "filter:oneeuro:world", "filter:kalman:world"
BESIDE = [replace(each, settings=each.settings[:1]) for each in FILTERS if each.name in NAMES]


def races() -> Iterable[Race]:
    clip, denoiser, critic = example(FRAMES), load_denoiser(), load_critic()
    object = sequence_object(clip)

    def frames(repair: Callable[[], object]) -> Callable[[], float]:
        def run() -> float:
            repair()
            return FRAMES

        return run

    yield Race(
        f"repair of a clip of {FRAMES} frames of joints",
        "frame",
        {
            "refine": frames(lambda: refine(clip, denoiser, object=object)),
            "refine, with its object": frames(lambda: refine(clip, denoiser)),
            "refine, with the critic": frames(lambda: refine(clip, denoiser, object=object, critic=critic)),
            "refine, without network": frames(lambda: refine(clip, None, object=object)),
        }
        | {
            each.name: frames(partial(replace(each, settings=each.settings[:1]).load(), clip, object))
            for each in BESIDE
        },
    )


if __name__ == "__main__":
    benchmark("pipeline", races)
