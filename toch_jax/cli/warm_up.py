"""`toch warm-up`."""

from typing import Annotated

import tyro

USUAL = (64, 128, 192)
"""`warming.USUAL_FRAMES`, which is not imported here: JAX takes seconds."""


def warm_up(
    frames: tyro.conf.Positional[tuple[int, ...]] = USUAL,
    hand_model: Annotated[str, tyro.conf.arg(metavar="open|mano|FILE")] = "open",
) -> int:
    """Compile beforehand, about a minute for each length, so that later commands and calls start at once.

    Args:
        frames: Lengths of clips. Each serves all clips that are padded to it: up to 16, 32, 64, then multiples of 64.
        hand_model: The hand that the clips' parameters belong to.
    """
    from toch_jax.base.progress import to_stderr
    from toch_jax.warming import warm_up as compile_beforehand

    for length, seconds in compile_beforehand(frames, hand_model=hand_model, progress=to_stderr).items():
        print(f"{length} frames: {seconds:.1f} s")
    return 0
