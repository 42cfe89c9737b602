"""Input of our versions of published methods: a right hand in the frame of its object part.

For a left hand the whole scene is mirrored, as TOCH's authors do.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from toch_jax.base.arrays import pad_last, put, stack, take
from toch_jax.denoiser.apply import near_samples
from toch_jax.hand.files import load_hand
from toch_jax.hand.joint_order import to_openpose
from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.object.motion import samples_from_part, samples_in_frame
from toch_jax.sequence.derived import sequence_object
from toch_jax.sequence.mirror import mirror, mirror_object, mirror_params
from toch_jax.sequence.part_frame import hand_to_world
from toch_jax.sequence.types import Hands, Sequence
from toch_jax.track.padding import bucket, pad_motion, pad_observed
from toch_jax.track.tracked_hand import tracked_hand


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


def _repair_hand(sequence: Sequence, hand: int, object: ObjectModel, repair: Repair) -> HandParams:
    """Parameters of one repaired hand in the world; axes (T, ...), betas (T, S)."""
    if sequence.hand_side[hand] == "left":
        return mirror_params(_repair_hand(mirror(sequence), hand, mirror_object(object), repair))
    tracked = tracked_hand(sequence, hand)
    n_frames = sequence.n_frames
    size = bucket(n_frames)
    params = tracked.params
    params = params.replace(betas=jnp.broadcast_to(params.betas, (n_frames, *params.betas.shape)))
    scene = Scene(
        surface=tracked.surface,
        tracked=jax.tree.map(partial(pad_last, size=size), params),
        observed=pad_observed(tracked.observed, size),
        n_frames=jnp.asarray(n_frames),
        object=object,
        part=jnp.asarray(tracked.part),
        motion=pad_motion(tracked.motion, size),
    )
    repaired = take(repair(scene), np.s_[:n_frames])
    return hand_to_world(tracked.model, repaired, sequence, tracked.part)
