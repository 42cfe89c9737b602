"""Prepared data sets: examples as stored on disk, their checks, and reading as Sequences, without TensorFlow."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import platformdirs
from jaxtyping import Bool, Float

from toch_jax.base.arrays import pad_last, put
from toch_jax.base.errors import bad_input
from toch_jax.datasets.spec import DatasetSpec, load_spec
from toch_jax.hand.model import HandModel, HandParams, Side, skin_frames
from toch_jax.object.model import motion_from_axis_angle
from toch_jax.sequence.types import Hands, Sequence

Example = dict[str, Any]
"""One clip: NumPy arrays and strings, with the keys, shapes and units of the spec's `features`."""

# The test of a grasp in open_grasps and MyoDM: see `grasp` in data_specs/.
TOUCH_M = 0.002
"""Largest signed distance of a digit's nearest vertex at which the digit counts as touching."""
MAX_DEPTH_M = 0.003
"""Largest penetration depth of a vertex."""
MIN_DIGITS = 3
"""Least number of touching digits of a grasp."""

FRAME_MULTIPLE = 256
"""Clips are padded to a multiple of this many frames before they are posed, so that they share compiled code."""


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


def stack_hands(sides: tuple[Side, ...], hands: list[Example], grasp: Bool[np.ndarray, "H T"]) -> Example:
    """An example's entries of H hands, observed in every frame, from the entries of each hand without the H axis."""
    return {
        "hand_side": " ".join(sides),
        **{key: np.stack([hand[key] for hand in hands]) for key in hands[0]},
        "hand_valid": np.ones_like(grasp, dtype=bool),
        "grasp": grasp,
    }


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


def posed_vertices(example: Example, hand: int, model: HandModel) -> Float[np.ndarray, "T V 3"]:
    """Vertices of the example's hand number `hand` in the world frame, metres."""
    frames = example["hand_pose"].shape[1]
    params = HandParams(
        global_orient=put(example["hand_global_orient"][hand], np.float32),
        pose=put(example["hand_pose"][hand], np.float32),
        betas=put(np.tile(example["hand_betas"][hand], (frames, 1)), np.float32),
        transl=put(example["hand_transl"][hand], np.float32),
    )
    padded = jax.tree.map(lambda leaf: pad_last(leaf, frames + -frames % FRAME_MULTIPLE), params)
    return np.asarray(skin_frames(model, padded)[0])[:frames]


def default_data_dir() -> Path:
    """Folder of all data sets: $TOCH_DATA, or the user's data folder of the platform."""
    chosen = os.environ.get("TOCH_DATA")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("toch_jax", appauthor=False))


def dataset_dir(name: str, data_dir: str | Path | None = None) -> Path:
    """Folder of the prepared data set `name`, which need not exist yet."""
    return Path(data_dir or default_data_dir()) / name / load_spec(name).version


def dataset_hand(name: str, data_dir: str | Path | None = None) -> str:
    """The hand model of the data set's parameters, as `load_hand` takes it.

    Raises InputError if the model is stored with the data and the data set is not prepared.
    """
    model = load_spec(name).hand_model
    return str(_prepared(name, data_dir) / model) if model.startswith("./") else model


def read_examples(name: str, split: str, data_dir: str | Path | None = None) -> Iterator[Example]:
    """The clips of one split in stored order.

    `split` is "train", "val", "test", or a TFDS slice such as "train[:10]". Raises InputError if the data set or the
    split does not exist.
    """
    folder = _prepared(name, data_dir)
    # imported here: inference does not need it
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(folder)
    if split.split("[")[0] not in builder.info.splits:
        raise bad_input(folder, "split", "one of " + ", ".join(builder.info.splits), repr(split))
    for raw in builder.as_data_source(split):
        yield {key: value.decode() if isinstance(value, bytes) else value for key, value in raw.items()}


def read_sequences(name: str, split: str, data_dir: str | Path | None = None) -> Iterator[tuple[str, Sequence]]:
    """Iterate over (id, clean clip) of one split; arguments and errors as in `read_examples`."""
    spec = dataclasses.replace(load_spec(name), hand_model=dataset_hand(name, data_dir))
    for example in read_examples(name, split, data_dir):
        yield example["id"], example_to_sequence(spec, example)


def _prepared(name: str, data_dir: str | Path | None) -> Path:
    folder = dataset_dir(name, data_dir)
    if not (folder / "dataset_info.json").is_file():
        raise bad_input(folder, "data set", f"a prepared data set ({load_spec(name).how_to_get})", "none")
    return folder
