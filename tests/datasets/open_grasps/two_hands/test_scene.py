"""Parts in each hand's frame, mirrored or not, and the tests of two hands with each other, without a search."""

import jax.numpy as jnp
import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from toch_jax.datasets.hinged import HingedObject, hinge_rotation
from toch_jax.datasets.open_grasps.objects.hinged import make_hinged
from toch_jax.datasets.open_grasps.search.hands import Hand, HandSamples
from toch_jax.datasets.open_grasps.two_hands.scene import FLIP, Grip, HandTrack, TwoHandScene, hands_depth, make_scene
from toch_jax.hand.model import HandModel, Side, rest_joints
from toch_jax.object.build import build_object
from toch_jax.object.distance import signed_distance
from toch_jax.sequence.mirror import mirror_object


@pytest.fixture(scope="module")
def scene(model: HandModel, samples: HandSamples) -> TwoHandScene:
    return make_scene(model, samples, make_hinged("notebook", 0), True, 30.0, "notebook")


def test_mirror_image_has_the_distances_of_the_object() -> None:
    mesh = trimesh.creation.cone(0.04, 0.1).apply_translation((0.02, 0, 0))
    target = build_object(mesh.vertices, mesh.faces, n_samples=50, sdf_resolution=16)
    image = mirror_object(target)
    points = jnp.asarray(np.random.default_rng(0).uniform(-0.1, 0.1, (200, 3)), jnp.float32)
    found = signed_distance(image.grid, 0, points * jnp.asarray(FLIP, jnp.float32))
    np.testing.assert_allclose(found, signed_distance(target.grid, 0, points), atol=1e-6)
    np.testing.assert_allclose(image.samples.points * FLIP, target.samples.points)


def test_left_hand_sees_the_hinge_in_the_mirror(scene: TwoHandScene) -> None:
    angle = np.array([0.0, 0.7, 2.0])
    mirrored, true = scene.part_rotation("left", 1, angle), hinge_rotation(angle).as_matrix()
    np.testing.assert_allclose(mirrored, true * np.outer(FLIP, FLIP), atol=1e-12)
    np.testing.assert_allclose(scene.rotation_to("right", 1, 0, angle), true, atol=1e-12)
    np.testing.assert_allclose(
        scene.rotation_to("right", 0, 1, angle) @ true, np.tile(np.eye(3), (3, 1, 1)), atol=1e-12
    )
    for side in ("right", "left"):
        assert [context.surface.is_volume for context in scene.contexts[side]] == [True, True]
        assert [context.surface.volume > 0 for context in scene.contexts[side]] == [True, True]


def test_depth_of_hands_in_each_other(model: HandModel) -> None:
    skin = np.asarray(model.v_template, np.float64)
    # a hand and its mirror image, palm to palm at the plane y = 0, pushed together by `sink`
    palm = skin - np.array([0, skin[:, 1].min(), 0])
    left = palm @ Rotation.from_rotvec([np.pi, 0, 0]).as_matrix().T * np.array([1, 1, -1])
    depths = []
    for sink in (-0.02, 0.0005, 0.01):
        pair = [palm[None] - [0, sink / 2, 0], left[None] + [0, sink / 2, 0]]
        depths.append(float(hands_depth(model, pair, ["right", "left"])[0]))
    assert depths[0] == 0
    assert 0 < depths[1] <= 0.0005
    assert 0.002 < depths[2] <= 0.01


@pytest.mark.parametrize("side", ["right", "left"])
def test_clearance_of_a_flat_hand_over_a_slab(model: HandModel, samples: HandSamples, side: Side) -> None:
    slab = trimesh.creation.box((0.8, 0.8, 0.02))
    obj = HingedObject(np.asarray(slab.vertices), np.asarray(slab.faces), np.zeros(len(slab.vertices), np.int32))
    scene = make_scene(model, samples, obj, False, 30.0, "slab")
    lowest = (np.asarray(model.v_template) - np.asarray(rest_joints(model, jnp.zeros(10)))[0])[:, 2].min()
    heights = np.array([0.03, 0.1]) - lowest
    wrist = np.stack([np.zeros(2), np.zeros(2), 0.01 + heights], axis=1)
    hand = Hand(np.tile(np.eye(3), (2, 1, 1)), wrist, np.zeros((2, 15, 3)))
    track = HandTrack(Grip(side, 0, [hand[:1]], "five", np.zeros(10)), hand)
    np.testing.assert_allclose(scene.clearance([track], np.zeros(2)), [0.03, 0.1], atol=1e-5)
