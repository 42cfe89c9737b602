import dataclasses
import tracemalloc

import jax.numpy as jnp
import numpy as np
import pytest
import trimesh

from toch_jax.field.contact_field import ContactField
from toch_jax.metrics import contact
from toch_jax.metrics.contact import hands_depth_mm
from toch_jax.sequence.derived import PosedHand

R = 0.05
BALL = trimesh.creation.icosphere(subdivisions=4, radius=R)
FACES = np.asarray(BALL.faces)
PART = contact.object_part(BALL.vertices, FACES)
SHIFTS = np.array([0.2, 0.104, 0.09, 0.06])[:, None, None] * np.array([1.0, 0.0, 0.0])
HAND = np.asarray(BALL.vertices) + SHIFTS


def lens_cm3(apart: float) -> float:
    """Volume shared by two balls of radius R, cm^3."""
    return np.pi * (4 * R + apart) * (2 * R - apart) ** 2 / 12 * 1e6


def test_depth_and_contact_of_two_balls() -> None:
    closest = contact.nearest(HAND, PART)
    np.testing.assert_allclose(contact.penetration_depths_mm(closest), [0, 0, 10, 40], atol=0.2)
    np.testing.assert_array_equal(contact.contact_frames(closest), [False, True, True, True])


@pytest.mark.parametrize("drop", [0, 50])
def test_nearest_is_the_smallest_of_all_distances(drop: int) -> None:
    """With a closed surface most points are skipped; with a hole none may be."""
    knot = trimesh.creation.torus(major_radius=0.04, minor_radius=0.015)
    part = contact.object_part(knot.vertices, np.asarray(knot.faces)[drop:])
    assert (part.nodes is None) == (drop > 0)
    points = np.random.default_rng(0).normal(size=(60, 40, 3)) * 0.01 + np.linspace(0, 0.1, 60)[:, None, None]
    expected = contact.signed_distances(points, part).min(axis=-1)
    assert (expected < 0).any()
    assert (expected > contact.CONTACT_DISTANCE_M).any()
    expected[expected > contact.CONTACT_DISTANCE_M] = np.inf
    closest = contact.nearest(points, part)
    closest[closest > contact.CONTACT_DISTANCE_M] = np.inf
    np.testing.assert_allclose(closest, expected, atol=1e-9)


def test_signed_distance_is_exact_for_a_box() -> None:
    box = trimesh.creation.box(extents=(0.1, 0.1, 0.1))
    part = contact.object_part(box.vertices, box.faces)
    points = np.array([[0.0, 0.0, 0.04], [0.053, 0.0, 0.0], [0.053, 0.054, 0.0], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(contact.signed_distances(points, part), [-0.01, 0.003, 0.005, np.inf], atol=1e-8)


def test_distances_where_shells_overlap_are_not_scaled() -> None:
    """Where shells overlap the winding number is 2, but the nearest surface is still 1 cm away."""
    boxes = [trimesh.creation.box(extents=(0.1, 0.1, 0.1)).apply_translation([shift, 0, 0]) for shift in (0, 0.08)]
    both = trimesh.util.concatenate(boxes)
    part = contact.object_part(both.vertices, both.faces)
    points = np.array([[0.04, 0.0, 0.0], [0.12, 0.0, 0.0], [0.133, 0.0, 0.0]])
    np.testing.assert_allclose(contact.signed_distances(points, part), [-0.01, -0.01, 0.003], atol=1e-8)


def test_a_hole_in_the_object_does_not_turn_it_inside_out() -> None:
    part = contact.object_part(BALL.vertices, FACES[20:])
    distance = contact.signed_distances(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.052]]), part)
    assert distance[0] < 0 < distance[1]


@pytest.mark.parametrize(("drop", "relative"), [(0, 0.02), (1, 0.06)])
def test_intersection_volume_of_two_balls(drop: int, relative: float) -> None:
    """With one face missing neither mesh is a manifold, and voxels are counted instead."""
    part = contact.object_part(BALL.vertices, FACES[drop:])
    volumes, exact = contact.intersection_volumes_cm3(HAND, FACES[drop:], part)
    assert exact == (drop == 0)
    np.testing.assert_allclose(volumes[:2], 0, atol=1e-9)
    np.testing.assert_allclose(volumes[2:], [lens_cm3(0.09), lens_cm3(0.06)], rtol=relative)


def test_solid_voxels_fill_the_ball() -> None:
    far = np.full(3, 1.0)
    ball = np.asarray(BALL.vertices), FACES
    voxels = contact.solid_voxels(*ball, -far, far)
    assert len(voxels) * contact.VOXEL_PITCH_M**3 == pytest.approx(BALL.volume, rel=0.01)
    low, high = np.array([0.01, -1, -0.02]), np.array([0.03, 1, 0.02])
    within = voxels[((voxels >= low) & (voxels <= high)).all(axis=1)]
    np.testing.assert_allclose(contact.solid_voxels(*ball, low, high), within, atol=1e-12)
    assert len(contact.solid_voxels(*ball, far, 2 * far)) == 0


