"""Plain arrays of joints or of MANO's vertices: .npy, .npz, JSON, or a table of numbers.

Joints: (T, J, 3), (H, T, J, 3), (T, H, J, 3), or rows of 3 J numbers, with 21, 25, 26 or 27 joints; 25 are taken as
WebXR's, 26 as OpenXR's, 27 as visionOS's, 21 as OpenPose's (= MediaPipe's), unless `--joint-order` says otherwise.
Vertices: (T, 778, 3) or (H, T, 778, 3), in MANO's order. In files of several arrays the hand is the one array with such
a shape; arrays whose keys have "left" or "right" in them are the hands of these sides, and one array of shape (T, 4, 4)
is the object's pose. `fps` is read where the file has it. Tables with a line of names are read by `columns`.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.columns import fits_table, read_table
from toch_jax.trackers.joint_orders import COUNTS, to_openpose
from toch_jax.trackers.reading import METRES, Reading
from toch_jax.trackers.source import Source, Table, array, with_lost
from toch_jax.trackers.tracked import Tracked, sides_of

N_MANO = 778
_SHAPES = (*(f"T {count} 3" for count in COUNTS), f"T {N_MANO} 3")


def _points(value: Any) -> int | None:
    """The number of points of a hand in an array of them; None for other values."""
    shape = _shape(value)
    if len(shape) in (3, 4) and shape[-1] == 3 and shape[-2] in (*COUNTS, N_MANO):
        return int(shape[-2])
    if len(shape) == 2 and shape[1] % 3 == 0 and shape[1] // 3 in COUNTS and shape[0] > 1:
        return int(shape[1] // 3)
    return None


def _shape(value: Any) -> tuple[int, ...]:
    return value.shape if isinstance(value, np.ndarray) else ()


def arrays_of(source: Source) -> dict[str, Any]:
    """The file's values by key; a table or one array has a key of its own."""
    content = source.content
    if isinstance(content, Table):
        return {} if content.names else {"table": content.numbers(source.path)}
    if isinstance(content, list | np.ndarray):
        return {"array": _nested(content)}
    return {str(key): _nested(value) for key, value in content.items()} if isinstance(content, dict) else {}


def _nested(value: Any) -> Any:
    """Nested lists of numbers as an array, which is what they are in JSON; other values as they are."""
    value = with_lost(value)
    if isinstance(value, list) and value and isinstance(value[0], list):
        try:
            return array("", "", value, *_SHAPES, "H T J 3", "T 4 4", "T N")
        except ValueError:
            return None
    return value


def _hand_keys(source: Source) -> list[str]:
    return [key for key, value in arrays_of(source).items() if _points(value) is not None]


def fits(source: Source) -> bool:
    if source.is_folder:
        return False
    return bool(_hand_keys(source)) or fits_table(source)


def hand_keys(source: Source, reading: Reading) -> list[str]:
    """The key of the hand's array, or those of the left and the right hand's. Raises InputError."""
    where, keys = source.path, _hand_keys(source)
    if reading.hand_key is not None:
        if reading.hand_key not in keys:
            expected = f"the key of an array of joints or vertices ({', '.join(keys) or 'there is none'})"
            raise bad_input(where, "--hand-key", expected, reading.hand_key)
        keys = [reading.hand_key]
    by_side = [key for side in ("left", "right") for key in keys if side in key.lower()]
    if len(keys) == 1 or (len(keys) == 2 and len(set(by_side)) == len(by_side) == 2):
        return by_side if len(keys) == 2 else keys
    raise bad_input(where, "hand", "one array of joints or vertices (--hand-key KEY)", ", ".join(keys) or "none")


def read(source: Source, reading: Reading) -> Tracked:
    """The hands, and the object's poses where the file has them. Raises InputError."""
    if isinstance(source.content, Table) and source.content.names:
        return read_table(source, reading)
    where, arrays = source.path, arrays_of(source)
    keys = hand_keys(source, reading)
    if len(keys) == 2:
        hands, sides = _both(where, arrays, keys)
    else:
        found = array(where, keys[0], arrays[keys[0]], "H T J 3", "T J 3", "T N")
        hands = with_hands(where, keys[0], found, reading.side)
        named = next((side for side in ("left", "right") if side in keys[0].lower()), None)
        sides = sides_of(where, reading.side or named, len(hands))
    hands = hands * METRES[reading.hand_unit]
    said = []
    joints, vertices = None, None
    if hands.shape[2] == N_MANO:
        vertices = hands
        said.append(f"{keys[0]} in MANO's order")
    else:
        joints, order = to_openpose(where, hands, reading.joint_order)
        said.append(f"joints in the order {order}")
    fps = arrays.get("fps")
    return Tracked(
        format="plain",
        sides=sides,
        joints=joints,
        vertices=vertices,
        fps=float(array(where, "fps", fps, "")) if fps is not None else None,
        object_poses=_object_poses(where, arrays, hands.shape[1]),
        said=tuple(said),
    )


def _both(
    where: str | Path, arrays: dict[str, Any], keys: list[str]
) -> tuple[Float[np.ndarray, "H T J 3"], tuple[Side, ...]]:
    left, right = (with_hands(where, key, array(where, key, arrays[key], "T J 3", "T N"), "left") for key in keys)
    if left.shape != right.shape:
        raise bad_input(where, keys[0], f"the shape of {keys[1]}", f"{left.shape[1:]}")
    return np.concatenate([left, right]), ("left", "right")


def with_hands(
    where: str | Path, key: str, found: Float[np.ndarray, "*axes"], side: str | None
) -> Float[np.ndarray, "H T J 3"]:
    """The array with the axis of the hands first; which axis that is follows from the number of sides."""
    if found.ndim == 2:
        found = found.reshape(len(found), -1, 3)
    if found.ndim == 3:
        return found[None]
    n_hands = len((side or "").split(","))
    fitting = [axis for axis in (0, 1) if found.shape[axis] == n_hands]
    if len(fitting) != 1:
        expected = f"an axis for {n_hands} hands (--side has a side for each), the other for frames"
        raise bad_input(where, key, expected, str(found.shape))
    return np.moveaxis(found, fitting[0], 0)


def _object_poses(where: str | Path, arrays: dict[str, Any], n_frames: int) -> Float[np.ndarray, "T 4 4"] | None:
    keys = [key for key, value in arrays.items() if _shape(value) == (n_frames, 4, 4)]
    if len(keys) > 1:
        raise bad_input(where, "object", "one array of poses (--object-poses FILE --object-key KEY)", ", ".join(keys))
    return array(where, keys[0], arrays[keys[0]], "T 4 4") if keys else None
