"""Examples as stored on disk, and their conversion to and from a Sequence."""

from typing import Any

import numpy as np
from jaxtyping import Bool

from toch_jax.base.arrays import put
from toch_jax.base.errors import bad_input
from toch_jax.datasets.spec import DatasetSpec
from toch_jax.hand.model import HandParams, Side
from toch_jax.object.motion import motion_from_axis_angle, motion_to_axis_angle
from toch_jax.sequence.types import Hands, Sequence

Example = dict[str, Any]
"""One clip: NumPy arrays and strings, with the keys, shapes and units of the spec's `features`."""


def check_example(spec: DatasetSpec, example: Example) -> Example:
    """The example with arrays in the spec's dtypes.

    Raises InputError for wrong keys, shapes or words in `hand_side`, and for values that are not finite.
    """
    where = f"{spec.name}/{example.get('id', '?')}"
    if set(example) != set(spec.features):
        raise bad_input(where, "keys", str(sorted(spec.features)), str(sorted(example)))
    sizes: dict[str, int] = {}
    checked: Example = {}
    for key, entry in spec.features.items():
        value = example[key]
        if entry.dtype == "string":
            checked[key] = str(value)
            continue
        array = np.asarray(value, dtype=np.dtype(entry.dtype))
        wanted = [sizes.setdefault(s, n) if isinstance(s, str) else s for s, n in zip(entry.shape, array.shape)]  # noqa: B905
        if array.ndim != len(entry.shape) or list(array.shape) != wanted:
            raise bad_input(where, key, f"shape {entry.shape} with {sizes}", str(array.shape))
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise bad_input(where, key, "finite numbers", "NaN or infinity")
        checked[key] = array
    if len(hand_sides(where, checked["hand_side"])) != sizes["H"]:
        raise bad_input(where, "hand_side", f"a word for each of {sizes['H']} hands", repr(checked["hand_side"]))
    return checked


def hand_sides(where: str, text: str) -> tuple[Side, ...]:
    """The sides listed in the example's `hand_side` `text`. Raises InputError for words other than right and left."""
    known: dict[str, Side] = {"right": "right", "left": "left"}
    if not set(text.split()) <= set(known):
        raise bad_input(where, "hand_side", "right or left for each hand", repr(text))
    return tuple(known[side] for side in text.split())


def with_hand_axis(clip: Example) -> Example:
    """An example of one hand (H = 1), observed in every frame, from a clip with `side` and without the H axis."""
    entries = dict(clip)
    per_hand = ("hand_global_orient", "hand_pose", "hand_transl", "hand_betas", "grasp")
    entries |= {key: np.asarray(clip[key])[None] for key in per_hand}
    return {"hand_side": entries.pop("side"), "hand_valid": np.ones_like(entries["grasp"], dtype=bool), **entries}


def example_to_sequence(spec: DatasetSpec, example: Example) -> Sequence:
    """The clip as a clean Sequence, without ground truth and joints.

    Computed in NumPy and put on the device at the end, so that nothing is compiled per clip length.
    """
    pose, betas = example["hand_pose"], example["hand_betas"]
    params = HandParams(
        global_orient=put(example["hand_global_orient"]),
        pose=put(pose),
        betas=put(np.broadcast_to(betas[:, None], (*pose.shape[:2], betas.shape[-1]))),
        transl=put(example["hand_transl"]),
    )
    return Sequence(
        fps=float(example["fps"]),
        hand_side=hand_sides(example["id"], example["hand_side"]),
        hand_model=spec.hand_model,
        hands=Hands(params=params, joints=None, vertices=None, vertex_order=None),
        hand_valid=put(example["hand_valid"]),
        object_vertices=put(example["object_vertices"]),
        object_faces=put(example["object_faces"]),
        object_vertex_part=put(example["object_vertex_part"]),
        object_motion=motion_from_axis_angle(example["object_rotation"], example["object_translation"]),
        truth=None,
        hand_joint_sigma=None,
    )


def sequence_to_example(
    spec: DatasetSpec, sequence: Sequence, *, id: str, object: str, grasp: Bool[np.ndarray, "H T"]
) -> Example:
    """The clip as an example; `grasp` (contact per hand and frame) is the caller's.

    Raises InputError if the hands have no parameters.
    """
    params = sequence.hands.params
    if params is None:
        raise bad_input(id, "hands", "hands with parameters", "none")
    rotation, translation = motion_to_axis_angle(sequence.object_motion)
    return check_example(
        spec,
        {
            "id": id,
            "object": object,
            "hand_side": " ".join(sequence.hand_side),
            "fps": sequence.fps,
            "hand_global_orient": params.global_orient,
            "hand_pose": params.pose,
            "hand_transl": params.transl,
            "hand_betas": params.betas[:, 0],
            "hand_valid": sequence.hand_valid,
            "object_vertices": sequence.object_vertices,
            "object_faces": sequence.object_faces,
            "object_vertex_part": sequence.object_vertex_part,
            "object_rotation": rotation,
            "object_translation": translation,
            "grasp": grasp,
        },
    )
