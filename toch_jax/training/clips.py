"""Clean clips for training, concatenated; each hand as a right hand in the frame of the object part that it handles."""

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int
from scipy.spatial import cKDTree

from toch_jax.base.arrays import pad_last, put, take
from toch_jax.base.errors import bad_input
from toch_jax.critic.features import SlopeGrid, slope_grid
from toch_jax.denoiser.window import DenoiserConfig, frame_step
from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.object.build import build_object
from toch_jax.object.model import DistanceGrid, ObjectModel, ObjectMotion, ObjectSamples, relative_to
from toch_jax.sequence.mirror import mirror, mirror_motion, mirror_params
from toch_jax.sequence.types import Sequence
from toch_jax.track.part_frame import hand_to_part, nearest_part, other_hand

NEAR = 0.15
"""Distance (metres) from the object that some joint must reach in a window for the window to be kept."""
_LENGTHS = 64
"""Clips are padded to multiples of this many frames while they are converted, so that they share compiled code."""
GRID_NODES = 64
"""Nodes per side of a hinged object's grids; half as many as at inference, as hundreds of objects are in memory."""
_FREE = 1.0
"""Distance (metres) at all nodes of the grid of a part that occludes nothing."""


class Shapes(struct.PyTreeNode):
    """O objects of up to P parts with N samples each, and Q grids; each array in the frame of its part, metres."""

    samples: ObjectSamples
    """Axes (O, N, ...)."""
    grid_of_part: Int[Array, "O P"]
    """Index of each part's grid; 0, a grid without occlusion, for rigid objects and for parts that do not exist."""
    grids: DistanceGrid
    """Axes (Q, ...)."""
    slopes: SlopeGrid | None = None
    """The same grids for the critic, with those of rigid objects too, in half precision; None unless asked for."""

    def object(self, index: Int[Array, ""]) -> ObjectModel:
        """The object of this index, with P parts and without its mesh."""
        parts = self.grid_of_part[index]
        samples, grid = (
            jax.tree.map(lambda leaf, of=of: leaf[of], x) for x, of in ((self.samples, index), (self.grids, parts))
        )
        return ObjectModel(mesh=None, samples=samples, grid=grid)


class Clips(struct.PyTreeNode):
    """All windows of a split, on the device: F frames of all clips, concatenated, and M windows."""

    params: HandParams
    """Axes (F, ...); right hands, each in the frame of the part that it handles."""
    observed: Bool[Array, "F"]
    motion: ObjectMotion
    """Axes (P, F, ...), in the frame of that part. Parts that an object does not have stand still."""
    other: HandParams
    """Axes (F, ...); the other hand, mirrored to a right hand, in the mirrored frame of that part."""
    other_observed: Bool[Array, "F"]
    """False also where there is no other hand."""
    start: Int[Array, "M"]
    """First frame of each window, index into F."""
    length: Int[Array, "M"]
    """Number of frames of each window; less than the full length if the clip is shorter."""
    object: Int[Array, "M"]
    """Index into the shapes."""
    part: Int[Array, "M"]
    """Index of the object part that the hand handles."""
    left: Bool[Array, "M"]
    """Whether the hand is a mirrored left one."""
    two_handed: Bool[Array, "M"]
    shapes: Shapes

    @property
    def n_windows(self) -> int:
        return self.start.shape[0]


