"""Examples of data sets with random content."""

import numpy as np

from toch_jax.datasets.prepared import Example


def example(frames: int = 7, parts: int = 2, seed: int = 0, side: str = "left right") -> Example:
    """A clip in the layout of open_grasps; `side` has a word for each hand."""
    rng, hands = np.random.default_rng(seed), len(side.split())
    return {
        "id": f"clip_{seed}",
        "object": "mug",
        "hand_side": side,
        "fps": np.float32(30),
        "hand_global_orient": rng.normal(size=(hands, frames, 3)).astype(np.float32),
        "hand_pose": rng.normal(size=(hands, frames, 45)).astype(np.float32),
        "hand_transl": rng.normal(size=(hands, frames, 3)).astype(np.float32),
        "hand_betas": rng.normal(size=(hands, 10)).astype(np.float32),
        "hand_valid": rng.random((hands, frames)) < 0.8,
        "object_vertices": rng.normal(size=(11, 3)).astype(np.float32),
        "object_faces": rng.integers(0, 11, size=(5, 3)).astype(np.int32),
        "object_vertex_part": rng.integers(0, parts, size=11).astype(np.int32),
        "object_rotation": rng.normal(size=(parts, frames, 3)).astype(np.float32),
        "object_translation": rng.normal(size=(parts, frames, 3)).astype(np.float32),
        "grasp": rng.random((hands, frames)) < 0.5,
    }
