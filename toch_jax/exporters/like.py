"""A tracker's own file (`--like`), whose other content is kept where a clip is written in its format."""

import dataclasses
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.base.files import atomic, write_arrays, write_text
from toch_jax.base.tensor_writing import pickled
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.formats import FORMATS, read_tracked
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, open_source
from toch_jax.trackers.tracked import MIRROR_AXIS_ANGLE, Tracked, mirrored_pose


def like_source(writing: Writing, name: str) -> Source | None:
    """The file of `--like`. Raises InputError if it has not the format `name`."""
    if writing.like is None:
        return None
    source = open_source(writing.like)
    if not FORMATS[name].fits(source):
        raise bad_input(writing.like, "--like", f"a file of the format {name}", "another")
    return source


def like_tracked(sequence: Sequence, writing: Writing, name: str) -> tuple[Source, Tracked]:
    """The file of `--like` and what its reader reads in it.

    Raises InputError if there is none, or if it is not of the clip's hands and frames.
    """
    source = like_source(writing, name)
    if source is None:
        raise bad_input(sequence.source, "--like", f"the tracker's own file ({FORMATS[name].about})", "none")
    tracked = read_tracked(source.path, reading_of(sequence, writing, name))
    if (tracked.sides, tracked.n_frames) != (sequence.hand_side, sequence.n_frames):
        expected = f"the clip's hands ({', '.join(sequence.hand_side)}) and {sequence.n_frames} frames"
        found = f"{', '.join(tracked.sides)} and {tracked.n_frames} frames"
        raise bad_input(source.path, "--like", expected, found)
    return source, tracked


def reading_of(sequence: Sequence, writing: Writing, name: str) -> Reading:
    """How the tracker's file was read: by what is said of the file that is written."""
    return dataclasses.replace(
        Reading(),
        format=name,
        side=",".join(sequence.hand_side),
        joint_order=None if writing.joint_order == "openpose" else writing.joint_order,
        hand_unit=writing.unit,
        fps=sequence.fps,
        camera=writing.camera,
        left_hands=writing.left_hands,
        bone_map=writing.bone_map,
        object_key=writing.object_key,
    )


def frame_numbers(tracked: Tracked) -> dict[int, int]:
    """The clip's frame of each frame number in the tracker's file."""
    numbers = range(tracked.n_frames) if tracked.numbers is None else tracked.numbers.tolist()
    return {int(number): frame for frame, number in enumerate(numbers)}


def mirrored(arrays: dict[str, np.ndarray], sequence: Sequence, *, transl: bool) -> dict[str, np.ndarray]:
    """MANO's parameters (`mano_arrays`) with left hands as right hands of a mirrored image, as HaMeR has them.

    `transl`: whether x of the translation is negated too.
    """
    changed = {key: value.copy() for key, value in arrays.items()}
    for hand, side in enumerate(sequence.hand_side):
        if side == "left":
            changed["global_orient"][hand] *= MIRROR_AXIS_ANGLE
            changed["pose"][hand] = mirrored_pose(changed["pose"][hand])
            changed["transl"][hand] *= np.array([-1.0 if transl else 1.0, 1.0, 1.0])
    return changed


def betas_of_frames(arrays: dict[str, np.ndarray], n_frames: int) -> Float[np.ndarray, "H T S"]:
    """The shape in each frame."""
    betas = arrays["betas"]
    return betas if betas.ndim == 3 else np.repeat(betas[:, None], n_frames, axis=1)


def as_given(old: Any, new: np.ndarray | int) -> Any:
    """New numbers in the form of those that they replace: their axes of length 1 and type; nested lists; a number."""
    values = np.asarray(new)
    if isinstance(old, np.ndarray | np.generic):
        shape = old.shape if old.size == values.size else values.shape
        return values.reshape(shape).astype(old.dtype if old.dtype.kind in "fiub" else values.dtype)
    if isinstance(old, list | tuple):
        shape = np.shape(old)
        return values.reshape(shape if math.prod(shape) == values.size else values.shape).tolist()
    return values.reshape(-1)[0].item() if isinstance(old, bool | int | float) and values.size == 1 else values


def plain(value: Any) -> Any:
    """A value as JSON has it: arrays as nested lists, NaN as null."""
    match value:
        case dict():
            return {str(key): plain(each) for key, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case np.ndarray() | np.generic():
            return plain(value.tolist())
        case float() if math.isnan(value):
            return None
    return value


def has_tensors(path: Path) -> bool:
    """Whether a pickle or an .npy file has PyTorch's tensors in it."""
    return b"torch" in path.read_bytes()


def is_json_of_lines(path: Path) -> bool:
    """Whether a JSON file has a value in each line."""
    try:
        json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError:
        return True
    return False


def json_text(content: Any, *, lines: bool) -> str:
    """JSON, or JSON of each entry in a line of its own."""
    if lines:
        return "\n".join(json.dumps(plain(each), allow_nan=False) for each in content) + "\n"
    return json.dumps(plain(content), allow_nan=False)


def write_content(path: Path, content: Any, like: Path | None) -> None:
    """Write what a tracker's file holds, in the kind that the ending says: .npz, .npy, .json, else a pickle.

    Pickles have tensors where the file `like` has them. Raises InputError for an .npz file of what is not arrays.
    """
    if path.suffix == ".json":
        write_text(
            path,
            json_text(
                content, lines=like is not None and like.suffix in (".json", ".jsonl") and is_json_of_lines(like)
            ),
        )
    elif path.suffix == ".npz":
        arrays = {str(key): np.asarray(value) for key, value in content.items()} if isinstance(content, dict) else {}
        wrong = next((key for key, value in arrays.items() if value.dtype.hasobject), None)
        if wrong is not None or not arrays:
            expected = "a name that ends in .pkl or .json, as the content is not arrays alone"
            raise bad_input(path, "-o", expected, path.name)
        write_arrays(path, arrays)
    else:
        with atomic(path) as part:
            part.write_bytes(_content_bytes(path, content, like is not None and has_tensors(like)))


def _content_bytes(path: Path, content: Any, tensors: bool) -> bytes:
    if path.suffix != ".npy":
        return pickled(content, tensors)
    header = io.BytesIO()
    if isinstance(content, np.ndarray):
        np.save(header, content, allow_pickle=False)
        return header.getvalue()
    whole = np.empty((), object)
    whole[()] = content
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(whole))  # type: ignore[arg-type]
    return header.getvalue() + pickled(whole, tensors)
