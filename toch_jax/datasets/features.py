"""Examples as they lie on disk, and their conversion to and from a Sequence."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import tensorflow_datasets as tfds

from toch_jax.datasets.spec import DatasetSpec
from toch_jax.errors import bad_input
from toch_jax.hand.model import HandParams
from toch_jax.object.motion import motion_from_axis_angle, motion_to_axis_angle
from toch_jax.sequence.types import Hands, Sequence

Example = dict[str, Any]
"""One clip: the keys, shapes and units of the spec's `features`; numpy arrays and str."""


def tfds_features(spec: DatasetSpec) -> tfds.features.FeaturesDict:
    """The spec's features as TFDS wants them."""

    def feature(shape: tuple[int | str, ...], dtype: str) -> tfds.features.FeatureConnector:
        if dtype == "string":
            return tfds.features.Text()
        if not shape:
            return tfds.features.Scalar(dtype=np.dtype(dtype))
        sizes = tuple(size if isinstance(size, int) else None for size in shape)
        # bytes: reading is six times faster than the default encoding
        return tfds.features.Tensor(shape=sizes, dtype=np.dtype(dtype), encoding="bytes")

    return tfds.features.FeaturesDict({key: feature(entry.shape, entry.dtype) for key, entry in spec.features.items()})


def tfds_info(builder: tfds.core.DatasetBuilder, spec: DatasetSpec) -> tfds.core.DatasetInfo:
    """What a builder's `_info` returns."""
    return tfds.core.DatasetInfo(
        builder=builder, description=spec.description, features=tfds_features(spec), license=spec.licence
    )


def check_example(spec: DatasetSpec, example: Example) -> Example:
    """The example with each array in the spec's dtype; raises InputError where keys, shapes or numbers are wrong."""
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
    return checked


def example_to_sequence(spec: DatasetSpec, example: Example) -> Sequence:
    """The clip as a clean Sequence of one hand (H = 1): no truth, no joints, every frame valid.

    On the host until the last: a clip's length is no reason to compile anything.
    """
    frames, betas = example["hand_pose"].shape[0], example["hand_betas"]
    params = HandParams(
        global_orient=jnp.asarray(example["hand_global_orient"][None]),
        pose=jnp.asarray(example["hand_pose"][None]),
        betas=jnp.asarray(np.broadcast_to(betas, (1, frames, *betas.shape))),
        transl=jnp.asarray(example["hand_transl"][None]),
    )
    return Sequence(
        fps=float(example["fps"]),
        hand_side=(example["side"],),
        hand_model=spec.hand_model,
        hands=Hands(params=params, joints=None, vertices=None, vertex_order=None),
        hand_valid=jnp.asarray(np.ones((1, frames), bool)),
        object_vertices=jnp.asarray(example["object_vertices"]),
        object_faces=jnp.asarray(example["object_faces"]),
        object_vertex_part=jnp.asarray(example["object_vertex_part"]),
        object_motion=motion_from_axis_angle(example["object_rotation"], example["object_translation"]),
        truth=None,
        hand_joint_sigma=None,
    )


def sequence_to_example(spec: DatasetSpec, sequence: Sequence, *, id: str, object: str, grasp: np.ndarray) -> Example:
    """The clip of one hand with parameters as an example; `grasp` (T,) bool comes from whoever measured contact."""
    params = sequence.hands.params
    if params is None or params.pose.shape[0] != 1:
        raise bad_input(id, "hands", "one hand with parameters", "none" if params is None else str(params.pose.shape))
    rotation, translation = motion_to_axis_angle(sequence.object_motion)
    return check_example(
        spec,
        {
            "id": id,
            "object": object,
            "side": sequence.hand_side[0],
            "fps": sequence.fps,
            "hand_global_orient": params.global_orient[0],
            "hand_pose": params.pose[0],
            "hand_transl": params.transl[0],
            "hand_betas": params.betas[0, 0],
            "object_vertices": sequence.object_vertices,
            "object_faces": sequence.object_faces,
            "object_vertex_part": sequence.object_vertex_part,
            "object_rotation": rotation,
            "object_translation": translation,
            "grasp": grasp,
        },
    )
