"""ARCTIC's metrics against closed forms, for a box with a lid and hands of a few vertices."""

import jax.numpy as jnp
import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from toch_jax.metrics import arctic
from toch_jax.metrics.contact import Part, object_part
from toch_jax.object.model import ObjectMotion

FRAMES = 40
TIME = np.arange(FRAMES)


def part(size: tuple[float, float, float], centre: tuple[float, float, float]) -> Part:
    box = trimesh.creation.box(size).apply_translation(centre)
    return object_part(np.asarray(box.vertices), np.asarray(box.faces))


PARTS = [part((0.1, 0.1, 0.1), (0, 0, 0)), part((0.1, 0.1, 0.02), (0, 0, 0.06))]


def motion(opened: np.ndarray, turn: np.ndarray | None = None, shift: np.ndarray | None = None) -> ObjectMotion:
    """Motion in which the lid opens by an angle (radians) about y, and both parts rotate about z and move."""
    about = Rotation.from_rotvec(np.outer(np.zeros(FRAMES) if turn is None else turn, [0, 0, 1]))
    lid = about * Rotation.from_rotvec(np.outer(opened, [0, 1, 0]))
    moved = np.zeros((FRAMES, 3)) if shift is None else shift
    return ObjectMotion(
        rotation=jnp.asarray(np.stack([about.as_matrix(), lid.as_matrix()])),
        translation=jnp.asarray(np.stack([moved] * 2)),
    )


MOVING = motion(0.02 * TIME, 0.05 * TIME, 0.01 * TIME[:, None] * np.array([1.0, 0.5, 0.0]))


def at_vertices(moved: ObjectMotion, offsets: dict[tuple[int, int], float]) -> np.ndarray:
    """Hand vertices (T, V, 3) that stay at vertices of parts, displaced by some millimetres along z of the part."""
    skin = [
        arctic.posed_points(PARTS[number].vertices[vertex][None] + np.array([0, 0, mm / 1000]), moved, number)
        for (number, vertex), mm in offsets.items()
    ]
    return np.concatenate(skin, axis=1)


def in_parts(moved: ObjectMotion, skin: np.ndarray) -> list[np.ndarray]:
    rotation, translation = np.asarray(moved.rotation, np.float64), np.asarray(moved.translation, np.float64)
    return [np.einsum("tba,tvb->tva", r, skin - t[:, None]) for r, t in zip(rotation, translation, strict=True)]


def test_contact_deviation_is_the_mean_distance_of_true_pairs() -> None:
    skin = at_vertices(MOVING, {(0, 0): 1.0, (1, 5): 2.0, (1, 3): 50.0})
    pairs = arctic.touching_pairs(in_parts(MOVING, skin), PARTS)
    np.testing.assert_array_equal(pairs.part[0, :2], [0, 1])
    np.testing.assert_array_equal(pairs.vertex[0, :2], [0, 5])
    assert np.isinf(pairs.distance[:, 2]).all()
    assert arctic.cdev_mm(skin, pairs, PARTS, MOVING) == pytest.approx(1.5, abs=1e-3)
    exact = at_vertices(MOVING, {(0, 0): 0.0, (1, 5): 0.0, (1, 3): 0.0}) + np.array([0.003, 0, 0.004])
    assert arctic.cdev_mm(exact, pairs, PARTS, MOVING) == pytest.approx(5.0, abs=1e-3)
    elsewhere = motion(0.02 * TIME, 0.05 * TIME, np.asarray(MOVING.translation[0]) + np.array([0.01, 0, 0]))
    exact = at_vertices(MOVING, {(0, 0): 0.0, (1, 5): 0.0, (1, 3): 0.0})
    assert arctic.cdev_mm(exact, pairs, PARTS, elsewhere) == pytest.approx(10.0, abs=1e-3)


def test_frames_without_contact_do_not_count() -> None:
    skin = at_vertices(MOVING, {(0, 0): 1.0})
    skin[20:] += 0.5
    pairs = arctic.touching_pairs(in_parts(MOVING, skin), PARTS)
    assert arctic.cdev_mm(skin, pairs, PARTS, MOVING) == pytest.approx(1.0, abs=1e-3)
    none = arctic.touching_pairs(in_parts(MOVING, skin + 0.5), PARTS)
    assert np.isnan(arctic.cdev_mm(skin, none, PARTS, MOVING))


