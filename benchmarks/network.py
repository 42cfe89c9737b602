"""Speed of the denoiser and of the critic: `python -m benchmarks.network`.

Beside them TOCH's own network (our version of its published code), and products of large matrices of as many
floating-point operations as the denoiser's program has by XLA's count: the least time that this processor needs.
"""

from collections.abc import Callable, Iterable

import jax

from benchmarks.timing import Race, benchmark, products
from toch_jax.critic.align import align
from toch_jax.critic.files import load_critic
from toch_jax.denoiser.checkpoints import create_denoiser, load_denoiser
from toch_jax.denoiser.toch import TochConfig
from toch_jax.denoiser.window import Denoiser, denoise_clip
from toch_jax.observe import read_clip
from toch_jax.sequence.derived import sequence_object
from toch_jax.solver.settings import DEFAULT
from toch_jax.track.registered_hand import registered_hands
from toch_jax.track.tracked_hand import tracked_hands
from toch_jax.warming import example

FRAMES = 128


def races() -> Iterable[Race]:
    sequence = example(FRAMES)
    object = sequence_object(sequence)
    (hand,) = tracked_hands(sequence, DEFAULT, registered_hands(sequence))
    denoiser, critic, toch = load_denoiser(), load_critic(), create_denoiser(TochConfig().for_hand(hand.model), 0)

    def denoise(network: Denoiser) -> Callable[[], float]:
        window = read_clip(hand, object, network.config)[0]

        def run() -> float:
            jax.block_until_ready(denoise_clip(network, window))
            return FRAMES

        return run

    window = read_clip(hand, object, denoiser.config)[0]
    compiled = jax.jit(lambda window: denoise_clip(denoiser, window)).lower(window).compile()
    flops = float(compiled.cost_analysis()["flops"])  # type: ignore[index]

    def critics() -> float:
        align(hand, object, critic)
        return FRAMES

    yield Race(
        f"networks, a clip of {FRAMES} frames",
        "frame",
        {
            "denoiser": denoise(denoiser),
            "critic, whole alignment": critics,
            "TOCH's network": denoise(toch),
            "products of as many operations": products(flops, FRAMES),
        },
    )


if __name__ == "__main__":
    benchmark("network", races)
