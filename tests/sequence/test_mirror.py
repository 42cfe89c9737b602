import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import trimesh

from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.object.model import to_world
from toch_jax.sequence.mirror import mirror, mirror_params, mirror_points
from toch_jax.sequence.record import sequence_from_record

Record = dict[str, np.ndarray]
SIGNS = np.array([-1.0, 1.0, 1.0])


def _mirrored_model(model: HandModel) -> HandModel:
    """The model with each array reflected at x = 0; entry (a, b) of a rotation matrix changes sign as x_a x_b does."""
    features = np.tile(np.outer(SIGNS, SIGNS).reshape(-1), 15)
    return dataclasses.replace(
        model,
        v_template=model.v_template * SIGNS,
        shapedirs=model.shapedirs * SIGNS[:, None],
        posedirs=model.posedirs * SIGNS[:, None] * features,
        side="left",
    )


def test_mirrored_parameters_move_the_mirrored_hand(random_hand: HandModel) -> None:
    rng = np.random.default_rng(0)
    shapes = {"global_orient": 3, "pose": 45, "betas": 10, "transl": 3}
    params = HandParams(**{name: jnp.asarray(rng.normal(size=(4, n)), jnp.float32) for name, n in shapes.items()})
    right = skin_frames(random_hand, params)
    left = skin_frames(_mirrored_model(random_hand), mirror_params(params))
    for one, other in zip(right, left, strict=True):
        np.testing.assert_allclose(mirror_points(one), other, atol=1e-5)


def test_the_object_in_the_world_is_reflected_and_stays_solid(record: Record) -> None:
    sequence = sequence_from_record("file", record)
    image = mirror(sequence)
    assert image.hand_side == ("left",)
    for each, sign in ((sequence, 1), (image, 1)):
        mesh = trimesh.Trimesh(each.object_vertices, each.object_faces, process=False)
        assert sign * mesh.volume > 1e-4
    world = [to_world(s.object_motion, 0, jnp.broadcast_to(s.object_vertices, (6, 162, 3))) for s in (sequence, image)]
    np.testing.assert_allclose(world[0] * SIGNS, world[1], atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(image.object_motion.rotation), 1, atol=1e-5)
    assert sequence.hands.joints is not None
    assert image.hands.joints is not None
    np.testing.assert_array_equal(sequence.hands.joints * SIGNS, image.hands.joints)


def test_twice_is_the_same(record: Record) -> None:
    sequence = sequence_from_record("file", record)
    again = mirror(mirror(sequence))
    assert jax.tree.structure(again) == jax.tree.structure(sequence)
    for one, other in zip(jax.tree.leaves(again), jax.tree.leaves(sequence), strict=True):
        np.testing.assert_array_equal(one, other)
