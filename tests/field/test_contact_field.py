"""The contact field against trimesh and embree, closed forms and invariances; occlusion by other parts."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from support.peer_field import REACH, peer_field
from support.two_hands import DEPTH, HEIGHT, box, lid

from toch_jax.field.contact_field import ContactField, behind_other_parts, contact_field
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandParams, skin_frames
from toch_jax.hand.prior import pose_prior
from toch_jax.object.build import build_object
from toch_jax.object.model import ObjectModel, ObjectMotion, motion_from_axis_angle, samples_in_frame

FRAMES = 6


def test_a_lid_hides_the_hand_above_it_and_no_longer_once_it_is_open() -> None:
    """Against rays of other libraries with all parts in their poses, frame by frame."""
    parts, hand = [box(), lid()], load_hand()
    faces = [parts[0].faces, parts[1].faces + len(parts[0].vertices)]
    of_part = np.repeat([0, 1], [len(part.vertices) for part in parts])
    rest = np.concatenate([part.vertices for part in parts])
    object = build_object(rest, np.concatenate(faces), of_part, n_samples=4000)
    opening = np.linspace(0, 1.5, FRAMES)[:, None] * [-1.0, 0, 0]
    turn, moved = np.full((FRAMES, 3), 0.3), np.full((FRAMES, 3), [1.0, 0.5, 0.2])
    base = Rotation.from_rotvec(turn)
    motion = motion_from_axis_angle(
        np.stack([turn, (base * Rotation.from_rotvec(opening)).as_rotvec()]),
        np.stack([moved, moved + base.apply([0, DEPTH / 2, HEIGHT])]),
    )
    # palm down and at rest over the box and its closed lid
    params = HandParams(
        global_orient=jnp.asarray((base * Rotation.from_rotvec([np.pi / 2, 0, 0])).as_rotvec(), jnp.float32),
        pose=jnp.tile(pose_prior("right").mean, (FRAMES, 1)),
        betas=jnp.zeros((FRAMES, 10)),
        transl=jnp.zeros((FRAMES, 3)),
    )
    skin = np.asarray(skin_frames(hand, params)[0])
    skin = skin - skin.mean(axis=1, keepdims=True) + (moved + base.apply([0, 0, HEIGHT + 0.035]))[:, None]
    skin = skin.astype(np.float32)
    field = contact_field(jnp.asarray(skin), hand.faces, hand.v_template, object, motion)

    points, normals = (np.asarray(each, np.float64) for each in samples_in_frame(object.samples, motion))
    poses = Rotation.from_matrix(np.asarray(motion.rotation).reshape(-1, 3, 3)).as_matrix().reshape(2, FRAMES, 3, 3)
    agree, observed, alone = [], [], []
    for t in range(FRAMES):
        where = np.einsum("vab,vb->va", poses[of_part, t], rest) + np.asarray(motion.translation)[of_part, t]
        mesh = trimesh.Trimesh(skin[t], np.asarray(hand.faces), process=False)
        every = trimesh.Trimesh(where, np.concatenate(faces), process=False)
        mask, distance, _ = peer_field(mesh, np.asarray(hand.v_template), every, points[t], normals[t])
        agree.append(mask == field.mask[t])
        observed.append(mask)
        # the mask without occlusion by the other part
        own = [
            peer_field(mesh, np.asarray(hand.v_template), trimesh.Trimesh(where, f), points[t], normals[t])[0]
            for f in faces
        ]
        alone.append(np.where(np.asarray(object.samples.part) == 0, *own))
        both = mask & np.asarray(field.mask[t])
        np.testing.assert_allclose(np.asarray(field.distance[t])[both], distance[both], atol=1e-4)
    agree, observed, alone = np.stack(agree), np.stack(observed), np.stack(alone)
    hidden = alone & ~observed
    in_box = np.asarray(object.samples.part) == 0
    assert hidden[0, in_box].sum() > 30
    assert hidden[-1].sum() < 0.2 * hidden[0].sum()
    assert agree.mean() > 0.995
    assert agree[hidden].mean() > 0.95
    assert not np.any(np.asarray(field.distance)[~np.asarray(field.mask)])


def test_nothing_is_hidden_within_no_distance() -> None:
    parts = [box(), lid()]
    rest = np.concatenate([part.vertices for part in parts])
    faces = np.concatenate([parts[0].faces, parts[1].faces + len(parts[0].vertices)])
    of_part = np.repeat([0, 1], [len(part.vertices) for part in parts])
    object = build_object(rest, faces, of_part, n_samples=200, sdf_resolution=33)
    shut = motion_from_axis_angle(np.zeros((2, 1, 3)), np.array([[[0, 0, 0]], [[0, DEPTH / 2, HEIGHT]]]))
    up = (np.asarray(object.samples.normals)[:, 2] > 0.9) & (np.asarray(object.samples.part) == 0)
    for far, hidden in ((0.0, False), (REACH, True)):
        found = np.asarray(behind_other_parts(object.samples, object.grid, shut, jnp.full((1, 200), far)))[0]
        assert np.all(found[up] == hidden)


# The same for all tests, as each new shape is compiled again.
N_SAMPLES, N_FRAMES = 1000, 12


def still(n_frames: int) -> ObjectMotion:
    return ObjectMotion(
        rotation=jnp.broadcast_to(jnp.eye(3), (1, n_frames, 3, 3)), translation=jnp.zeros((1, n_frames, 3))
    )


def moving(n_parts: int = 1) -> ObjectMotion:
    rng = np.random.default_rng(0)
    rotation = Rotation.from_quat(rng.normal(size=(n_parts * N_FRAMES, 4))).as_matrix()
    return ObjectMotion(
        rotation=jnp.asarray(rotation.reshape(n_parts, N_FRAMES, 3, 3), jnp.float32),
        translation=jnp.asarray(rng.uniform(-1, 1, (n_parts, N_FRAMES, 3)), jnp.float32),
    )


def posed(motion: ObjectMotion, points: np.ndarray, part: int = 0) -> jax.Array:
    """Points (T, K, 3) in the part's frame, transformed to the world."""
    rotation, translation = np.asarray(motion.rotation[part]), np.asarray(motion.translation[part])
    return jnp.asarray(np.einsum("tab,tkb->tka", rotation, points) + translation[:, None], jnp.float32)