def build_clips(
    sequences: Iterable[tuple[str, Sequence]],
    model: HandModel,
    window: int,
    n_samples: int,
    speeds: tuple[int, ...] = (1,),
    frame_rate: float = DenoiserConfig.frame_rate,
    where: str = "clips",
    hand_model: str | None = None,
    with_distances: bool = False,
) -> Clips:
    """The windows (half overlapping) of all hands of all sequences, at each of `speeds` and about `frame_rate` Hz.

    `model` is the right hand; `hand_model` is its name in the sequences, if it differs from `model.name`. `where` names
    the clips in errors. `with_distances`: rigid objects have grids too, and all grids slopes. Raises InputError for
    sequences without hand parameters of this model, and if no window has a
    hand near an object.
    """
    cache: dict[bytes, int] = {}
    objects: list[ObjectModel] = []
    played: list[_HandFrames] = []
    windows: list[tuple[int, int, int, int, bool, bool]] = []
    total = 0
    for name, sequence in sequences:
        if sequence.hands.params is None:
            raise bad_input(name, "hands", "hand parameters", "none")
        if sequence.hand_model != (hand_model or model.name):
            raise bad_input(name, "hand_model", repr(hand_model or model.name), repr(sequence.hand_model))
        for hand, side in enumerate(sequence.hand_side):
            right = sequence if side == "right" else mirror(sequence)
            clip, joints, part = _in_part_frame(right, hand, model, frame_rate)
            piece = _shape(right, n_samples, cache, objects, with_distances)
            of_hand = piece, part, side == "left", other_hand(sequence.hand_side, hand) is not None
            near = np.asarray(clip.observed) & (_distance(objects[piece], clip.motion, joints) <= NEAR)
            for speed in speeds:
                for begin, length in _window_spans(len(near[::speed]), window):
                    if near[::speed][begin : begin + length].any():
                        windows.append((total + begin, length, *of_hand))
                played.append(clip.every(speed))
                total += len(near[::speed])
    if not windows:
        raise bad_input(where, "windows", "a hand within 15 cm of an object", "none")
    columns = (jnp.asarray(each) for each in zip(*windows, strict=True))
    named = dict(zip(("start", "length", "object", "part", "left", "two_handed"), columns, strict=True))
    shapes = _stack(objects, with_distances)
    n_parts = shapes.grid_of_part.shape[1]
    played = [each._replace(motion=_with_parts(each.motion, n_parts)) for each in played]
    timed = [(each.params, each.observed, each.other, each.other_observed) for each in played]
    params, observed, other, other_observed = jax.tree.map(lambda *leaves: put(np.concatenate(leaves)), *timed)
    return Clips(
        params=params,
        observed=observed,
        motion=jax.tree.map(lambda *leaves: put(np.concatenate(leaves, axis=1)), *(each.motion for each in played)),
        other=other,
        other_observed=other_observed,
        shapes=shapes,
        **named,
    )


class _HandFrames(NamedTuple):
    """The per-frame fields of `Clips` for one hand, over all of its T frames."""

    params: HandParams
    observed: Bool[Array, "T"]
    motion: ObjectMotion
    """Motion of the object's own parts."""
    other: HandParams
    other_observed: Bool[Array, "T"]

    def every(self, step: int) -> "_HandFrames":
        """Every `step`-th frame."""
        timed = self.params, self.observed, self.other, self.other_observed
        params, observed, other, other_observed = take(timed, np.s_[::step])
        return _HandFrames(params, observed, take(self.motion, np.s_[:, ::step]), other, other_observed)


def _in_part_frame(
    sequence: Sequence, hand: int, model: HandModel, frame_rate: float
) -> tuple[_HandFrames, Float[np.ndarray, "T 21 3"], int]:
    """A right hand in the frame of its object part, at about `frame_rate` Hz; its joints (metres), and that part."""
    assert sequence.hands.params is not None
    n_frames = sequence.n_frames
    # lengths are rounded up, so that clips share compiled code
    size = n_frames + -n_frames % _LENGTHS
    motion, all_params = jax.tree.map(
        partial(pad_last, size=size, axis=1), (sequence.object_motion, sequence.hands.params)
    )
    all_seen = put(np.pad(np.asarray(sequence.hand_valid), ((0, 0), (0, size - n_frames))))
    sequence = sequence.replace(object_motion=motion)
    world, observed = take((all_params, all_seen), hand)
    part = nearest_part(sequence, skin_frames(model, world)[1], observed)
    clip = hand_to_part(model, world, sequence, part)
    joints = np.asarray(skin_frames(model, clip)[1])
    index = other_hand(sequence.hand_side, hand)
    if index is None:
        other, other_seen = jax.tree.map(lambda leaf: put(np.zeros(leaf.shape, leaf.dtype)), (clip, observed))
    else:
        world, other_seen = take((all_params, all_seen), index)
        mirrored = sequence.replace(object_motion=mirror_motion(sequence.object_motion))
        other = hand_to_part(model, mirror_params(world), mirrored, part)
    timed = clip, observed, other, other_seen, joints
    kept = slice(None, n_frames, frame_step(sequence.fps, frame_rate))
    clip, observed, other, other_seen, joints = take(timed, kept)
    motion = take(relative_to(motion, part), np.s_[:, kept])
    return _HandFrames(clip, observed, motion, other, other_seen), np.asarray(joints), part


