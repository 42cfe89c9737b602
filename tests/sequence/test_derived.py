"""Posed hands and their meshes, by the measures of trimesh and igl; given joints and points stay as they are."""

import igl
import jax.numpy as jnp
import numpy as np
import pytest
import trimesh

import toch_jax
from toch_jax.base.errors import InputError
from toch_jax.hand.conventions import to_openpose
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import skin_frames
from toch_jax.metrics.clip import measure
from toch_jax.sequence.derived import hand_meshes, pose_hands, pose_truth
from toch_jax.sequence.mirror import mirror
from toch_jax.sequence.types import Hands, Sequence


@pytest.mark.parametrize("side", ["right", "left"])
def test_meshes_are_solid_and_hold_their_joints(clean: Sequence, side: str) -> None:
    vertices, faces, joints = toch_jax.hand_meshes(clean if side == "right" else mirror(clean))
    assert vertices.shape == (1, clean.n_frames, 1650, 3)
    assert joints.shape == (1, clean.n_frames, 21, 3)
    for skin, centres in zip(vertices[0], joints[0], strict=True):
        mesh = trimesh.Trimesh(skin, faces[0], process=False)
        assert mesh.is_watertight
        assert 1e-4 < mesh.volume < 1e-3
        # OpenPose's 1-3, 5-7, ... are inside the fingers, 4, 8, ... at their tips
        distance = igl.signed_distance(centres.astype(float), skin.astype(float), faces[0].astype(np.int64))[0]
        assert distance[[1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19]].max() < 0
        assert np.abs(distance[4::4]).max() < 0.003


def test_two_hands_are_stacked_and_the_truth_is_apart(example_file) -> None:
    clip = toch_jax.load_sequence(example_file)
    tracked, truth = hand_meshes(clip), hand_meshes(clip, truth=True)
    assert repr(tracked) == f"HandMeshes(vertices {tracked.vertices.shape}, faces (1, 3296, 3), joints (1, 111, 21, 3))"
    # the clip's noise is 20 mm along each axis
    error = np.linalg.norm(tracked.vertices - truth.vertices, axis=-1).mean()
    assert error == pytest.approx(0.032, abs=0.004)
    with pytest.raises(InputError, match=r"tracked\.npz: truth: expected a sequence with ground truth"):
        hand_meshes(clip.replace(truth=None), truth=True)


def test_what_was_given_is_returned(clean: Sequence) -> None:
    vertices, _, joints = hand_meshes(clean)
    only_joints = clean.replace(hands=Hands(None, jnp.asarray(joints), None, None))
    assert hand_meshes(only_joints)[:2] == (None, None)
    np.testing.assert_array_equal(hand_meshes(only_joints).joints, joints)
    cloud = clean.replace(hands=Hands(None, None, jnp.asarray(vertices[:, :, :50]), "unordered"))
    np.testing.assert_array_equal(hand_meshes(cloud).vertices, vertices[:, :, :50])
    assert hand_meshes(cloud)[1:] == (None, None)


def test_hands_are_posed_by_parameters_first(clean: Sequence) -> None:
    vertices, joints = (np.asarray(each) for each in skin_frames(load_hand("open"), clean.hands.params))
    joints = to_openpose(joints)
    points = Hands(None, jnp.asarray(joints), jnp.asarray(vertices), "open")
    given = clean.replace(truth=points, hand_valid=clean.hand_valid.at[0, 3].set(False))
    hand = pose_hands(given)[0]
    np.testing.assert_allclose(hand.vertices, vertices[0], atol=1e-6)
    np.testing.assert_allclose(hand.joints, joints[0], atol=1e-6)
    assert hand.observed.sum() == 11
    truth = pose_truth(given)
    assert truth is not None
    assert truth[0].observed.all()
    assert measure(given, [hand], truth)["mpvpe"] < 1e-3
    cloud = given.replace(hands=Hands(None, None, jnp.asarray(vertices[:, :, :50]), "unordered"))
    assert pose_hands(cloud)[0].faces is None
    assert pose_truth(clean) is None
