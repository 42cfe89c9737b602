"""The exact test of a grasp, in closed form."""

import jax.numpy as jnp
import numpy as np
import pytest
import trimesh

from toch_jax.datasets.open_grasps.search.hands import digit_chains
from toch_jax.datasets.open_grasps.search.search import bone_points, measure_contact
from toch_jax.hand.model import HandModel, rest_joints


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
