"""Write held_camera.npz: sixteen frames of a generated hand that holds a camera, in the form of a tracker's output.

Not run by the tests; needs `toch prepare open_grasps`:

    python tests/golden/make_held_camera.py
"""

from pathlib import Path

import jax.numpy as jnp

from toch_jax.datasets.prepared import read_sequences
from toch_jax.sequence.file import save_sequence

CLIP, FRAMES = "camera_0_2", slice(28, 44)


def main() -> None:
    clip = next(sequence for name, sequence in read_sequences("open_grasps", "test") if name == CLIP)
    held = clip.frames(FRAMES.start, FRAMES.stop)
    save_sequence(
        Path(__file__).with_name("held_camera.npz"),
        held.replace(truth=None, hand_valid=jnp.ones_like(held.hand_valid)),
    )


if __name__ == "__main__":
    main()