@cache
def object_of(mesh: trimesh.Trimesh) -> ObjectModel:
    return build_object(np.asarray(mesh.vertices), np.asarray(mesh.faces), n_samples=N_SAMPLES, sdf_resolution=8)


BODIES = {
    "mug": trimesh.creation.annulus(r_min=0.036, r_max=0.04, height=0.1, sections=48),
    "box": trimesh.creation.box((0.05, 0.07, 0.12)),
    "knot": trimesh.creation.torus(0.05, 0.015),
}


def grasps(seed: int = 0) -> np.ndarray:
    """Vertices (T, V, 3) of the open hand about an object at the origin, with differently bent fingers."""
    hand, rng = load_hand(), np.random.default_rng(seed)
    pose = rng.normal(0, 0.1, (N_FRAMES, 15, 3))
    pose[:, :12, 2] += rng.uniform(0, 1.1, (N_FRAMES, 1))
    vertices, _ = skin_frames(
        hand,
        HandParams(
            global_orient=jnp.zeros((N_FRAMES, 3)),
            pose=jnp.asarray(pose.reshape(N_FRAMES, 45), jnp.float32),
            betas=jnp.asarray(rng.normal(size=(N_FRAMES, hand.shapedirs.shape[-1])), jnp.float32),
            transl=jnp.zeros((N_FRAMES, 3)),
        ),
    )
    # Fingers point to -x and bend to -y: the palm is moved away from the z axis and the hand rotated about it.
    held = np.asarray(vertices) + np.array([-0.03, 0.055, 0.0]) + rng.normal(0, 0.01, (N_FRAMES, 1, 3))
    turn = Rotation.from_rotvec(rng.uniform(-0.3, 0.3, (N_FRAMES, 3)) + rng.uniform(0, 6, (N_FRAMES, 1)) * [0, 0, 1])
    turn = turn.as_matrix()
    return np.einsum("tab,tvb->tva", turn, held).astype(np.float32)