@pytest.mark.parametrize(("frames", "counts"), [(14, False), (15, True)])
def test_a_hold_lasts_half_a_second(frames: int, counts: bool) -> None:
    skin = at_vertices(MOVING, {(1, 5): 1.0})
    skin[frames:] += 0.5
    pairs = arctic.touching_pairs(in_parts(MOVING, skin), PARTS)
    found = arctic.static_contacts(pairs, PARTS, MOVING)
    assert found == ([arctic.StaticContact(0, frames, 0, 1, 5)] if counts else [])


def test_motion_deviation_is_the_slip_of_a_frame() -> None:
    """The hand moves by 0.5 mm per frame, or rests while the object moves."""
    carried = motion(np.zeros(FRAMES), shift=0.002 * TIME[:, None] * np.array([0.6, 0.8, 0.0]))
    skin = at_vertices(carried, {(0, 2): 1.0, (1, 5): 2.0})
    pairs = arctic.touching_pairs(in_parts(carried, skin), PARTS)
    held = arctic.static_contacts(pairs, PARTS, carried)
    assert len(held) == 2
    assert arctic.mdev_mm(skin, held, PARTS, carried) == pytest.approx(0.0, abs=1e-3)
    slips = skin + 0.0005 * TIME[:, None, None] * np.array([0.0, 0.0, 1.0])
    assert arctic.mdev_mm(slips, held, PARTS, carried) == pytest.approx(0.5, abs=1e-3)
    still = np.broadcast_to(skin[:1], skin.shape)
    assert arctic.mdev_mm(still, held, PARTS, carried) == pytest.approx(2.0, abs=1e-3)
    assert np.isnan(arctic.mdev_mm(skin, [], PARTS, carried))


def test_a_sliding_finger_holds_nothing() -> None:
    """Along a row of vertices 2 mm apart: motion over 3 of them is a grasp, over 20 it is sliding."""
    row = np.arange(21)[:, None] * np.array([0.002, 0, 0])
    edge = object_part(np.concatenate([row, row + np.array([0, 0.05, 0])]), np.array([[0, 1, 21]]))
    rest = ObjectMotion(jnp.broadcast_to(jnp.eye(3), (1, FRAMES, 3, 3)), jnp.zeros((1, FRAMES, 3)))
    for reach, counts in ((2, True), (20, False)):
        skin = (np.round(np.linspace(0, reach, FRAMES)) * 0.002)[:, None, None] * np.array([1.0, 0, 0])
        pairs = arctic.touching_pairs([skin], [edge])
        assert bool(arctic.static_contacts(pairs, [edge], rest)) == counts


def test_relative_roots() -> None:
    rng = np.random.default_rng(0)
    right, left = rng.normal(size=(2, FRAMES, 3))
    moved = np.array([0.003, 0.004, 0.0])
    assert arctic.mrrpe_mm(right, left + moved, right, left) == pytest.approx(5.0)
    assert arctic.mrrpe_mm(right + moved, left + moved, right, left) == pytest.approx(0.0, abs=1e-9)


def test_articulation_error_is_the_angle() -> None:
    truth = motion(0.02 * TIME, 0.05 * TIME)
    off = motion(0.02 * TIME + np.deg2rad(7), -0.3 * TIME)
    assert arctic.aae_deg(off, truth) == pytest.approx(7.0, abs=1e-3)
    rigid = ObjectMotion(truth.rotation[:1], truth.translation[:1])
    assert np.isnan(arctic.aae_deg(rigid, rigid))


def test_success_is_within_a_twentieth_of_the_diameter() -> None:
    """The object measures 0.1 x 0.1 x 0.12 m. A translation of the whole does not count; a rotated lid does."""
    truth = motion(np.zeros(FRAMES))
    assert arctic.success_rate(PARTS, motion(np.zeros(FRAMES), shift=np.full((FRAMES, 3), 0.2)), truth) == 1.0
    assert arctic.success_rate(PARTS, motion(np.full(FRAMES, np.pi)), truth) == pytest.approx(0.5)
    # corners of the lid are 0.05 sqrt(2) to 0.086 m from the hinge and move by their distance times the angle
    reach, limit = np.hypot(0.05, 0.07), 0.05 * np.sqrt(0.1**2 + 0.1**2 + 0.12**2)
    for factor, expected in ((0.99, 1.0), (1.01, 0.75)):
        angle = 2 * np.arcsin(factor * limit / reach / 2)
        assert arctic.success_rate(PARTS, motion(np.full(FRAMES, angle)), truth) == pytest.approx(expected)
