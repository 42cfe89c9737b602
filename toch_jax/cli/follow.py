"""`toch denoise --follow`: JSON lines of a tracker in, JSON lines of repaired frames out, while the hand is tracked."""

import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial, wraps
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import tyro

from toch_jax.base.errors import bad_input
from toch_jax.cli.parse import Command, OptionalFile, typed

CONSTANTS = "fps", "hand_side", "hand_model", "object_vertices", "object_faces", "object_vertex_part"
"""Keys that the first line gives for all."""
OF_HANDS = "hand_global_orient", "hand_pose", "hand_transl", "hand_betas", "hand_joints"
"""Keys of a frame's hands, with the axis H where `hand_side` is a list."""
OF_OBJECT = "object_translation", "object_rotation"
"""Keys of a frame's object."""
WRITTEN = *OF_HANDS, "hand_joint_sigma", "hand_valid", "object_rotation", "object_translation"
DIGITS = 6
"""Decimals that are written: micrometres."""


class Follow(NamedTuple):
    """What became of a stream."""

    frames: int
    seconds: float
    """Spent on repairs, without waiting for input."""
    latency: list[float]
    """Seconds from reading each of the last frames to writing it."""


def follow(
    object: OptionalFile = None,
    object_scale: float = 1.0,
    look_ahead: int = 5,
    denoiser: Annotated[str, tyro.conf.arg(metavar="FILE|default|none")] = "default",
    hand: Annotated[Literal["given", "model"], tyro.conf.arg(metavar="given|model")] = "given",
) -> int:
    """Repair a sequence while it is tracked: a line of JSON a frame, from standard input to standard output.

    Args:
        object: The object's mesh, if the first line holds none: any format that trimesh reads, in metres.
        object_scale: Factor for the vertices of that mesh: 0.001 for millimetres.
        look_ahead: Frames after it, 0 to 15, that a frame's result waits for: more is more accurate, and later.
        denoiser: A file that `toch train` wrote; "default" is the network in the package, "none" fits without one.
        hand: "given" writes hands in the form in which they came, "model" parameters and joints of the hand model.
    """
    from toch_jax.object.mesh import load_mesh

    mesh = {} if object is None else dict(zip(CONSTANTS[3:5], load_mesh(object, object_scale), strict=True))
    network = None if denoiser == "none" else denoiser
    done = follow_lines(sys.stdin, partial(print, flush=True), mesh, denoiser=network, look_ahead=look_ahead, hand=hand)
    print(follow_text(done), file=sys.stderr)
    return 0


def or_follow(denoise: Command) -> Command:
    """The command `denoise`, or `follow` where the option --follow is given."""

    @wraps(getattr(denoise, "__wrapped__", denoise))
    def command(words: list[str], prog: str) -> int:
        if "--follow" not in words:
            return denoise(words, prog)
        return typed(follow)([word for word in words if word != "--follow"], f"{prog} --follow")

    return command


def follow_lines(lines: Iterable[str], write: Callable[[str], object], mesh: dict[str, Any], **options: Any) -> Follow:
    """Repair the frames of `lines`, and `write` each when it is repaired. `options` are of `refine_stream`.

    Raises InputError, which names the line.
    """
    from toch_jax.sequence.arrays import arrays_from_sequence
    from toch_jax.stream import refine_stream

    arrived: deque[float] = deque()
    latency: deque[float] = deque(maxlen=10_000)
    waited = 0.0

    def timed() -> Iterator[Any]:
        nonlocal waited
        source, began = sequences(lines, mesh), time.perf_counter()
        for sequence in source:
            now = time.perf_counter()
            waited += now - began
            arrived.append(now)
            yield sequence
            began = time.perf_counter()

    start, count = time.perf_counter(), 0
    for clean in refine_stream(timed(), **options):
        arrays = arrays_from_sequence(clean)
        axis = 0 if isinstance(arrays["hand_side"], str) else 1
        frame = {"frame": count} | {key: _plain(key, arrays[key], axis) for key in WRITTEN if key in arrays}
        write(json.dumps(frame))
        latency.append(time.perf_counter() - arrived.popleft())
        count += 1
    return Follow(count, time.perf_counter() - start - waited, list(latency))