@pytest.mark.parametrize("name", BODIES)
def test_agrees_with_trimesh_and_embree(name: str) -> None:
    body, hand, in_object, motion = BODIES[name], load_hand(), grasps(), moving()
    model = object_of(body)
    field = contact_field(posed(motion, in_object), hand.faces, hand.v_template, model, motion)
    points, normals = np.asarray(model.samples.points, np.float64), np.asarray(model.samples.normals, np.float64)
    agree, observed = [], 0
    for t in range(N_FRAMES):
        mesh = trimesh.Trimesh(in_object[t], np.asarray(hand.faces), process=False)
        mask, distance, correspondence = peer_field(mesh, np.asarray(hand.v_template), body, points, normals)
        both = mask & np.asarray(field.mask[t])
        close = np.abs(distance - field.distance[t]) < 1e-5
        close &= np.linalg.norm(correspondence - field.correspondence[t], axis=1) < 1e-4
        agree.append((mask == field.mask[t]) & (close | ~both))
        observed += both.sum()
    assert observed > 1000
    assert np.mean(agree) >= 0.999


def ball(radius: float, centre: tuple[float, float, float]) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=4, radius=radius).apply_translation(centre)


def seen_of(hand: trimesh.Trimesh, model: ObjectModel, canonical: np.ndarray | None = None) -> ContactField:
    """The field of one frame with a resting object."""
    vertices = jnp.asarray(hand.vertices, jnp.float32)
    template = vertices if canonical is None else jnp.asarray(canonical, jnp.float32)
    field = contact_field(vertices[None], jnp.asarray(hand.faces, jnp.int32), template, model, still(1))
    return ContactField(field.mask[0], field.distance[0], field.correspondence[0])


def test_ball_over_a_box_has_the_height_of_its_underside() -> None:
    model = object_of(trimesh.creation.box((0.2, 0.2, 0.02)))
    height, radius, stretch, shift = 0.06, 0.03, np.array([1.0, 2.0, -3.0]), np.array([0.5, 0.0, 1.0])
    hand = ball(radius, (0, 0, 0.01 + height))
    field = seen_of(hand, model, hand.vertices * stretch + shift)
    points, top = np.asarray(model.samples.points), np.asarray(model.samples.normals)[:, 2] > 0.5
    off_axis = np.hypot(points[:, 0], points[:, 1])
    under, beside = top & (off_axis < 0.95 * radius), ~top | (off_axis > radius)
    assert under.sum() > 10
    assert np.all(field.mask[under])
    assert not np.any(field.mask[beside])
    expected = height - np.sqrt(radius**2 - off_axis[under] ** 2)
    np.testing.assert_allclose(field.distance[under], expected, atol=1e-4)
    hit = points[under] + np.asarray(field.distance)[under, None] * [0, 0, 1]
    np.testing.assert_allclose(field.correspondence[under], hit * stretch + shift, atol=1e-5)
    assert not np.any(field.distance[beside])
    assert not np.any(field.correspondence[beside])


def test_inside_the_hand_distance_is_the_depth_below_its_skin() -> None:
    model, radius = object_of(trimesh.creation.box((0.2, 0.2, 0.1))), 0.04
    field = seen_of(ball(radius, (0, 0, 0.05)), model)
    off_axis = np.hypot(*np.asarray(model.samples.points)[:, :2].T)
    within = (np.asarray(model.samples.normals)[:, 2] > 0.5) & (off_axis < 0.95 * radius)
    assert np.all(field.mask[within])
    np.testing.assert_allclose(field.distance[within], -np.sqrt(radius**2 - off_axis[within] ** 2), atol=1e-4)


