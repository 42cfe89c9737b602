"""Makes tracked.npz: a generated grasp of a camera as a bad tracker would see it. `python -m toch_jax.example.make`."""

from pathlib import Path

import jax
import jax.numpy as jnp

from toch_jax.datasets.read import read_sequences
from toch_jax.evaluate.noisy_clip import perturb_clip
from toch_jax.sequence.file import save_sequence
from toch_jax.sequence.perturb import parse_perturbation

CLIP = "camera_0_2"
NOISE = "B(0.008,0.15)"
SINK = 0.006
"""Metres that the whole hand is pushed towards the object's middle, as a tracker's depth error does."""


def main() -> None:
    """Writes the file beside this one; needs `toch prepare open_grasps`."""
    clean = next(sequence for name, sequence in read_sequences("open_grasps", "test") if name == CLIP)
    tracked = perturb_clip(CLIP, clean, parse_perturbation(NOISE), seed=0)
    params, motion = tracked.hands.params, tracked.object_motion
    assert params is not None
    middle = jnp.einsum("tab,b->ta", motion.rotation[0], tracked.object_vertices.mean(axis=0)) + motion.translation[0]
    way = middle - params.transl[0]
    sunk = params.replace(transl=params.transl + SINK * way / jnp.linalg.norm(way, axis=-1, keepdims=True))
    tracked = tracked.replace(hands=tracked.hands.replace(params=jax.tree.map(jnp.asarray, sunk)))
    save_sequence(Path(__file__).with_name("tracked.npz"), tracked)


if __name__ == "__main__":
    main()