def sequences(lines: Iterable[str], mesh: dict[str, Any]) -> Iterator[Any]:
    """A sequence of one frame from each line. A frame without the hand has the values of the one before, and
    `hand_valid` false. Raises InputError, which names the line."""
    from toch_jax.base.arrays import put
    from toch_jax.sequence.arrays import sequence_from_arrays

    constants: dict[str, Any] = {}
    before: dict[str, np.ndarray] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"standard input, line {number}"
        record = _record(where, line)
        if not constants:
            constants = {key: record[key] for key in CONSTANTS if key in record} | mesh
            for key in ("fps", "hand_side", *CONSTANTS[3:5]):
                if constants.get(key) is None:
                    raise bad_input(
                        where, key, "it in the first line" + " or --object" * (key in CONSTANTS[3:]), "none"
                    )
            if isinstance(constants["fps"], bool) or not isinstance(constants["fps"], int | float):
                raise bad_input(where, "fps", "a number", str(constants["fps"]))
            for key in CONSTANTS[3:]:
                if key in constants:
                    values = _numbers(where, key, constants[key])
                    constants[key] = values if key == "object_vertices" else values.astype(np.int32)
        one_hand = isinstance(constants["hand_side"], str)
        n_hands = 1 if one_hand else len(constants["hand_side"])
        data, seen = _hands(where, record, n_hands, one_hand, before)
        before = data
        frame: dict[str, Any] = {
            key: np.expand_dims(value, 1)[0 if one_hand else slice(None)] for key, value in data.items()
        }
        frame |= _object(where, record)
        found = sequence_from_arrays(**constants, **frame, where=where)
        yield found.replace(hand_valid=put(np.asarray(found.hand_valid) & seen[:, None]))


def _record(where: str, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise bad_input(where, "JSON", "an object in one line", str(error)) from None
    if not isinstance(record, dict):
        raise bad_input(where, "JSON", "an object, such as {...}", type(record).__name__)
    known = (*CONSTANTS, *OF_HANDS, *OF_OBJECT, "hand_valid", "frame")
    for key in record:
        if key not in known:
            raise bad_input(where, key, f"one of {', '.join(known)}", "another key")
    return record


def _numbers(where: str, key: str, value: Any) -> np.ndarray:
    """The array of nested lists of numbers, in which null is NaN. Raises InputError."""
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise bad_input(where, key, "numbers in lists of equal length", json.dumps(value)[:40]) from None


def _hands(
    where: str, record: dict[str, Any], n_hands: int, one_hand: bool, before: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Arrays of the hands (H, ...), and whether each is there; those that are not have the values `before`."""
    given = {key: _numbers(where, key, record[key]) for key in OF_HANDS if record.get(key) is not None}
    given = {key: value[None] if one_hand else value for key, value in given.items()}
    for key, value in given.items():
        if value.ndim < 2 or len(value) != n_hands:
            raise bad_input(where, key, f"an array for each of {n_hands} hands", f"the shape {value.shape}")
    flags = record.get("hand_valid", True)
    seen = np.broadcast_to(np.asarray(flags, bool), n_hands) & bool(given)
    for key, value in given.items():
        if key != "hand_joints":
            seen = seen & np.isfinite(value).reshape(n_hands, -1).all(axis=1)
        else:
            seen = seen & np.isfinite(value).reshape(n_hands, -1).any(axis=1)
    if seen.all():
        return given, seen
    if not before:
        raise bad_input(where, "hand data", "a first frame in which the hand is tracked", "none")
    shape = {key: (n_hands,) + (1,) * (value.ndim - 1) for key, value in before.items()}
    return {k: np.where(seen.reshape(shape[k]), given.get(k, v), v) for k, v in before.items()}, seen


def _object(where: str, record: dict[str, Any]) -> dict[str, np.ndarray]:
    """The object's pose with the axis of frames: (1, ...), or (P, 1, ...) for an object of several parts."""
    for key in OF_OBJECT:
        if record.get(key) is None:
            raise bad_input(where, key, "the object's pose in each frame", "none")
    pose = {key: _numbers(where, key, record[key]) for key in OF_OBJECT}
    parts = pose["object_translation"].ndim > 1
    return {key: np.expand_dims(value, 1 if parts else 0) for key, value in pose.items()}


def _plain(key: str, value: Any, hand_axis: int) -> Any:
    """The frame's value, without the axis of frames, for JSON; null where it is not finite."""
    array = np.asarray(value)
    axis = hand_axis if key.startswith("hand") else array.ndim - 2
    constant = key == "hand_betas" and array.ndim == 1 + hand_axis
    frame = array if constant else np.take(array, 0, axis=axis)
    if frame.dtype == bool:
        return frame.tolist()
    return np.where(np.isfinite(frame), np.round(frame.astype(np.float64), DIGITS), np.array(None)).tolist()


def follow_text(done: Follow) -> str:
    """Frames a second and latency, in one line."""
    if not done.frames:
        return "no frames"
    middle, late = (1e3 * float(np.quantile(done.latency, each)) for each in (0.5, 0.95))
    speed = done.frames / max(done.seconds, 1e-9)
    latency = f"from reading to writing {middle:.0f} ms (median), {late:.0f} (95 %)"
    return f"{done.frames} frames, {speed:.0f} a second; {latency}"
