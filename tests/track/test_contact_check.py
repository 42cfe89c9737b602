import dataclasses
from pathlib import Path

import numpy as np
import pytest
import trimesh

import toch_jax.example
from toch_jax.base.arrays import put
from toch_jax.base.errors import InputError
from toch_jax.hand.files import load_hand
from toch_jax.object.build import build_object
from toch_jax.object.model import ObjectModel, ObjectMotion
from toch_jax.sequence.derived import pose_hands
from toch_jax.sequence.file import load_sequence
from toch_jax.sequence.types import Sequence
from toch_jax.track.contact_check import check_contact, check_result, signed_distance
from toch_jax.track.tracked_hand import tracked_hands

EXAMPLE = Path(toch_jax.example.__file__).parent / "tracked.npz"
FACTORS = [1.0, 3.0, 10.0]


def _object(sequence: Sequence) -> ObjectModel:
    mesh = map(np.asarray, (sequence.object_vertices, sequence.object_faces))
    return build_object(*mesh, n_samples=100, sdf_resolution=65).without_mesh()


def test_distance_to_a_ball_that_moves() -> None:
    rng = np.random.default_rng(0)
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.05)
    middles = rng.normal(size=(7, 3))
    joints = middles[:, None] + 0.08 * rng.normal(size=(7, 21, 3))
    motion = ObjectMotion(
        rotation=put(np.tile(np.eye(3), (1, 7, 1, 1)), np.float32), translation=put(middles[None], np.float32)
    )
    built = build_object(np.asarray(ball.vertices), np.asarray(ball.faces), n_samples=100)
    expected = np.linalg.norm(joints - middles[:, None], axis=-1) - 0.05
    found = signed_distance(built, motion, joints)
    inside = expected < 0.03  # within the grid
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-3)
    assert (found[~inside] > expected[~inside] - 1e-3).all()


@pytest.mark.parametrize("factor", FACTORS)
def test_a_mesh_of_a_wrong_scale(factor: float) -> None:
    sequence = load_sequence(EXAMPLE, object_scale=factor)
    hands, built = tracked_hands(sequence), _object(sequence)
    if factor == 1:
        assert check_contact(sequence, hands, built) == ()
    elif factor == 3:
        (note,) = check_contact(sequence, hands, built)
        assert note.startswith("hand 0 (left): is inside the object in ")
        assert note.endswith("is the mesh's scale right (--object-scale, in Python a factor of object_vertices)?")
    else:
        with pytest.raises(InputError, match=r"tracked.npz: hand 0 \(left\): .* inside the object .* scale right"):
            check_contact(sequence, hands, built)


def test_parameters_of_the_other_side() -> None:
    sequence = load_sequence(EXAMPLE).replace(hand_side=("right",))
    (note,) = check_contact(sequence, tracked_hands(sequence), _object(sequence))
    assert note.startswith("no hand touches the object (nearest joint ")
    assert "side" in note


def test_a_hand_that_passes_the_object_by_chance() -> None:
    sequence = load_sequence(EXAMPLE)
    (hand,), built = tracked_hands(sequence), _object(sequence)
    nearest = signed_distance(built, sequence.object_motion, np.asarray(hand.joints)).min(axis=1)
    away = np.full((len(nearest), 1, 3), [0.0, 0.0, 0.5])
    away[nearest.argsort()[:3]] = 0
    (note,) = check_contact(sequence, [dataclasses.replace(hand, joints=hand.joints + away)], built)
    assert note.startswith("no hand touches the object (near it in 3 of 111 frames): ")


def test_a_hand_that_was_moved_far_or_left_inside() -> None:
    sequence = load_sequence(EXAMPLE)
    hands, built = tracked_hands(sequence), _object(sequence)
    joints = pose_hands(sequence, {"left": load_hand("open", "left")})[0].joints
    assert joints is not None

    def notes(moved: np.ndarray) -> tuple[str, ...]:
        return check_result(
            sequence.replace(hands=sequence.hands.replace(joints=put(moved[None], np.float32))), hands, built
        )

    assert notes(joints) == ()
    (far,) = notes(joints + np.array([0.0, 0.0, 0.1]))
    assert far.startswith("hand 0 (left): moved by 100 mm on the mean")
    motion = sequence.object_motion
    middle = np.asarray(motion.translation[0]) + np.asarray(motion.rotation[0]) @ np.mean(
        sequence.object_vertices, axis=0
    )
    at_middle = np.repeat(middle[:, None], 21, axis=1)
    assert any("after the repair is inside the object in 111 of 111 frames" in note for note in notes(at_middle))