def test_a_hand_that_passes_through_itself_is_still_inside() -> None:
    model, radius = object_of(trimesh.creation.box((0.2, 0.2, 0.1))), 0.04
    # From inside the first ball, the nearest intersection is with the second ball's surface.
    field = seen_of(ball(radius, (0, 0, 0.05)) + ball(0.02, (0, 0, 0.08)), model)
    off_axis = np.hypot(*np.asarray(model.samples.points)[:, :2].T)
    below = (np.asarray(model.samples.normals)[:, 2] > 0.5) & (off_axis < 0.019)
    assert below.sum() > 5
    np.testing.assert_allclose(field.distance[below], -np.sqrt(radius**2 - off_axis[below] ** 2), atol=1e-4)


@pytest.mark.parametrize("reach", [0.03, 0.1, 0.3])
def test_nothing_is_seen_beyond_reach(reach: float) -> None:
    model = object_of(BODIES["box"])
    hand = ball(0.02, (0, 0, 0.06 + 0.02 + 0.099))
    field = contact_field(
        jnp.asarray(hand.vertices, jnp.float32)[None],
        jnp.asarray(hand.faces, jnp.int32),
        jnp.asarray(hand.vertices, jnp.float32),
        model,
        still(1),
        reach,
    )
    assert np.any(field.mask) == (reach >= 0.1)
    assert np.all(np.isfinite(field.distance))


def test_a_wall_of_the_object_hides_the_hand_behind_it() -> None:
    floor = trimesh.creation.box((0.1, 0.06, 0.01))
    left, right = (trimesh.creation.box((0.01, 0.06, 0.08)).apply_translation((x, 0, 0.04)) for x in (-0.045, 0.045))
    hand = ball(0.02, (0.075, 0, 0.05))
    for wall, is_hidden in (([right], True), ([], False)):
        model = object_of(trimesh.boolean.union([floor, left, *wall], engine="manifold"))
        field, points = seen_of(hand, model), np.asarray(model.samples.points)
        looks_across = (np.abs(points[:, 0] + 0.04) < 1e-4) & (np.asarray(model.samples.normals)[:, 0] > 0.5)
        # within reach of the near side of the ball, and away from its silhouette
        looks_across &= np.hypot(points[:, 1], points[:, 2] - 0.05) < 0.01
        assert looks_across.sum() > 3
        assert np.all(np.asarray(field.mask)[looks_across] != is_hidden)


def test_each_part_has_the_field_of_an_object_of_its_own() -> None:
    hand, lower, upper = load_hand(), BODIES["box"], BODIES["mug"]
    both = build_object(
        np.concatenate([lower.vertices, upper.vertices]),
        np.concatenate([lower.faces, upper.faces + len(lower.vertices)]),
        np.repeat([0, 1], [len(lower.vertices), len(upper.vertices)]),
        n_samples=N_SAMPLES,
        sdf_resolution=8,
    )
    motion = moving(n_parts=2)
    for part in range(2):
        # The same samples, all attached to this part.
        rigid = both.replace(samples=both.samples.replace(part=jnp.zeros_like(both.samples.part)))
        moved = ObjectMotion(motion.rotation[part][None], motion.translation[part][None])
        vertices = posed(motion, grasps(), part)
        expected = contact_field(vertices, hand.faces, hand.v_template, rigid, moved)
        field = contact_field(vertices, hand.faces, hand.v_template, both, motion)
        of_part = both.samples.part == part
        assert np.sum(expected.mask[:, of_part]) > 200
        same = (field.mask == expected.mask) & (np.abs(field.distance - expected.distance) < 1e-5)
        assert np.mean(same[:, of_part]) > 0.999


def test_hands_can_be_mapped_over() -> None:
    hand, model, motion = load_hand(), object_of(BODIES["mug"]), moving()
    vertices = jnp.stack([posed(motion, grasps(seed)) for seed in (0, 1)])
    mapped = jax.vmap(contact_field, in_axes=(0, None, None, None, None))
    both = mapped(vertices, hand.faces, hand.v_template, model, motion)
    for h in range(2):
        one = contact_field(vertices[h], hand.faces, hand.v_template, model, motion)
        np.testing.assert_array_equal(both.mask[h], one.mask)
        np.testing.assert_allclose(both.distance[h], one.distance, atol=1e-6)
