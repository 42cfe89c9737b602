"""Clean clips, ready for windows: every hand as a right hand in its object's frame, all clips end to end."""

from collections.abc import Iterable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int
from scipy.spatial import cKDTree

from toch_jax.denoiser.apply import frame_step
from toch_jax.errors import bad_input
from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.host import pad_last, take
from toch_jax.object.build import build_object
from toch_jax.object.model import ObjectModel
from toch_jax.sequence.mirror import mirror
from toch_jax.sequence.part_frame import hand_to_part, nearest_part
from toch_jax.sequence.types import Sequence

NEAR = 0.15
"""A window counts when some joint comes this near the object in some frame; metres."""
_LENGTHS = 64
"""Clips are padded to multiples of so many frames on their way."""


class Samples(struct.PyTreeNode):
    """The samples of objects (each part of a hinged one stands alone), K each; metres."""

    points: Float[Array, "*objects K 3"]
    normals: Float[Array, "*objects K 3"]
    clearance_out: Float[Array, "*objects K"]
    clearance_in: Float[Array, "*objects K"]


class Clips(struct.PyTreeNode):
    """All windows of a split, on the device. F frames of all clips end to end, M windows."""

    params: HandParams
    """Axes (F, ...); a right hand, in the frame of the part it handles."""
    valid: Bool[Array, "F"]
    start: Int[Array, "M"]
    length: Int[Array, "M"]
    """Frames that a window has; fewer than it wants where the clip is short."""
    object: Int[Array, "M"]
    samples: Samples

    @property
    def n_windows(self) -> int:
        return self.start.shape[0]


def build_clips(
    sequences: Iterable[tuple[str, Sequence]],
    model: HandModel,
    window: int,
    n_samples: int,
    speeds: tuple[int, ...] = (1,),
    where: str = "clips",
    hand_model: str | None = None,
) -> Clips:
    """The windows (half overlapping) of all hands of all sequences, played at each of `speeds`; `model` is the right
    hand, which the sequences call `hand_model` (or by its own name).

    Raises InputError for sequences without hand parameters of this model and where no window is left.
    """
    cache: dict[bytes, int] = {}
    objects: list[ObjectModel] = []
    params: list[HandParams] = []
    valid: list[np.ndarray] = []
    windows: list[tuple[int, int, int]] = []
    total = 0
    for name, sequence in sequences:
        if sequence.hands.params is None:
            raise bad_input(name, "hands", "hand parameters", "none")
        if sequence.hand_model != (hand_model or model.name):
            raise bad_input(name, "hand_model", repr(hand_model or model.name), repr(sequence.hand_model))
        for hand, side in enumerate(sequence.hand_side):
            right = sequence if side == "right" else mirror(sequence)
            clip, joints, seen, part = _in_part_frame(right, hand, model)
            piece = _samples_of_part(right, part, n_samples, cache, objects)
            near = seen & (cKDTree(np.asarray(objects[piece].points)).query(joints)[0].min(axis=-1) <= NEAR)
            for speed in speeds:
                for begin, length in _window_spans(len(seen[::speed]), window):
                    if near[::speed][begin : begin + length].any():
                        windows.append((total + begin, length, piece))
                params.append(take(clip, slice(None, None, speed)))
                valid.append(seen[::speed])
                total += len(seen[::speed])
    if not windows:
        raise bad_input(where, "windows", "a hand within 15 cm of an object", "none")
    start, length, piece = np.asarray(windows, np.int32).T
    return Clips(
        params=jax.tree.map(lambda *leaves: jnp.asarray(np.concatenate(leaves)), *params),
        valid=jnp.asarray(np.concatenate(valid)),
        start=jnp.asarray(start),
        length=jnp.asarray(length),
        object=jnp.asarray(piece),
        samples=Samples(
            points=jnp.stack([one.points for one in objects]),
            normals=jnp.stack([one.normals for one in objects]),
            clearance_out=jnp.stack([one.clearance_out for one in objects]),
            clearance_in=jnp.stack([one.clearance_in for one in objects]),
        ),
    )


def _in_part_frame(
    sequence: Sequence, hand: int, model: HandModel
) -> tuple[HandParams, Float[np.ndarray, "T 21 3"], Bool[np.ndarray, "T"], int]:
    """One right hand in the frame of the part that it handles, thinned to the frame rate: parameters, joints, frames
    seen; and that part."""
    assert sequence.hands.params is not None
    n_frames = sequence.n_frames
    # lengths are rounded up, so that clips share compiled code
    size = n_frames + -n_frames % _LENGTHS
    motion = jax.tree.map(partial(pad_last, size=size, axis=1), sequence.object_motion)
    sequence = sequence.replace(object_motion=motion)
    world = jax.tree.map(partial(pad_last, size=size), take(sequence.hands.params, hand))
    seen = np.pad(np.asarray(sequence.hand_valid)[hand], (0, size - n_frames))
    part = nearest_part(sequence, skin_frames(model, world)[1], jnp.asarray(seen))
    clip = hand_to_part(model, world, sequence, part)
    joints = np.asarray(skin_frames(model, clip)[1])
    kept = slice(None, n_frames, frame_step(sequence.fps))
    return take(clip, kept), joints[kept], seen[kept], part


def _samples_of_part(
    sequence: Sequence, part: int, n_samples: int, cache: dict[bytes, int], objects: list[ObjectModel]
) -> int:
    """The place in `objects` of this part, built at its first appearance."""
    vertices, faces = np.asarray(sequence.object_vertices), np.asarray(sequence.object_faces)
    kept = np.asarray(sequence.object_vertex_part) == part
    faces = faces[kept[faces].all(axis=1)]
    used, faces = np.unique(faces, return_inverse=True)
    vertices, faces = vertices[used], faces.reshape(-1, 3)
    key = vertices.tobytes() + faces.tobytes()
    if key not in cache:
        cache[key] = len(objects)
        objects.append(build_object(vertices, faces, n_samples=n_samples, sdf_resolution=8).without_mesh())
    return cache[key]


def _window_spans(frames: int, window: int) -> list[tuple[int, int]]:
    """Starts half a window apart, the last one flush with the end."""
    if frames <= window:
        return [(0, frames)]
    starts = [*range(0, frames - window, window // 2), frames - window]
    return [(start, window) for start in starts]
