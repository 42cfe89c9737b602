import jax.numpy as jnp
import numpy as np
import pytest
from support.plain import plain
from support.scenes import mirrored, moved, pushed, scene_of

from toch_jax.benchmark.methods.capsule import depth, nearest
from toch_jax.benchmark.methods.contactopt import (
    N_SAMPLES,
    contact_target,
    contactopt,
    energy,
    optimise,
    vertex_normals,
)
from toch_jax.benchmark.methods.scene import near_points
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
    way = (normal * touching[..., None]).sum(axis=1)
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    by = 0.006 if request.param == "floating" else -0.006
    tracked = scene.tracked.replace(transl=jnp.asarray(scene.tracked.transl + by * way, jnp.float32))
    vertices = skin_frames(scene.surface, tracked)[0]
    targets = contact_target(scene.surface, vertices, points, normals)
    return request.param, scene.surface, tracked, points, normals, targets


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
        vertices, sample, cost, buried = map(np.asarray, measured(params))
        far = np.linalg.norm(vertices - np.take_along_axis(np.asarray(points), sample[..., None], axis=1), axis=-1)
        return cost, np.sort(far, axis=1)[:, :30].mean(axis=1), buried.max(axis=1)

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
