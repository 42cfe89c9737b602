"""Points and joints that are carried by a posed hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.grasps import N_FRAMES, grasp, joints_of, per_frame, shaken

from toch_jax.hand.binding import bind, bind_joints, carry, carry_joints, nearest_on_skin
from toch_jax.hand.model import HandModel, HandParams, skin_frames

K = 60


@pytest.fixture(scope="module")
def on_skin(hand: HandModel) -> tuple[np.ndarray, np.ndarray]:
    """Points inside faces: the faces' vertex indices and barycentric coordinates."""
    rng = np.random.default_rng(0)
    return np.asarray(hand.faces)[rng.integers(0, len(hand.faces), K)], rng.dirichlet(np.ones(3), K)


def places(hand: HandModel, params: HandParams, on_skin: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    skin = np.asarray(skin_frames(hand, per_frame(params))[0])
    return np.einsum("kc,tkca->tka", on_skin[1], skin[:, on_skin[0]]).astype(np.float32)


def test_nearest_places(hand: HandModel, on_skin: tuple[np.ndarray, np.ndarray]) -> None:
    skin = np.asarray(skin_frames(hand, per_frame(grasp(1)))[0])
    at = places(hand, grasp(1), on_skin)
    corners = skin[0, on_skin[0]]
    out = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    out /= np.linalg.norm(out, axis=-1, keepdims=True)
    found = nearest_on_skin(hand, skin, (at + 0.0005 * out).astype(np.float32))
    reached = np.einsum("tkc,tkca->tka", found.barycentric, skin[:, np.asarray(hand.faces)[found.face[0]]])
    assert (found.distance <= 0.0005 + 1e-6).all()
    np.testing.assert_allclose(np.linalg.norm(reached - at - 0.0005 * out, axis=-1), found.distance, atol=1e-6)
    straight = np.linalg.norm(reached - at, axis=-1)[0] < 1e-5  # otherwise a fold of the skin is nearer
    assert straight.mean() > 0.9
    np.testing.assert_allclose(found.normal[0, straight], out[straight], atol=1e-3)


def test_points_on_the_skin_follow_it_exactly(hand: HandModel, on_skin: tuple[np.ndarray, np.ndarray]) -> None:
    """Including poses and shapes other than those of the binding."""
    binding = bind(hand, grasp(), jnp.asarray(places(hand, grasp(), on_skin)))
    assert np.abs(np.asarray(binding.offset)).max() < 1e-5
    for params in (grasp(), grasp(5, seed=1)):
        moved = np.asarray(carry(hand, params, binding))
        np.testing.assert_allclose(moved, places(hand, params, on_skin), atol=2e-5)


def test_points_off_the_skin_turn_with_it(hand: HandModel, on_skin: tuple[np.ndarray, np.ndarray]) -> None:
    """For a hand that moves rigidly, the points are reproduced exactly for any offset."""
    rng = np.random.default_rng(1)
    first = grasp(1)
    turns = Rotation.from_rotvec(rng.normal(size=(N_FRAMES, 3)))
    shifts = rng.normal(size=(N_FRAMES, 3))
    one = jax.tree.map(lambda leaf: jnp.repeat(leaf, N_FRAMES, axis=0), first.replace(betas=first.transl))
    pivot = np.asarray(skin_frames(hand, per_frame(first))[1])[0, 0]
    wrist = turns.apply(pivot) + shifts
    orient = turns * Rotation.from_rotvec(np.asarray(first.global_orient[0]))
    params = one.replace(
        betas=first.betas,
        global_orient=jnp.asarray(orient.as_rotvec(), jnp.float32),
        transl=first.transl + jnp.asarray(wrist - pivot, jnp.float32),
    )
    points = places(hand, first, on_skin)[0] + rng.normal(0, 0.004, (K, 3))
    moved = np.stack([turn.apply(points) + shift for turn, shift in zip(turns, shifts, strict=True)])
    binding = bind(hand, params, jnp.asarray(moved, jnp.float32))
    assert np.linalg.norm(binding.offset, axis=-1).mean() > 0.001
    np.testing.assert_allclose(np.asarray(carry(hand, params, binding)), moved, atol=2e-5)


def test_lost_frames_are_not_looked_at(hand: HandModel, on_skin: tuple[np.ndarray, np.ndarray]) -> None:
    points = places(hand, grasp(), on_skin)
    observed = np.arange(N_FRAMES) % 2 == 0
    points[~observed] = 9.0
    binding = bind(hand, grasp(), jnp.asarray(points), jnp.asarray(observed))
    moved = np.asarray(carry(hand, grasp(), binding))
    np.testing.assert_allclose(moved, places(hand, grasp(), on_skin), atol=2e-5)


FINGERS = ((1, 2, 3, 17), (4, 5, 6, 18), (10, 11, 12, 19), (7, 8, 9, 20), (13, 14, 15, 16))
"""Indices of each finger's three joints and its tip among the 21."""


def other_skeleton(hand: HandModel, params: HandParams, offset: np.ndarray) -> np.ndarray:
    """The model's joints moved by `offset` (21, 3) in the frames of their bones.

    The frames are products of SciPy's rotations along each finger.
    """
    joints = np.array(joints_of(hand, params))
    pose = np.asarray(params.pose).reshape(-1, 15, 3)
    wrist = Rotation.from_rotvec(np.asarray(params.global_orient))
    joints[:, 0] += wrist.apply(offset[0])
    for finger in FINGERS:
        turn = wrist
        for joint in finger:
            joints[:, joint] += turn.apply(offset[joint])
            if joint < 16:
                turn = turn * Rotation.from_rotvec(pose[:, joint - 1])
    return joints


def test_offsets_are_found_and_carried_to_other_poses(hand: HandModel) -> None:
    offset = np.random.default_rng(0).normal(0, 0.005, (21, 3))
    observed = np.arange(N_FRAMES) != 3
    first, then = (per_frame(shaken(grasp(), 0.01, 0.3, seed)) for seed in (0, 1))
    joints = other_skeleton(hand, first, offset)
    joints[3] += 1.0
    joints[5, 7] = np.nan
    joints[:, 20] = np.nan
    found = bind_joints(hand, first, jnp.asarray(joints, jnp.float32), jnp.asarray(observed))
    offset[20] = 0
    np.testing.assert_allclose(found, offset, atol=2e-6)
    carried = carry_joints(hand, then, found)
    np.testing.assert_allclose(np.asarray(carried), other_skeleton(hand, then, offset), atol=5e-6)
