"""Scenes for the tests of baselines."""

import jax.numpy as jnp
import jaxlie
import numpy as np
from jaxtyping import Array, Float

from toch_jax.benchmark.methods.scene import Scene, repair_hands
from toch_jax.hand.files import load_hand
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.sequence.mirror import mirror_points
from toch_jax.sequence.types import Sequence
from toch_jax.track.part_frame import move_hand


def joints_of(sequence: Sequence) -> np.ndarray:
    """Joints (T, 21, 3) of the first hand from its parameters, metres."""
    return np.asarray(repair_hands(sequence, lambda scene: scene.tracked).hands.joints[0])


def scene_of(sequence: Sequence) -> Scene:
    """The scene that a baseline gets for the sequence."""
    scenes: list[Scene] = []

    def keep(scene: Scene):
        scenes.append(scene)
        return scene.tracked

    repair_hands(sequence, keep)
    return scenes[0]


TURN = jaxlie.SO3.exp(jnp.array([0.4, -1.1, 0.7])).as_matrix()
SHIFT = jnp.array([0.3, -0.2, 0.5])


def moved(sequence: Sequence) -> Sequence:
    """The sequence with the whole scene rotated and translated."""
    motion = sequence.object_motion
    params, model = sequence.hands.params, load_hand("open", sequence.hand_side[0])
    frames = sequence.n_frames
    one = type(params)(params.global_orient[0], params.pose[0], params.betas[0], params.transl[0])
    one = move_hand(model, one, jnp.broadcast_to(TURN, (frames, 3, 3)), jnp.broadcast_to(SHIFT, (frames, 3)))
    return sequence.replace(
        hands=sequence.hands.replace(params=type(one)(*(leaf[None] for leaf in vars(one).values()))),
        object_motion=ObjectMotion(TURN @ motion.rotation, motion.translation @ TURN.T + SHIFT),
    )


def after_move(points: Float[Array, "*batch 3"] | np.ndarray) -> np.ndarray:
    return np.asarray(points) @ np.asarray(TURN).T + np.asarray(SHIFT)


def mirrored(object: ObjectModel) -> ObjectModel:
    """The object with mirrored samples, as in the mirrored scene."""
    samples = object.samples
    return object.replace(
        samples=samples.replace(points=mirror_points(samples.points), normals=mirror_points(samples.normals))
    )


def pushed(sequence: Sequence, by: Float[Array, "T 3"]) -> Sequence:
    """The sequence with the hand translated by `by` in the world, metres."""
    params = sequence.hands.params
    return sequence.replace(hands=sequence.hands.replace(params=params.replace(transl=params.transl + by)))


def draw(*shape: int, scale: float = 0.1, seed: int = 0) -> np.ndarray:
    """Normal random numbers, float32."""
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)
