import jax.numpy as jnp
import numpy as np
from scipy.spatial import cKDTree
from support.scenes import after_move, draw, joints_of, mirrored, moved

from toch_jax.benchmark.methods.scene import nearest, repair_hands
from toch_jax.hand.conventions import to_openpose
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import skin_frames
from toch_jax.sequence.mirror import mirror


def test_a_repair_that_changes_nothing_gives_the_hand_back(held, held_object):
    for sequence in (held, mirror(held)):
        object = held_object if sequence is held else None
        out = repair_hands(sequence, lambda scene: scene.tracked, object)
        model = load_hand("open", sequence.hand_side[0])
        params = type(sequence.hands.params)(*(leaf[0] for leaf in vars(sequence.hands.params).values()))
        vertices, joints = skin_frames(model, params)
        np.testing.assert_allclose(np.asarray(out.hands.vertices[0]), np.asarray(vertices), atol=2e-5)
        np.testing.assert_allclose(np.asarray(out.hands.joints[0]), to_openpose(np.asarray(joints)), atol=2e-5)


def test_the_scene_is_the_same_wherever_it_is(held, held_object):
    observed = []

    def keep(scene):
        observed.append(scene)
        return scene.tracked

    repair_hands(held, keep, held_object)
    repair_hands(moved(held), keep, held_object)
    one, other = (skin_frames(scene.surface, scene.tracked)[0] for scene in observed)
    np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=2e-6)
    np.testing.assert_allclose(joints_of(moved(held)), after_move(joints_of(held)), atol=2e-6)


def test_a_left_hand_comes_mirrored_and_so_does_its_object(held, held_object):
    scenes = []

    def keep(scene):
        scenes.append(scene)
        return scene.tracked

    repair_hands(held, keep, held_object)
    repair_hands(mirror(held), keep, mirrored(held_object))
    right, left = scenes
    np.testing.assert_allclose(left.object.samples.points, right.object.samples.points, atol=1e-7)
    np.testing.assert_allclose(np.asarray(left.tracked.pose), np.asarray(right.tracked.pose), atol=1e-6)
    np.testing.assert_allclose(np.asarray(left.tracked.transl), np.asarray(right.tracked.transl), atol=2e-6)


def test_nearest_is_a_tree_search():
    vertices, points = draw(2, 300, 3) + 5.0, draw(2, 500, 3, seed=1) + 5.0
    near = nearest(jnp.asarray(vertices), jnp.asarray(points))
    for frame in range(2):
        for found, many, few in (
            (near.sample[frame], points[frame], vertices[frame]),
            (near.vertex[frame], vertices[frame], points[frame]),
        ):
            least = cKDTree(many).query(few)[0]
            mine = np.linalg.norm(many[np.asarray(found)] - few, axis=-1)
            # the index is stored in the last bits of the squared distance, which limits its precision
            np.testing.assert_allclose(mine, least, rtol=2e-4, atol=1e-5)
