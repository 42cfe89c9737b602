import jax.numpy as jnp
import numpy as np
import pytest
from support.plain import plain
from support.scenes import draw, mirrored, moved, pushed, scene_of

from toch_jax.benchmark.methods.contactopt import (
    N_SAMPLES,
    capsule_contact,
    contact_target,
    contactopt,
    contacts,
    depth,
    energy,
    optimise,
    vertex_normals,
)
from toch_jax.benchmark.methods.scene import Nearest, near_points, nearest
from toch_jax.hand.model import skin_frames
from toch_jax.sequence.mirror import mirror


@pytest.fixture(scope="module", params=["floating", "sunk"])
def problem(request, held):
    """A hand moved along the mean normal of its contact: away from the object, or into it."""
    scene = scene_of(held)
    vertices, joints = skin_frames(scene.surface, scene.tracked)
    _, points, normals = near_points(scene, joints, N_SAMPLES)
    near = plain(nearest)(vertices, points)
    offset = np.take_along_axis(np.asarray(points), np.asarray(near.sample)[..., None], axis=1) - np.asarray(vertices)
    normal = np.take_along_axis(np.asarray(normals), np.asarray(near.sample)[..., None], axis=1)
    touching = np.linalg.norm(offset, axis=-1) < 0.004
    direction = (normal * touching[..., None]).sum(axis=1)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    by = 0.006 if request.param == "floating" else -0.006
    tracked = scene.tracked.replace(transl=jnp.asarray(scene.tracked.transl + by * direction, jnp.float32))
    vertices = skin_frames(scene.surface, tracked)[0]
    targets = contact_target(scene.surface, vertices, points, normals)
    return request.param, scene.surface, tracked, points, normals, targets


@pytest.mark.slow
def test_energy_falls_and_the_hand_comes_to_touch(problem):
    how, surface, tracked, points, normals, targets = problem
    after = optimise(surface, tracked, points, normals, targets)

    @plain
    def measured(params):
        vertices = skin_frames(surface, params)[0]
        near = nearest(vertices, points)
        cost = energy(surface, params, points, normals, targets, near)
        return vertices, near.sample, cost, depth(vertices, points, normals, near)

    def state(params):
        vertices, sample, cost, penetration = map(np.asarray, measured(params))
        far = np.linalg.norm(vertices - np.take_along_axis(np.asarray(points), sample[..., None], axis=1), axis=-1)
        return cost, np.sort(far, axis=1)[:, :30].mean(axis=1), penetration.max(axis=1)

    (cost, far, deep), (cost_after, far_after, deep_after) = state(tracked), state(after)
    assert np.all(cost_after < cost)
    if how == "floating":
        assert far_after.mean() < 0.7 * far.mean()
    else:
        assert deep_after.mean() < 0.5 * deep.mean()


def test_what_is_wanted_goes_with_the_scene(held):
    wanted = []
    for sequence in (held, moved(held)):
        scene = scene_of(sequence)
        vertices, joints = skin_frames(scene.surface, scene.tracked)
        _, points, normals = near_points(scene, joints, N_SAMPLES)
        targets = contact_target(scene.surface, vertices, points, normals)
        wanted.append((np.asarray(targets.hand), np.asarray(targets.object)))
    (hand, surface), (hand_moved, surface_moved) = wanted
    # a value at the boundary of two classes may fall into either
    assert np.mean(np.abs(hand_moved - hand) > 1e-6) < 0.01
    assert np.mean(np.abs(surface_moved - surface) > 1e-6) < 0.01


def test_a_left_hand_is_a_mirrored_right_one(held, held_object):
    right = np.asarray(contactopt(held, held_object).hands.joints[0])
    left = np.asarray(contactopt(mirror(held), mirrored(held_object)).hands.joints[0])
    assert np.linalg.norm(left * [-1, 1, 1] - right, axis=-1).mean() < 1e-3


def test_a_hand_far_away_stays(held, held_object):
    away = pushed(held, jnp.array([0.0, 0.0, 0.5]))
    out = contactopt(away, held_object).hands.params
    np.testing.assert_allclose(np.asarray(out.transl), np.asarray(away.hands.params.transl), atol=2e-5)


def test_normals_point_out_of_the_hand(held):
    scene = scene_of(held)
    vertices = skin_frames(scene.surface, scene.tracked)[0][:1]
    normals = np.asarray(vertex_normals(scene.surface, vertices))
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-5)
    corners = np.asarray(vertices)[0][np.asarray(scene.surface.faces)]
    # divergence theorem: with outward normals, the volume of a closed surface is positive
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
    mean_normal = normals[0][np.asarray(scene.surface.faces)].mean(axis=1)
    assert np.sum(area * mean_normal) > 0.8 * np.linalg.norm(area, axis=-1).sum()
    assert np.sum(area * corners.mean(axis=1)) / 3 > 0


def test_contact_is_that_of_a_capsule_sampled_along_its_axis():
    normals = draw(200, 3)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    points, queries = draw(200, 3, seed=1), draw(200, 3, scale=0.001, seed=2)
    queries = queries + points
    axis = points + np.linspace(-0.001, 0.0005, 3001)[:, None, None] * normals
    distance = np.linalg.norm(axis - queries, axis=-1).min(axis=0)
    wanted = np.clip(0.001 / np.maximum(distance, 1e-9), 0, 1)
    assert 0.05 < (wanted == 1).mean() < 0.95
    found = np.asarray(capsule_contact(jnp.asarray(queries), jnp.asarray(points), jnp.asarray(normals)))
    np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_contact_and_depth_on_a_plane():
    # hand points above and below a floor; each has one object sample
    points = jnp.asarray([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]])
    normals = jnp.broadcast_to(jnp.asarray([0.0, 0, 1]), points.shape)
    vertices = points + jnp.asarray([[[0, 0, 0.0005], [0, 0, 0.0105], [0, 0, -0.007]]])
    near = Nearest(sample=jnp.arange(3)[None], vertex=jnp.arange(3)[None])
    hand, surface = contacts(vertices, points, normals, near)
    np.testing.assert_allclose(hand[0], [1.0, 0.1, 1 / 6], rtol=1e-3)
    np.testing.assert_allclose(surface, hand, rtol=1e-6)
    np.testing.assert_allclose(depth(vertices, points, normals, near)[0], [0, 0, 0.005], atol=1e-6)