def test_volume_in_a_large_open_object_takes_little_memory() -> None:
    """A crate of 2.4 m without a lid, with half of the ball in its floor."""
    crate = trimesh.creation.box(extents=(2.4, 2.4, 1.0))
    part = contact.object_part(crate.vertices, np.asarray(crate.faces)[(crate.face_normals[:, 2] < 0.5)])
    ball = np.asarray(BALL.vertices)[None] + [0.3, 0.0, -0.5]
    tracemalloc.start()
    volumes, exact = contact.intersection_volumes_cm3(ball, FACES, part)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not exact
    np.testing.assert_allclose(volumes, BALL.volume / 2 * 1e6, rtol=0.03)
    assert peak < 50e6


def test_object_parts() -> None:
    two = trimesh.util.concatenate([BALL, BALL.copy().apply_translation([0.3, 0, 0])])
    vertex_part = np.repeat([0, 1], len(BALL.vertices))
    first, second = contact.object_parts(np.asarray(two.vertices), np.asarray(two.faces), vertex_part)
    np.testing.assert_allclose(
        second.vertices[second.faces] - first.vertices[first.faces],
        np.broadcast_to([0.3, 0, 0], (len(FACES), 3, 3)),
        atol=1e-9,
    )


def field(mask: list[bool], distance: list[float]) -> ContactField:
    return ContactField(
        mask=jnp.asarray(mask), distance=jnp.asarray(distance), correspondence=jnp.zeros((len(mask), 3))
    )


def test_contact_iou_by_hand() -> None:
    truth = field([True, True, True, False], [0.001, -0.0019, 0.03, 0.0])
    mine = field([True, False, True, True], [0.0015, 0.0, 0.0005, -0.004])
    assert contact.contact_iou(mine, truth) == pytest.approx(1 / 3)
    assert contact.contact_iou(truth, truth) == 1.0
    nothing = field([False] * 4, [0.0] * 4)
    assert np.isnan(contact.contact_iou(nothing, nothing))
    assert contact.contact_iou(nothing, truth) == 0.0


def test_samples_near_a_ball() -> None:
    """Samples at known distances from a ball's surface; samples inside it count as well."""
    radii = R + np.array([-0.004, -0.0015, 0.0, 0.0015, 0.0025, 0.1])
    samples = np.stack([radii, np.zeros(6), np.zeros(6)], axis=-1)
    moved = np.stack([samples, samples + np.array([0.0, 1.0, 0.0])])
    near = contact.samples_near_hand(moved, np.stack([BALL.vertices, BALL.vertices]), FACES)
    np.testing.assert_array_equal(near, [[False, True, True, True, False, False], [False] * 6])


def test_contact_f1_by_hand() -> None:
    mine, truth = np.array([[True, True, False, False]]), np.array([[True, False, True, True]])
    assert contact.contact_f1(mine, truth) == pytest.approx(2 * 0.5 * (1 / 3) / (0.5 + 1 / 3))
    assert contact.contact_f1(truth, truth) == 1.0
    assert contact.contact_f1(~mine & mine, truth) == 0.0
    assert np.isnan(contact.contact_f1(mine & ~mine, mine & ~mine))


BALL = trimesh.creation.icosphere(subdivisions=4, radius=0.05)
WAY = np.array([0.6, 0.0, 0.8])


def ball(along: list[float]) -> PosedHand:
    vertices = np.float32(BALL.vertices + np.array(along)[:, None, None] * WAY)
    return PosedHand(vertices[:, :21], vertices, np.asarray(BALL.faces), np.ones(len(along), dtype=bool))


def test_two_balls() -> None:
    """Depth is the overlap of the radii, in either order of the hands."""
    one, other = ball([0, 0, 0]), ball([0.2, 0.09, -0.07])
    for hands in ([one, other], [other, one]):
        np.testing.assert_allclose(hands_depth_mm(hands), [0, 10, 30], atol=0.2)


def test_of_three_the_deepest_pair_counts() -> None:
    np.testing.assert_allclose(hands_depth_mm([ball([0.0]), ball([0.09]), ball([0.17])]), [20], atol=0.2)


def test_frames_without_two_hands_say_nothing() -> None:
    one = ball([0.0, 0.0])
    lost = dataclasses.replace(ball([0.09, 0.09]), observed=np.array([True, False]))
    found = hands_depth_mm([one, lost])
    assert found[0] == pytest.approx(10, abs=0.2)
    assert np.isnan(found[1])
    assert np.isnan(hands_depth_mm([one])).all()
    cloud = dataclasses.replace(one, faces=None)
    assert np.isnan(hands_depth_mm([cloud, cloud])).all()
    # a point cloud has no inside, but its points may be inside a mesh
    np.testing.assert_allclose(hands_depth_mm([cloud, ball([0.09, 0.09])]), 10, atol=0.2)
