"""Counts how near each bone comes to what is held, from generated grasps: toch_jax/fit/touch.npz, which the fit reads.

`python experiments/touch.py [-o FILE]`
"""

from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from tqdm import tqdm

from toch_jax.datasets.read import read_sequences
from toch_jax.fit.touch import TABLE, count_touch, least_of_bones, spread_points
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import skin_frames
from toch_jax.object.sdf import distance_to_object
from toch_jax.refine import sequence_object

HELD, TOUCHING = 0.002, 3
"""A frame counts when this many bones are within so many metres of the object."""


def main(output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = TABLE, dataset: str = "open_grasps") -> None:
    measure = jax.jit(
        lambda model, params, object, motion, vertices, bone: least_of_bones(
            distance_to_object(object, motion, skin_frames(model, params)[0][:, vertices])[0], bone
        )
    )
    objects: dict[bytes, object] = {}
    least = []
    for _, sequence in tqdm(read_sequences(dataset, "train"), unit="clip"):
        key = np.asarray(sequence.object_vertices).tobytes()
        if key not in objects:
            objects[key] = sequence_object(sequence).without_mesh()
        for hand, side in enumerate(sequence.hand_side):
            model = load_hand("open", side)
            params = jax.tree.map(lambda leaf, hand=hand: leaf[hand], sequence.hands.params)
            vertices, bone = map(jnp.asarray, spread_points(model))
            found = np.asarray(measure(model, params, objects[key], sequence.object_motion, vertices, bone))
            least.append(found[(found < HELD).sum(axis=1) >= TOUCHING])
    counted = np.concatenate(least)
    np.savez(output, log_density=count_touch(counted))
    print(f"{len(counted)} frames")


if __name__ == "__main__":
    tyro.cli(main)
