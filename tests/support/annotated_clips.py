"""Clips of data sets with annotation, and what they are compared with."""

import numpy as np
from scipy.spatial.transform import Rotation

from support.annotated_hand import near
from support.tracker_clip import Clip
from toch_jax.datasets.annotated import MIN_FRAMES, convert
from toch_jax.datasets.annotation_folders import Annotation
from toch_jax.datasets.prepared import check_example, example_to_sequence
from toch_jax.datasets.spec import load_spec
from toch_jax.hand.files import load_hand
from toch_jax.trackers.self_check import hand_joints

SIDES = ("right", "left")


def models() -> dict:
    return {side: load_hand("mano", side) for side in SIDES}


def converted(name: str, annotation: Annotation) -> list:
    spec = load_spec(name)
    return [check_example(spec, each) for each in convert(spec, models(), annotation)]


def is_the_clip(name: str, example: dict, true: Clip, first: int, motion: np.ndarray | None = None) -> None:
    """The example's first hand and the object are the clip's from frame `first`, after a rigid motion."""
    motion = np.eye(4) if motion is None else motion
    sequence = example_to_sequence(load_spec(name), example)
    seen = example["hand_valid"][0]
    assert seen.sum() >= MIN_FRAMES
    points = true.joints[first : first + len(seen), :20] @ motion[:3, :3].T + motion[:3, 3]
    near(hand_joints(sequence, 0)[seen, :20], points[seen])
    poses = motion @ true.object_poses[first : first + len(seen)]
    corner = example["object_vertices"][0]
    turns = Rotation.from_rotvec(example["object_rotation"][0]).as_matrix()
    expected = np.einsum("tab,b->ta", poses[:, :3, :3], true.mesh.vertices[0]) + poses[:, :3, 3]
    near(turns @ corner + example["object_translation"][0], expected)
    assert example["grasp"].any()
    assert not example["grasp"][~example["hand_valid"]].any()
