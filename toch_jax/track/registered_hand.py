"""The hands of a tracked sequence as parameters of the hand model in the world, whatever form they were given in."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Array, Bool, Float

from toch_jax.base.arrays import put, repeat, take
from toch_jax.hand.conventions import from_openpose
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.sequence.checks import check_betas
from toch_jax.sequence.types import Sequence
from toch_jax.track.inverse_kinematics import Registered, params_from_joints, params_from_vertices


@dataclass(frozen=True)
class RegisteredHand:
    """One hand of a sequence of T frames in the world."""

    model: HandModel
    registered: Registered
    joints: Float[Array, "T 21 3"]
    """Joints of the parameters, in the hand model's order (16 + tips), metres."""
    observed: Bool[np.ndarray, "T"]

    @property
    def world(self) -> HandParams:
        """Tracked parameters; axes (T, ...), betas (S,)."""
        return self.registered.params


def registered_hands(sequence: Sequence) -> list[RegisteredHand]:
    """All hands of the sequence. Ground truth and object are not read."""
    return [registered_hand(sequence, hand) for hand in range(len(sequence.hand_side))]


def registered_hand(sequence: Sequence, hand: int) -> RegisteredHand:
    """One hand of the sequence, given as parameters, joints or points."""
    model = load_hand(sequence.hand_model or "open", sequence.hand_side[hand])
    registered = _registered(sequence, hand, model)
    params = registered.params
    joints = skin_frames(model, params.replace(betas=repeat(params.betas, sequence.n_frames)))[1]
    return RegisteredHand(model, registered, joints, np.asarray(take(sequence.hand_valid, hand)))


def _registered(sequence: Sequence, hand: int, model: HandModel) -> Registered:
    """The parameters of one hand in the world, fitted if the tracker gave none."""
    given = sequence.hands
    params, joints, vertices, observed = take((given.params, given.joints, given.vertices, sequence.hand_valid), hand)
    check_betas(sequence, model)
    if params is not None:
        return Registered(of_one_shape(model, params, np.asarray(observed)), np.zeros(21, np.float32), None, ())
    if joints is not None:
        return params_from_joints(model, put(from_openpose(np.asarray(joints))), observed, sequence.source)
    assert vertices is not None
    return params_from_vertices(model, vertices, given.vertex_order, observed, sequence.source)


def of_one_shape(model: HandModel, params: HandParams, observed: Bool[np.ndarray, "T"]) -> HandParams:
    """Parameters of a hand of one shape, betas (S,), from those of a hand whose shape was estimated in each frame.

    The shape is the median over the `observed` frames. A hand of another size is elsewhere relative to its `transl`,
    so each frame is moved to where the mean of its joints was. Parameters of one shape are not changed.
    """
    betas = np.asarray(params.betas)
    shape = put(np.median(betas[observed] if observed.any() else betas, axis=0).astype(np.float32))
    if (betas == np.asarray(shape)).all():
        return params.replace(betas=shape)
    given, alike = (
        skin_frames(model, params.replace(betas=each))[1].mean(axis=1)
        for each in (params.betas, repeat(shape, len(betas)))
    )
    return params.replace(betas=shape, transl=params.transl + given - alike)
