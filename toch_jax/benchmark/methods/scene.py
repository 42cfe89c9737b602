"""Input of our versions of published methods: a right hand in the frame of its object part, and nearest neighbours.

For a left hand the whole scene is mirrored, as TOCH's authors do.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from toch_jax.base.arrays import put, repeat, stack, take
from toch_jax.base.device import batched_map
from toch_jax.denoiser.window import near_samples
from toch_jax.hand.conventions import to_openpose
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.object.model import ObjectModel, ObjectMotion, samples_from_part, samples_in_frame
from toch_jax.sequence.derived import sequence_object
from toch_jax.sequence.mirror import mirror, mirror_object, mirror_params
from toch_jax.sequence.types import Hands, Sequence
from toch_jax.track.part_frame import hand_to_world
from toch_jax.track.tracked_hand import in_part_frame, tracked_hand

_NEAREST_FRAMES = 32
"""Number of frames for which neighbours are found at once, except on a CPU."""


class Scene(struct.PyTreeNode):
    """One hand over T frames, padded so that clips of similar length share compiled code."""

    surface: HandModel
    """The hand model with a closed, decimated mesh: about 750 vertices."""
    tracked: HandParams
    """The tracked hand in the frame of the part that it handles; axes (T, ...), betas (T, S), the same in every frame.
    A frame that the tracker lost has the parameters of the nearest observed frame."""
    observed: Bool[Array, "T"]
    """False where the tracker lost the hand, and in padding."""
    n_frames: Int[Array, ""]
    """Number of frames without padding."""
    object: ObjectModel
    part: Int[Array, ""]
    """Index of the object part that the hand handles."""
    motion: ObjectMotion
    """Motion of all parts in the frame of that part."""


Repair = Callable[[Scene], HandParams]
"""Function from a scene to the repaired hand, with the axes and frame of reference of `Scene.tracked`."""


def repair_hands(sequence: Sequence, repair: Repair, object: ObjectModel | None = None) -> Sequence:
    """The sequence with each hand repaired by `repair`: parameters, joints and vertices, without sigma.

    `object`: the sequence's object, if it has been built before. The ground truth is not read.
    """
    object = (sequence_object(sequence) if object is None else object).without_mesh()
    params = [_repair_hand(sequence, hand, object, repair) for hand in range(len(sequence.hand_side))]
    name = sequence.hand_model or "open"
    skins = [skin_frames(load_hand(name, side), each) for side, each in zip(sequence.hand_side, params, strict=True)]
    return sequence.replace(
        hand_model=name,
        hands=Hands(
            params=jax.tree.map(lambda *leaves: jnp.stack(leaves), *params),
            joints=stack([put(to_openpose(np.asarray(joints))) for _, joints in skins]),
            vertices=jnp.stack([vertices for vertices, _ in skins]),
            vertex_order=name,
        ),
        hand_joint_sigma=None,
    )


def near_points(
    scene: Scene, joints: Float[Array, "T 21 3"], count: int
) -> tuple[ObjectModel, Float[Array, "T K 3"], Float[Array, "T K 3"]]:
    """`count` object samples (at most all) near the hand's path, drawn as in training (`near_samples`).

    Returns the object with these samples only, and their points (metres) and normals in each frame.
    """
    points, _ = samples_from_part(scene.object.samples, scene.motion)
    chosen = near_samples(jax.random.key(0), points, joints, scene.observed, min(count, points.shape[1]))
    near = scene.object.replace(samples=scene.object.samples.take(chosen))
    return near, *samples_in_frame(near.samples, scene.motion)


class Nearest(struct.PyTreeNode):
    """Nearest neighbours between hand vertices and object samples."""

    sample: Int[Array, "*frames V"]
    """Index of the sample nearest to each hand vertex."""
    vertex: Int[Array, "*frames N"]
    """Index of the hand vertex nearest to each object sample."""


def nearest(vertices: Float[Array, "T V 3"], points: Float[Array, "T N 3"]) -> Nearest:
    """Nearest neighbours in each frame; on a CPU one frame at a time, so that the distances fit in its cache."""

    def frame(both: tuple[Float[Array, "V 3"], Float[Array, "N 3"]]) -> Nearest:
        vertices, points = both
        middle = points.mean(axis=0)
        vertices, points = vertices - middle, points - middle
        squared = jnp.sum(vertices**2, axis=1)[:, None] - 2.0 * vertices @ points.T + jnp.sum(points**2, axis=1)
        return Nearest(_argmin(squared, axis=1), _argmin(squared, axis=0))

    return batched_map(frame, (vertices, points), _NEAREST_FRAMES)


def _argmin(squared: Float[Array, "V N"], axis: int) -> Int[Array, "K"]:
    """Index along `axis` of the smallest value, or of one larger by a relative difference of about 1e-4 or less.

    The index replaces the lowest bits of each value's bit pattern, so that an integer minimum finds it: the minimum is
    vectorised, an argmin is not.
    """
    low = np.int32(2 ** (squared.shape[axis] - 1).bit_length() - 1)
    bits = jax.lax.bitcast_convert_type(jnp.maximum(squared, 0.0), jnp.int32)
    index = jax.lax.broadcasted_iota(jnp.int32, squared.shape, axis)
    return jnp.min((bits & ~low) | index, axis=axis) & low


def pick(values: Float[Array, "T N 3"], index: Int[Array, "T M"]) -> Float[Array, "T M 3"]:
    """The values at the indices of each frame."""
    return jnp.take_along_axis(values, index[..., None], axis=1)


def _repair_hand(sequence: Sequence, hand: int, object: ObjectModel, repair: Repair) -> HandParams:
    """Parameters of one repaired hand in the world; axes (T, ...), betas (T, S)."""
    if sequence.hand_side[hand] == "left":
        return mirror_params(_repair_hand(mirror(sequence), hand, mirror_object(object), repair))
    tracked = tracked_hand(sequence, hand)
    n_frames = sequence.n_frames
    track = in_part_frame(tracked.model, tracked.track, tracked.part)
    scene = Scene(
        surface=tracked.coarse,
        tracked=track.params.replace(betas=repeat(track.params.betas, len(track.observed))),
        observed=track.observed,
        n_frames=jnp.asarray(n_frames),
        object=object,
        part=jnp.asarray(tracked.part),
        motion=track.motion,
    )
    repaired = take(repair(scene), np.s_[:n_frames])
    return hand_to_world(tracked.model, repaired, sequence, tracked.part)
