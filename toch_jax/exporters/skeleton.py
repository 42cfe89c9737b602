"""A hand model's skeleton over a clip, as programs for animation take it: rest positions, local rotations, names."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Array, Float
from scipy.spatial.transform import Rotation

from toch_jax.base.arrays import put
from toch_jax.base.errors import bad_input
from toch_jax.exporters.keypoints import hand_names
from toch_jax.hand.model import LAST_JOINTS, N_SKELETON_JOINTS, HandModel, rest_joints
from toch_jax.sequence.derived import hand_models
from toch_jax.sequence.types import Sequence

BONES = ("", *(f"{finger}{joint}" for finger in ("Index", "Middle", "Pinky", "Ring", "Thumb") for joint in (1, 2, 3)))
"""Names of MANO's 16 joints after that of the hand; as of Mixamo's skeletons, where a finger's tip is its joint 4."""
TIPS = tuple(f"{BONES[joint][:-1]}4" for joint in LAST_JOINTS)
"""Names of the tips from thumb to pinky."""
UP = {"x": (0, 0, 90), "-x": (0, 0, -90), "y": (0, 0, 0), "-y": (180, 0, 0), "z": (-90, 0, 0), "-z": (90, 0, 0)}
"""Rotation about x, y, z, degrees, that turns each axis upwards, to y."""


@dataclass(frozen=True)
class Skeleton:
    """One hand's skeleton, of one shape for the clip. Metres."""

    name: str
    """Such as RightHand."""
    model: HandModel
    shaped: Float[np.ndarray, "V 3"]
    """Vertices of the hand of this shape, unposed."""
    rest: Float[np.ndarray, "16 3"]
    """Joints of the unposed hand."""
    rotation: Float[np.ndarray, "T 16 3 3"]
    """Of each joint relative to its parent; of the wrist in the world."""
    wrist: Float[np.ndarray, "T 3"]
    """Position in the world."""

    @property
    def bones(self) -> tuple[str, ...]:
        """The joints' names."""
        return tuple(self.name + bone for bone in BONES)

    @property
    def tips(self) -> tuple[str, ...]:
        """The tips' names, from thumb to pinky."""
        return tuple(self.name + tip for tip in TIPS)

    @property
    def offsets(self) -> Float[np.ndarray, "16 3"]:
        """Each joint from its parent, unposed; zero for the wrist."""
        parents = np.array((0, *self.model.parents[1:]))
        return self.rest - self.rest[parents]

    @property
    def tip_offsets(self) -> Float[np.ndarray, "5 3"]:
        """Each tip from its finger's last joint, unposed."""
        return self.shaped[np.asarray(self.model.tips)] - self.rest[np.array(LAST_JOINTS)]

    def joint_poses(self) -> tuple[Float[np.ndarray, "T 16 3 3"], Float[np.ndarray, "T 16 3"]]:
        """Rotation and position of each joint in the world."""
        turns, places = [self.rotation[:, 0]], [self.wrist]
        for joint in range(1, N_SKELETON_JOINTS):
            parent = self.model.parents[joint]
            places.append(places[parent] + turns[parent] @ self.offsets[joint])
            turns.append(turns[parent] @ self.rotation[:, joint])
        return np.stack(turns, axis=1), np.stack(places, axis=1)


def skeletons(sequence: Sequence) -> list[Skeleton]:
    """The hands' skeletons. Of betas that change over the clip the mean is taken.

    Raises InputError if the hands have no parameters.
    """
    params = sequence.hands.params
    if params is None:
        expected = "hand parameters (toch denoise --hand model writes them)"
        raise bad_input(sequence.source, "hand", expected, "joints or points alone")
    models, found = hand_models(sequence), []
    for hand, name in enumerate(hand_names(sequence.hand_side)):
        side = sequence.hand_side[hand]
        model = models[side]
        betas = np.asarray(params.betas[hand], np.float64).mean(axis=0)
        rest = np.asarray(rest_joints(model, put(betas, np.float32)), np.float64)
        turns = np.concatenate([np.asarray(params.global_orient[hand])[:, None], _fingers(params.pose[hand])], axis=1)
        matrices = Rotation.from_rotvec(turns.reshape(-1, 3).astype(np.float64)).as_matrix()
        found.append(
            Skeleton(
                name=f"{side.capitalize()}Hand{name.removeprefix(side)}",
                model=model,
                shaped=np.asarray(model.v_template, np.float64) + np.asarray(model.shapedirs, np.float64) @ betas,
                rest=rest,
                rotation=matrices.reshape(-1, N_SKELETON_JOINTS, 3, 3),
                wrist=np.asarray(params.transl[hand], np.float64) + rest[0],
            )
        )
    return found


def _fingers(pose: Float[Array, "T 45"]) -> Float[np.ndarray, "T 15 3"]:
    return np.asarray(pose).reshape(-1, N_SKELETON_JOINTS - 1, 3)


def upward(up: str) -> Rotation:
    """The rotation of the world that turns its axis `up` to y."""
    return Rotation.from_euler("xyz", UP[up], degrees=True)


def skinned(skeleton: Skeleton, moved: Float[np.ndarray, "T V 3"] | None = None) -> Float[np.ndarray, "T V 3"]:
    """Vertices in the world by linear blend skinning; `moved` is added to the unposed ones in each frame."""
    turns, places = skeleton.joint_poses()
    weights = np.asarray(skeleton.model.weights, np.float64)
    found = []
    for frame, (turn, place) in enumerate(zip(turns, places, strict=True)):
        shaped = skeleton.shaped if moved is None else skeleton.shaped + moved[frame]
        offset = place - np.einsum("jab,jb->ja", turn, skeleton.rest)
        found.append(np.einsum("vab,vb->va", np.einsum("vj,jab->vab", weights, turn), shaped) + weights @ offset)
    return np.stack(found)
