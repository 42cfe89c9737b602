"""The components of the generator against closed forms and SciPy; whole clips are in test_clips.py."""

import jax.numpy as jnp
import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from toch_jax.datasets.open_grasps.builder import hand_probe
from toch_jax.datasets.open_grasps.check import bone_points, measure_contact
from toch_jax.datasets.open_grasps.path import Hand, between, object_path, smooth
from toch_jax.datasets.open_grasps.probe import HandProbe, bend_to_pose, digit_chains, finger_rotations
from toch_jax.datasets.open_grasps.starts import KINDS, LIMITS, opposite_points, template
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, rest_joints
from toch_jax.object.build import build_object


@pytest.fixture(scope="module")
def model() -> HandModel:
    return load_hand("open")


@pytest.fixture(scope="module")
def probe(model: HandModel) -> HandProbe:
    return hand_probe(model)


def test_contact_of_a_flat_hand_on_a_slab(model: HandModel) -> None:
    vertices = np.asarray(model.v_template, np.float64)[None]
    joints = np.concatenate([np.asarray(rest_joints(model, jnp.zeros(10))), vertices[0, model.tips]])[None]
    points = np.concatenate([vertices, bone_points(model, joints)], axis=1)
    height = vertices[..., 1]
    for sink in (-0.004, 0.0015, 0.005):
        top = height.min() + sink
        slab = trimesh.creation.box(bounds=[(-1, top - 0.5, -1), (1, top, 1)])
        contact = measure_contact(model, points, np.ones(points.shape[:2], bool), slab)
        assert contact.depth[0] == pytest.approx(max(sink, 0), abs=1e-7)
        assert contact.bone[0] == pytest.approx(points[0, len(height[0]) :, 1].min() - top, abs=1e-7)
        for digit, chain in enumerate(digit_chains(model)):
            mine = np.isin(np.argmax(np.asarray(model.weights), axis=1), chain)
            assert contact.touching[0, digit] == (height[0, mine].min() - top <= 0.002)
        assert not contact.is_clear[0] or sink < 0.003


def test_points_that_are_not_near_count_as_far(model: HandModel) -> None:
    points = np.zeros((2, len(model.v_template) + 1, 3))
    contact = measure_contact(model, points, np.zeros(points.shape[:2], bool), trimesh.creation.icosphere())
    assert not contact.touching.any()
    assert (contact.depth == 0).all()


def test_bends_are_rotations_about_the_joints_axes(probe: HandProbe) -> None:
    bend = np.random.default_rng(0).uniform(-1, 1, (4, 15, 3)).astype(np.float32)
    wanted = Rotation.from_rotvec(bend_to_pose(probe.axes, bend).reshape(-1, 3)).as_matrix().reshape(4, 15, 3, 3)
    np.testing.assert_allclose(finger_rotations(probe.axes, jnp.asarray(bend)), wanted, atol=2e-6)


def test_bending_moves_fingers_to_the_palm(model: HandModel, probe: HandProbe) -> None:
    # the open hand's palm faces -y; a positive rotation about the flexion axis must move each bone in that direction
    joints = np.asarray(rest_joints(model, jnp.zeros(10)))
    tips = np.asarray(model.v_template)[np.asarray(model.tips)]
    for chain, tip in list(zip(digit_chains(model), tips, strict=True))[1:]:
        for joint in chain:
            assert np.cross(np.asarray(probe.axes)[joint - 1, 0], tip - joints[joint])[1] < 0


def test_templates_stay_within_the_joints_limits() -> None:
    for kind in KINDS.values():
        bend = template(kind, np.linspace(-0.2, 1, 5))
        assert (bend >= LIMITS[0]).all()
        assert (bend <= LIMITS[1]).all()


def test_opposite_points_of_a_box_lie_on_opposite_faces() -> None:
    mesh = trimesh.creation.box(extents=(0.04, 0.06, 0.2))
    target = build_object(mesh.vertices, mesh.faces, n_samples=400, sdf_resolution=16)
    one, two = opposite_points(target, 200, np.random.default_rng(0))
    width = np.linalg.norm(one - two, axis=1)
    # 0.2 m is too wide for a hand; pairs along each of the other axes are within 32 degrees (cos > 0.85) of it
    across = [np.abs(np.abs(one - two)[:, axis] - size) < 1e-5 for axis, size in ((0, 0.04), (1, 0.06))]
    assert (across[0] | across[1]).all()
    assert across[0].any()
    assert across[1].any()
    assert (width < 0.06 / 0.85 + 1e-5).all()


def test_smooth_is_the_least_jerk_curve() -> None:
    u = np.linspace(0, 1, 1001)
    curve = smooth(u)
    assert curve[[0, 500, 1000]] == pytest.approx([0, 0.5, 1])
    assert np.gradient(curve, u).max() == pytest.approx(1.875, abs=1e-3)
    assert smooth(np.array([-1.0, 2.0])) == pytest.approx([0, 1])


def test_between_goes_straight_and_turns_evenly() -> None:
    rng = np.random.default_rng(1)
    first, second = (
        Hand(Rotation.random(1, rng=rng).as_matrix(), rng.normal(size=(1, 3)), rng.normal(size=(1, 15, 3)))
        for _ in range(2)
    )
    path = between(first, second, np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(path.rotation[[0, 2]], np.concatenate([first.rotation, second.rotation]), atol=1e-9)
    np.testing.assert_allclose(path.wrist[1], (first.wrist[0] + second.wrist[0]) / 2, atol=1e-12)
    turns = Rotation.from_matrix(path.rotation)
    steps = (turns[1:] * turns[:-1].inv()).magnitude()
    assert steps[0] == pytest.approx(steps[1])


@pytest.mark.parametrize("seed", range(6))
def test_objects_start_and_end_at_rest(seed: int) -> None:
    start = Rotation.random(rng=np.random.default_rng(seed))
    rotation, translation = object_path(60, 30.0, start, np.random.default_rng(seed))
    np.testing.assert_allclose(rotation[0], start.as_matrix(), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(rotation), 1, atol=1e-9)
    speed = np.linalg.norm(np.diff(translation, axis=0), axis=1) * 30
    assert max(speed[0], speed[-1]) < 0.02
    assert 0.05 < speed.max() < 1.5