def _shape(
    sequence: Sequence, n_samples: int, cache: dict[bytes, int], objects: list[ObjectModel], with_distances: bool
) -> int:
    """Index of the sequence's object in `objects`, to which it is added when it first occurs."""
    vertices, faces = np.asarray(sequence.object_vertices), np.asarray(sequence.object_faces)
    vertex_part = np.asarray(sequence.object_vertex_part)
    key = vertices.tobytes() + faces.tobytes() + vertex_part.tobytes()
    if key not in cache:
        cache[key] = len(objects)
        # denoisers never read the grid of a rigid object
        nodes = GRID_NODES if with_distances or vertex_part.any() else 8
        objects.append(build_object(vertices, faces, vertex_part, n_samples, sdf_resolution=nodes).without_mesh())
    return cache[key]


def _stack(objects: list[ObjectModel], with_distances: bool) -> Shapes:
    """The objects of `_shape`, stacked."""
    gridded = [one for one in objects if one.n_parts > 1 or with_distances]
    nodes = GRID_NODES if gridded else 2
    free = DistanceGrid(jnp.full((1, nodes, nodes, nodes), _FREE), jnp.zeros((1, 3)), jnp.ones((1, 3)))
    of_part = np.zeros((len(objects), max(one.n_parts for one in objects)), np.int32)
    total = 1
    for row, one in zip(of_part, objects, strict=True):
        if one.n_parts > 1 or with_distances:
            row[: one.n_parts] = total + np.arange(one.n_parts)
            total += one.n_parts
    grids = jax.tree.map(lambda *each: put(np.concatenate(each)), free, *(one.grid for one in gridded))
    return Shapes(
        samples=jax.tree.map(lambda *each: jnp.stack(each), *(one.samples for one in objects)),
        grid_of_part=jnp.asarray(of_part),
        grids=grids,
        slopes=slope_grid(grids, np.float16) if with_distances else None,
    )


def _distance(object: ObjectModel, motion: ObjectMotion, joints: Float[np.ndarray, "T 21 3"]) -> Float[np.ndarray, "T"]:
    """Distance (metres) between the nearest joint and sample of any part, in each frame."""
    points, of_part = np.asarray(object.samples.points), np.asarray(object.samples.part)
    local = np.einsum("ptba,ptjb->ptja", motion.rotation, joints - motion.translation[:, :, None])
    nearest = [cKDTree(points[of_part == part]).query(each)[0].min(axis=-1) for part, each in enumerate(local)]
    return np.min(nearest, axis=0)


def _with_parts(motion: ObjectMotion, n_parts: int) -> ObjectMotion:
    """The motion with parts that stand still appended, `n_parts` in all."""
    missing, frames = n_parts - len(motion.rotation), motion.rotation.shape[1]
    still = ObjectMotion(
        rotation=put(np.broadcast_to(np.eye(3), (missing, frames, 3, 3)), np.float32),
        translation=put(np.zeros((missing, frames, 3)), np.float32),
    )
    return jax.tree.map(lambda *leaves: put(np.concatenate(leaves)), motion, still)


def _window_spans(frames: int, window: int) -> list[tuple[int, int]]:
    """Start and length of windows half a window apart; the last one ends with the clip."""
    if frames <= window:
        return [(0, frames)]
    starts = [*range(0, frames - window, window // 2), frames - window]
    return [(start, window) for start in starts]
