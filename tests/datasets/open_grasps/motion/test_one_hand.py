"""Stored clips, measured independently: libigl on the stored mesh, the full hand from the stored parameters."""

import igl
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from toch_jax.datasets.open_grasps.motion.one_hand import Job, make_clips, mirrored
from toch_jax.datasets.open_grasps.search.hands import HandSamples
from toch_jax.datasets.prepared import Example, example_to_sequence
from toch_jax.datasets.spec import load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, skin_frames

# compiling the grasp search takes almost a minute
pytestmark = pytest.mark.slow

SPEC = load_spec("open_grasps")
JOB = Job("capsule", 0, 2, seed=3)


@pytest.fixture(scope="module")
def clips(model: HandModel, samples: HandSamples) -> list[Example]:
    return make_clips(SPEC, model, samples, JOB)


def hand_vertices(clip: Example) -> np.ndarray:
    """Vertices of the hand in the world from the stored parameters, metres."""
    params = example_to_sequence(SPEC, clip).hands.params
    assert params is not None
    return np.asarray(skin_frames(load_hand("open", clip["hand_side"]), params)[0][0], np.float64)


def distances(clip: Example) -> np.ndarray:
    """Signed distance (T, V) of the hand's vertices to the object, negative inside; sign from pseudonormals."""
    rotation = Rotation.from_rotvec(clip["object_rotation"][0]).as_matrix()
    local = np.einsum("tab,tva->tvb", rotation, hand_vertices(clip) - clip["object_translation"][0][:, None])
    surface = clip["object_vertices"].astype(np.float64), clip["object_faces"].astype(np.int64)
    kind = igl.SIGNED_DISTANCE_TYPE_PSEUDONORMAL
    return igl.signed_distance(local.reshape(-1, 3), *surface, sign_type=kind)[0].reshape(local.shape[:2])


def test_contact_holds_where_the_flag_says_so(clips: list[Example], model: HandModel) -> None:
    # digit of the joint with the largest skinning weight, in MANO's order: index, middle, pinky, ring, thumb
    digit = (np.argmax(np.asarray(model.weights), axis=1) - 1) // 3
    palm = np.argmax(np.asarray(model.weights), axis=1) == 0
    assert len(clips) == JOB.clips
    for clip in clips:
        distance = distances(clip)
        assert distance.min() > -0.0031
        touching = np.stack([(distance[:, (digit == d) & ~palm] < 0.0021).any(axis=1) for d in range(5)], axis=1)
        assert (touching[clip["grasp"][0]].sum(axis=1) >= 3).all()
        far = distance.min(axis=1)
        assert min(far[0], far[-1]) > 0.03
        assert clip["grasp"].sum() > 30


def test_object_moves_only_while_it_is_held_and_smoothly(clips: list[Example]) -> None:
    for clip in clips:
        steps = np.linalg.norm(np.diff(clip["object_translation"][0], axis=0), axis=1)
        turns = Rotation.from_rotvec(clip["object_rotation"][0])
        angles = (turns[1:] * turns[:-1].inv()).magnitude()
        moving = (steps > 1e-6) | (angles > 1e-5)
        assert not moving[~(clip["grasp"][0, 1:] & clip["grasp"][0, :-1])].any()
        assert moving.any()
        assert steps.max() * SPEC.fps < 1.5
        wrist = np.linalg.norm(np.diff(clip["hand_transl"][0], axis=0), axis=1)
        assert wrist.max() * SPEC.fps < 2.0


def test_hands_bend_as_hands_do(clips: list[Example]) -> None:
    for clip in clips:
        angles = np.linalg.norm(clip["hand_pose"].reshape(-1, 15, 3), axis=-1)
        assert angles.max() < np.deg2rad(120)
        joints = Rotation.from_rotvec(clip["hand_pose"].reshape(-1, 3))
        jump = (joints[15:] * joints[:-15].inv()).magnitude()
        assert jump.max() < np.deg2rad(20)


def test_the_same_job_gives_the_same_clips(clips: list[Example], model: HandModel, samples: HandSamples) -> None:
    again = make_clips(SPEC, model, samples, JOB)
    for one, two in zip(clips, again, strict=True):
        for key in SPEC.features:
            np.testing.assert_array_equal(one[key], two[key], err_msg=key)


def test_mirrored_clip_is_the_mirror_image(clips: list[Example]) -> None:
    clip = clips[0]
    other = {**mirrored(clip), "hand_side": "left" if clip["hand_side"] == "right" else "right"}
    flip = np.array([-1.0, 1.0, 1.0])
    np.testing.assert_allclose(hand_vertices(other), hand_vertices(clip) * flip, atol=2e-6)
    np.testing.assert_allclose(distances(other), distances(clip), atol=5e-6)


def test_betas_are_those_of_people(clips: list[Example]) -> None:
    assert all(np.abs(clip["hand_betas"]).max() < 3 for clip in clips)
    assert jnp.std(jnp.stack([jnp.asarray(clip["hand_betas"]) for clip in clips])) > 0.3
