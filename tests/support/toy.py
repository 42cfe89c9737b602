"""Small clean clips: the open hand, loosely bent, moves slowly near a box that rotates in the world."""

from collections.abc import Iterator

import jax.numpy as jnp
import jaxlie
import numpy as np
import trimesh

from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, HandParams, rest_joints
from toch_jax.object.model import ObjectMotion
from toch_jax.sequence.types import Hands, Sequence
from toch_jax.training.clips import Clips, build_clips


def toy_sequences(count: int, frames: int) -> Iterator[tuple[str, Sequence]]:
    """Clips with boxes of different sizes, each with a hand whose fingers are on its top."""
    model = load_hand("open")
    for index in range(count):
        rng = np.random.default_rng(index)
        size = rng.uniform(0.04, 0.12, 3)
        box = trimesh.creation.box(size).subdivide()
        t = np.linspace(0, 2 * np.pi, frames)
        axis_angle = 0.3 * np.stack([np.sin(t), np.cos(t), 0 * t], axis=-1)
        rotation = jaxlie.SO3.exp(jnp.asarray(axis_angle, jnp.float32))
        translation = jnp.asarray(0.2 * np.stack([np.cos(t), np.sin(t), 1 + 0 * t], axis=-1), jnp.float32)
        # in the box's frame the fingers (-x) are above the top (+y), and the hand moves slightly
        curl = np.zeros((15, 3))
        curl[:, 2] = 0.2
        pose = np.broadcast_to(curl.ravel(), (frames, 45)) + 0.05 * np.sin(t)[:, None]
        local = np.stack([0.09 + 0.02 * np.sin(t), size[1] / 2 + 0.012 + 0 * t, 0.01 * np.cos(t)], axis=-1)
        betas = jnp.asarray(0.5 * rng.normal(size=model.shapedirs.shape[-1]), jnp.float32)
        wrist = rest_joints(model, betas)[0]
        params = HandParams(
            global_orient=rotation.log()[None],
            pose=jnp.asarray(pose, jnp.float32)[None],
            betas=jnp.broadcast_to(betas, (1, frames, len(betas))),
            transl=(rotation @ jnp.asarray(local, jnp.float32) + translation - wrist)[None],
        )
        yield (
            f"toy_{index}",
            Sequence(
                fps=30.0,
                hand_side=("right",),
                hand_model="open",
                hands=Hands(params=params, joints=None, vertices=None, vertex_order=None),
                hand_valid=jnp.ones((1, frames), bool),
                object_vertices=jnp.asarray(box.vertices, jnp.float32),
                object_faces=jnp.asarray(box.faces, jnp.int32),
                object_vertex_part=jnp.zeros(len(box.vertices), jnp.int32),
                object_motion=ObjectMotion(rotation=rotation.as_matrix()[None], translation=translation[None]),
                truth=None,
                hand_joint_sigma=None,
            ),
        )


def toy_clips(count: int, frames: int, window: int, n_samples: int, model: HandModel | None = None) -> Clips:
    return build_clips(toy_sequences(count, frames), model or load_hand("open"), window, n_samples)
