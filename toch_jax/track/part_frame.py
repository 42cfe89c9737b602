"""Hand parameters in the frame of an object part, in which a hand that holds the part is at rest."""

import jax.numpy as jnp
import jaxlie
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.spatial import cKDTree

from toch_jax.base.arrays import take
from toch_jax.base.programs import program
from toch_jax.hand.model import HandModel, HandParams, Side, rest_joints
from toch_jax.object.model import to_part
from toch_jax.sequence.record import nearest_observed
from toch_jax.sequence.types import Sequence


def nearest_part(sequence: Sequence, joints: Float[Array, "T 21 3"], observed: Bool[Array | np.ndarray, "T"]) -> int:
    """The part whose vertices are nearest to the joints (world frame), on average over the observed frames."""
    n_parts = sequence.object_motion.translation.shape[0]
    if n_parts == 1:
        return 0
    vertices, of_part = np.asarray(sequence.object_vertices), np.asarray(sequence.object_vertex_part)
    distances = [
        cKDTree(vertices[of_part == part])
        .query(np.asarray(to_part(sequence.object_motion, part, joints))[np.asarray(observed)])[0]
        .min(axis=-1)
        .mean()
        for part in range(n_parts)
    ]
    return int(np.argmin(distances))


def other_hand(sides: tuple[Side, ...], hand: int) -> int | None:
    """The first hand of the other side; None where there is none."""
    return next((index for index, side in enumerate(sides) if side != sides[hand]), None)


@program()
def move_hand(
    model: HandModel, params: HandParams, rotation: Float[Array, "T 3 3"], translation: Float[Array, "T 3"]
) -> HandParams:
    """The hand after x -> rotation x + translation, frame by frame; axes (T, ...), betas (T, S) or (S,).

    Skinning rotates the hand about its wrist, so `transl` is set such that the wrist is transformed.
    """
    wrist = rest_joints(model, params.betas)[..., 0, :]
    orient = jaxlie.SO3.from_matrix(rotation) @ jaxlie.SO3.exp(params.global_orient)
    moved = jnp.einsum("tab,tb->ta", rotation, wrist + params.transl) + translation
    return params.replace(global_orient=orient.log(), transl=moved - wrist)


def hand_to_part(model: HandModel, params: HandParams, sequence: Sequence, part: int) -> HandParams:
    """World parameters expressed in the frame of the part."""
    return move_hand_back(model, params, *_pose(sequence, part))


def hand_to_world(model: HandModel, params: HandParams, sequence: Sequence, part: int) -> HandParams:
    """The inverse of `hand_to_part`."""
    return move_hand(model, params, *_pose(sequence, part))


@program()
def move_hand_back(
    model: HandModel, params: HandParams, rotation: Float[Array, "T 3 3"], translation: Float[Array, "T 3"]
) -> HandParams:
    """The inverse of `move_hand`."""
    inverse = jnp.swapaxes(rotation, 1, 2)
    return move_hand(model, params, inverse, -jnp.einsum("tab,tb->ta", inverse, translation))


def _pose(sequence: Sequence, part: int) -> tuple[Float[Array, "T 3 3"], Float[Array, "T 3"]]:
    return take((sequence.object_motion.rotation, sequence.object_motion.translation), part)


def hold_lost(params: HandParams, observed: Bool[Array | np.ndarray, "T"]) -> HandParams:
    """The parameters, with each lost frame replaced by the nearest observed one; axes (T, ...).

    At least one frame must be observed. In a part's frame the result is the pose of a hand that holds the part.
    """
    return take(params, nearest_observed(np.asarray(observed)))
