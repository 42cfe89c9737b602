"""What follows from a sequence alone: its hands' meshes and joints as NumPy arrays, and its object's model."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float, Int

from toch_jax.base.arrays import put, short_repr, take
from toch_jax.base.errors import bad_input
from toch_jax.hand.conventions import to_openpose
from toch_jax.hand.files import load_hand
from toch_jax.hand.mesh import close_surface, closed_faces
from toch_jax.hand.model import HandModel, Side, skin_frames
from toch_jax.object.build import build_object
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.sequence.checks import check_betas
from toch_jax.sequence.hand_faults import bridge_joints
from toch_jax.sequence.types import Hands, Sequence

N_SAMPLES = 2000
"""Samples of the object's surface; the denoiser reads those nearest to the hand. As many as in TOCH."""
N_KEPT = 4
"""Object models kept in memory; each takes 1.5 s to build, and 8 MB per part in addition to its mesh.
Chosen by hand."""
_kept: dict[bytes, ObjectModel] = {}
"""Object models by SHA-256 of the mesh, the oldest first."""


class HandMeshes(NamedTuple):
    """Hands over a clip as NumPy arrays, in the world, metres; None where the sequence has nothing of the kind."""

    vertices: Float[np.ndarray, "H T V 3"] | None
    """Vertices of the hand model (778 for MANO), or the given points of the skin."""
    faces: Int[np.ndarray, "H F 3"] | None
    """Faces of each hand's mesh; None without a mesh: for joints alone, and for points that are not its vertices."""
    joints: Float[np.ndarray, "H T 21 3"] | None
    """Joints in OpenPose order; single joints that the tracker lost are interpolated over time."""

    def __repr__(self) -> str:
        return short_repr(self, *self._fields)


@dataclass(frozen=True)
class PosedHand:
    """One hand over a clip, in the world, metres. At least one of joints and vertices is given."""

    joints: Float[np.ndarray, "T 21 3"] | None
    """Joints in OpenPose order; single joints that the tracker lost are interpolated over time."""
    vertices: Float[np.ndarray, "T K 3"] | None
    """Vertices of the closed mesh if `faces` is given, else points on the skin."""
    faces: Int[np.ndarray, "F 3"] | None
    observed: Bool[np.ndarray, "T"]
    sigma: Float[np.ndarray, "T 21"] | None = None
    """One standard deviation of each coordinate of a joint, metres; None if the method gives none."""
    object_motion: ObjectMotion | None = None
    """The object's motion that belongs to this version of the hand; None: the sequence's."""

    def motion_in(self, sequence: Sequence) -> ObjectMotion:
        """The object's motion that the hand is compared with."""
        return sequence.object_motion if self.object_motion is None else self.object_motion

    @property
    def points(self) -> Float[np.ndarray, "T K 3"]:
        """Points on the skin, or the joints if there is no skin."""
        points = self.joints if self.vertices is None else self.vertices
        assert points is not None, "a hand has joints or vertices"
        return points


def hand_meshes(sequence: Sequence, *, truth: bool = False) -> HandMeshes:
    """Vertices, faces and joints of a sequence's hands (`truth`: of the ground truth), in the world, metres.

    Hands with parameters are skinned by the sequence's hand model; others are as given, before `refine` joints or
    points of the tracker. Frames that the tracker lost hold finite placeholders before `refine`. Raises InputError if
    the hand model is not there, and for `truth` if the sequence has no ground truth.
    """
    hands = sequence.truth if truth else sequence.hands
    if hands is None:
        raise bad_input(sequence.source, "truth", "a sequence with ground truth", "none")
    models = hand_models(sequence)
    skins, have_mesh, joints = zip(
        *(_points(hands, hand, models[side]) for hand, side in enumerate(sequence.hand_side)), strict=True
    )
    faces = [np.asarray(models[side].faces) for side in sequence.hand_side]
    return HandMeshes(
        vertices=None if skins[0] is None else np.stack(skins),
        faces=np.stack(faces) if all(have_mesh) else None,
        joints=None if joints[0] is None else np.stack(joints),
    )


def pose_hands(sequence: Sequence, models: Mapping[Side, HandModel] | None = None) -> list[PosedHand]:
    """The sequence's hands: skinned if they have parameters, else the given joints and points.

    `models`: those of the sequence's parameters, if the caller has them. `faces` is None for given points that are not
    the vertices of the model's mesh.
    """
    hands = _posed(sequence, sequence.hands, np.asarray(sequence.hand_valid), models)
    hands = [replace(hand, object_motion=sequence.object_motion) for hand in hands]
    if sequence.hand_joint_sigma is None:
        return hands
    sigmas = np.asarray(sequence.hand_joint_sigma)
    return [replace(hand, sigma=sigma) for hand, sigma in zip(hands, sigmas, strict=True)]


def pose_truth(sequence: Sequence) -> list[PosedHand] | None:
    """The ground-truth hands, observed in every frame; None if the sequence has no ground truth."""
    if sequence.truth is None:
        return None
    return _posed(sequence, sequence.truth, np.ones(sequence.hand_valid.shape, dtype=bool))


def hand_models(sequence: Sequence) -> dict[Side, HandModel]:
    """The hand models of the sequence's parameters (without parameters the open hand), by side.

    Raises InputError if a model is missing or has another number of shape coefficients than the parameters.
    """
    models = {side: load_hand(sequence.hand_model or "open", side) for side in sequence.hand_side}
    for model in models.values():
        check_betas(sequence, model)
    return models


def sequence_object(sequence: Sequence) -> ObjectModel:
    """The object model of a sequence (samples, distances). The last N_KEPT models are kept in memory."""
    mesh = tuple(map(np.asarray, (sequence.object_vertices, sequence.object_faces, sequence.object_vertex_part)))
    key = hashlib.sha256(b"".join(str(each.shape).encode() + each.tobytes() for each in mesh)).digest()
    if key not in _kept:
        vertices, faces, part = mesh
        built = build_object(vertices, faces, part, n_samples=N_SAMPLES, where=sequence.source)
        while len(_kept) >= N_KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[key] = built
    return _kept[key]


def _points(
    hands: Hands, hand: int, model: HandModel
) -> tuple[Float[Array, "T V 3"] | None, bool, Float[np.ndarray, "T 21 3"] | None]:
    """Points on the skin, whether they are the vertices of the model's mesh, and joints in OpenPose order."""
    params, joints, skin = take((hands.params, hands.joints, hands.vertices), hand)
    if params is not None:
        skin, joints = skin_frames(model, params)
        joints = put(to_openpose(np.asarray(joints)))
    has_mesh = skin is not None and (params is not None or hands.vertex_order == model.name)
    return skin, has_mesh, None if joints is None else bridge_joints(np.asarray(joints))


def _posed(
    sequence: Sequence, hands: Hands, observed: Bool[np.ndarray, "H T"], models: Mapping[Side, HandModel] | None = None
) -> list[PosedHand]:
    models = hand_models(sequence) if models is None else models
    posed = []
    for hand, side in enumerate(sequence.hand_side):
        model = models[side]
        skin, has_mesh, joints = _points(hands, hand, model)
        posed.append(
            PosedHand(
                joints=joints,
                vertices=None if skin is None else np.asarray(close_surface(model, skin) if has_mesh else skin),
                faces=np.asarray(closed_faces(model)) if has_mesh else None,
                observed=observed[hand],
            )
        )
    return posed
