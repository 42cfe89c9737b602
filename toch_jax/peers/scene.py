"""A tracked hand as every peer is given it: in the frame of the object that it handles; and its way back."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from toch_jax.denoiser.window import near_samples
from toch_jax.fit.fit import bucket, pad_frames
from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.object.motion import relative_to, samples_in_frame
from toch_jax.refine import field_hand, sequence_object, tracked_params
from toch_jax.sequence.part_frame import hand_to_part, hand_to_world, hold_lost, nearest_part
from toch_jax.sequence.types import Hands, Sequence


class Scene(struct.PyTreeNode):
    """One hand over T frames, padded to a bucket of lengths so that clips share compiled code."""

    model: HandModel
    surface: HandModel
    """The same hand, closed and coarser: some 750 vertices."""
    tracked: HandParams
    """In the frame of the part that it handles; axes (T, ...), betas (T, S), the same in every frame. A frame that the
    tracker lost holds the nearest that it saw."""
    seen: Bool[Array, "T"]
    """False where the tracker lost the hand, and in padding."""
    n_frames: Int[Array, ""]
    """Frames that are no padding."""
    object: ObjectModel
    motion: ObjectMotion
    """As seen from the part."""


Repair = Callable[[Scene], HandParams]
"""From a scene to the repaired hand, with the axes of `Scene.tracked`."""


def repair_hands(sequence: Sequence, repair: Repair, object: ObjectModel | None = None) -> Sequence:
    """The sequence with each hand replaced by what `repair` makes of it: parameters, joints, vertices; no sigma.

    `object` is the sequence's object where it has been built before. Ground truth is not read.
    """
    object = (sequence_object(sequence) if object is None else object).without_mesh()
    repaired = [_repair_hand(sequence, hand, object, repair) for hand in range(len(sequence.hand_side))]
    params, skins = zip(*repaired, strict=True)
    vertices, joints = zip(*skins, strict=True)
    return sequence.replace(
        hand_model=sequence.hand_model or "open",
        hands=Hands(
            params=jax.tree.map(lambda *leaves: jnp.stack(leaves), *params),
            joints=jnp.stack(joints),
            vertices=jnp.stack(vertices),
            vertex_order=sequence.hand_model or "open",
        ),
        hand_joint_sigma=None,
    )


def near_points(
    scene: Scene, joints: Float[Array, "T 21 3"], count: int
) -> tuple[ObjectModel, Float[Array, "T K 3"], Float[Array, "T K 3"]]:
    """The `count` samples of the object near the hand's path (all where it has fewer), drawn as training draws them:
    the object with these alone, and their points and normals in each frame."""
    points, normals = samples_in_frame(scene.object, scene.motion)
    chosen = near_samples(jax.random.key(0), points[0], joints, scene.seen, min(count, points.shape[1]))
    return scene.object.with_samples(chosen), points[:, chosen], normals[:, chosen]


def _repair_hand(
    sequence: Sequence, hand: int, object: ObjectModel, repair: Repair
) -> tuple[HandParams, tuple[Float[Array, "T V 3"], Float[Array, "T 21 3"]]]:
    """One hand's world parameters (betas (T, S)), and its vertices and joints."""
    model, params = tracked_params(sequence, hand)
    n_frames, seen = sequence.n_frames, sequence.hand_valid[hand]
    params = params.replace(betas=jnp.broadcast_to(params.betas, (n_frames, *params.betas.shape)))
    part = nearest_part(sequence, skin_frames(model, params)[1], seen)
    pad = partial(pad_frames, size=bucket(n_frames))
    scene = Scene(
        model=model,
        surface=field_hand(sequence.hand_model or "open", model.side),
        tracked=jax.tree.map(pad, hold_lost(hand_to_part(model, params, sequence, part), seen)),
        seen=jnp.concatenate([seen, jnp.zeros(bucket(n_frames) - n_frames, bool)]),
        n_frames=jnp.asarray(n_frames),
        object=object,
        motion=jax.tree.map(jax.vmap(pad), relative_to(sequence.object_motion, part)),
    )
    repaired = jax.tree.map(lambda leaf: leaf[:n_frames], repair(scene))
    clean = hand_to_world(model, repaired, sequence, part)
    return clean, skin_frames(model, clean)
