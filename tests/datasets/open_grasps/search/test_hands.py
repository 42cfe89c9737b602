"""The sampled hand, against SciPy and the full hand."""

import igl
import jax.numpy as jnp
import numpy as np
from scipy.spatial.transform import Rotation

from toch_jax.datasets.open_grasps.search.hands import (
    Grasp,
    HandSamples,
    bend_to_pose,
    digit_chains,
    finger_rotations,
    pose_hand,
    pose_joints,
)
from toch_jax.hand.model import HandModel, HandParams, rest_joints, skin_frames


def test_bends_are_rotations_about_the_joints_axes(samples: HandSamples) -> None:
    bend = np.random.default_rng(0).uniform(-1, 1, (4, 15, 3)).astype(np.float32)
    wanted = Rotation.from_rotvec(bend_to_pose(samples.axes, bend).reshape(-1, 3)).as_matrix().reshape(4, 15, 3, 3)
    np.testing.assert_allclose(finger_rotations(samples.axes, jnp.asarray(bend)), wanted, atol=2e-6)


def test_bending_moves_fingers_to_the_palm(model: HandModel, samples: HandSamples) -> None:
    # the open hand's palm faces -y; a positive rotation about the flexion axis must move each bone in that direction
    joints = np.asarray(rest_joints(model, jnp.zeros(10)))
    tips = np.asarray(model.v_template)[np.asarray(model.tips)]
    for chain, tip in list(zip(digit_chains(model), tips, strict=True))[1:]:
        for joint in chain:
            assert np.cross(np.asarray(samples.axes)[joint - 1, 0], tip - joints[joint])[1] < 0


def test_samples_move_as_the_full_hand(model: HandModel, samples: HandSamples) -> None:
    rng = np.random.default_rng(1)
    bend, betas = rng.uniform(-0.5, 0.5, (3, 15, 3)).astype(np.float32), rng.normal(size=(3, 10)).astype(np.float32)
    turn = Rotation.from_rotvec(rng.normal(size=(3, 3)))
    wrist = rng.normal(size=(3, 3)).astype(np.float32)
    root = np.asarray(rest_joints(model, jnp.asarray(betas)))[:, 0]
    params = HandParams(
        global_orient=jnp.asarray(turn.as_rotvec(), jnp.float32),
        pose=jnp.asarray(bend_to_pose(samples.axes, bend), jnp.float32),
        betas=jnp.asarray(betas),
        transl=jnp.asarray(wrist - root),
    )
    rigid = model.replace(posedirs=jnp.zeros_like(model.posedirs))
    vertices, joints = skin_frames(rigid, params)
    grasp = Grasp(jnp.asarray(turn.as_matrix(), jnp.float32), *map(jnp.asarray, (wrist, bend, betas)))
    points, found = pose_hand(samples, grasp)
    np.testing.assert_allclose(found, joints, atol=2e-6)
    np.testing.assert_allclose(pose_joints(samples, grasp), joints, atol=2e-6)
    # a sample stays on its face, except where the face's corners follow different bones
    on_skin = np.asarray(points)[0, : int(samples.pads[0, 0])].astype(np.float64)
    squared = igl.point_mesh_squared_distance(
        on_skin, np.asarray(vertices[0], np.float64), np.asarray(model.faces, np.int64)
    )[0]
    assert np.sqrt(squared).max() < 1e-3
    assert np.sqrt(squared).mean() < 1e-4
