"""Selection of the clips that TOCH was trained on: one hand near the object, the other hand not in contact with it.

The rules are those of TOCH's code (kzhou23/toch: data/grab/preprocessing.py), implemented independently.
"""

from collections.abc import Iterator

import numpy as np
import trimesh
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.datasets.examples import Example, posed_vertices
from toch_jax.hand.model import HandModel, Side

NEAR_M = 0.15
"""Largest distance (m) from the centre of the wrist ring to the nearest object sample in a selected frame."""
MIN_FRAMES = 30
"""Shortest run of selected frames that becomes a clip."""
SAMPLES = 8000
"""Surface samples of the object from which the distance is measured."""


def toch_clips(example: Example, models: dict[Side, HandModel]) -> list[Example]:
    """One-hand clips of the recording: for each hand the runs of at least MIN_FRAMES frames that the rules select."""
    clips = []
    for hand, side in enumerate(example["hand_side"].split()):
        others = np.delete(example["grasp"], hand, axis=0).any(axis=0)
        near = wrist_distance(example, hand, models[side]) <= NEAR_M
        for number, frames in enumerate(_runs(near & ~others)):
            clip = _cut(example, hand, frames)
            clips.append(clip | {"hand_side": side, "id": f"{example['id']}_{side}_{number}"})
    return clips


def wrist_distance(example: Example, hand: int, model: HandModel) -> Float[np.ndarray, "T"]:
    """Distance (m) from the centre of the hand's wrist ring to the nearest of SAMPLES points on the object.

    Raises InputError if the hand's mesh is closed at the wrist.
    """
    if not model.wrist_ring.size:
        raise bad_input("MANO", "f", "a mesh that is open at the wrist", "a closed one")
    centre = posed_vertices(example, hand, model)[:, np.asarray(model.wrist_ring)].mean(axis=1)
    rotation = Rotation.from_rotvec(example["object_rotation"][0])
    local = rotation.inv().apply(centre - example["object_translation"][0])
    mesh = trimesh.Trimesh(example["object_vertices"], example["object_faces"], process=False)
    samples = trimesh.sample.sample_surface(mesh, SAMPLES, seed=0)[0]
    return cKDTree(samples).query(local)[0]


def _runs(selected: Bool[np.ndarray, "T"]) -> Iterator[slice]:
    """Runs of at least MIN_FRAMES consecutive true frames."""
    edges = np.flatnonzero(np.diff(selected.astype(int), prepend=0, append=0))
    for start, stop in edges.reshape(-1, 2).tolist():
        if stop - start >= MIN_FRAMES:
            yield slice(start, stop)


def _cut(example: Example, hand: int, frames: slice) -> Example:
    per_hand = ("hand_global_orient", "hand_pose", "hand_transl", "hand_valid", "grasp")
    clip = dict(example)
    clip |= {key: example[key][hand : hand + 1, frames] for key in per_hand}
    clip |= {key: example[key][:, frames] for key in ("object_rotation", "object_translation")}
    return clip | {"hand_betas": example["hand_betas"][hand : hand + 1]}
