"""Speed of the fit against TOCH's own loop, 2,100 steps of Adam on 100 points a frame: `python -m benchmarks.fit`.

Both fit the same frames, without field and network. TOCH's loop is our version of its published script
(toch_jax/benchmark/methods/toch_fit.py), compiled as a whole, so that it is faster than the script.
"""

from collections.abc import Iterable
from functools import partial

import jax

from benchmarks.timing import Race, benchmark
from toch_jax.benchmark.methods.scene import Scene, repair_hands
from toch_jax.benchmark.methods.toch_fit import clean_field, correspondences, fit
from toch_jax.denoiser.checkpoints import create_denoiser, load_denoiser
from toch_jax.denoiser.toch import TochConfig
from toch_jax.fit.correspondences import denoiser_terms
from toch_jax.fit.fit import fitted_alone, solve_hand
from toch_jax.hand.model import HandParams
from toch_jax.observe import observe
from toch_jax.sequence.derived import sequence_object
from toch_jax.solver.settings import DEFAULT
from toch_jax.track.registered_hand import registered_hands
from toch_jax.track.tracked_hand import tracked_hands
from toch_jax.warming import example

FRAMES = 128


def races() -> Iterable[Race]:
    sequence = example(FRAMES)
    object = sequence_object(sequence).without_mesh()
    (hand,) = tracked_hands(sequence, DEFAULT, registered_hands(sequence))
    surface, joints = denoiser_terms(hand, observe(hand, object, load_denoiser()), DEFAULT)
    toch = create_denoiser(TochConfig().for_hand(hand.model), 0)
    loops = []

    def keep(scene: Scene) -> HandParams:
        targets = correspondences(jax.random.key(0), scene, *clean_field(scene, toch))
        loops.append(partial(fit, jax.random.key(1), scene.surface, targets, scene.n_frames))
        return scene.tracked

    repair_hands(sequence, keep, object)

    def ours() -> float:
        solved = solve_hand(hand.model, hand.track, object.grid, surface, joints)
        jax.block_until_ready(fitted_alone(solved, DEFAULT))
        return FRAMES

    def theirs() -> float:
        jax.block_until_ready(loops[0]())
        return FRAMES

    # the first call compiles
    theirs()
    yield Race(
        f"fit, a clip of {FRAMES} frames", "frame", {"fit": ours, "TOCH's loop": theirs}, frozenset({"TOCH's loop"})
    )


if __name__ == "__main__":
    benchmark("fit", races)
