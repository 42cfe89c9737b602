"""A clip at another frame rate: what touches keeps touching, and frames that both rates share stay as they are."""

from importlib.resources import as_file, files

import jax.numpy as jnp
import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from support.grasps import BALL_RADIUS, grasp, per_frame

from toch_jax.base.errors import InputError
from toch_jax.exporters.contact import signed_distances_of
from toch_jax.hand.files import load_hand
from toch_jax.sequence.arrays import sequence_from_arrays
from toch_jax.sequence.derived import hand_meshes
from toch_jax.sequence.file import load_sequence
from toch_jax.track.part_frame import move_hand
from toch_jax.track.resampling import resampled

FRAMES, FPS = 97, 120
TURNS_PER_SECOND = 1.5


def ball_pose(seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A ball that turns about a tilted axis, and moves on a circle."""
    angle = 2 * np.pi * TURNS_PER_SECOND * seconds
    turn = Rotation.from_rotvec(angle[:, None] * np.array([0.36, 0.48, 0.8])).as_matrix()
    return turn, np.stack([0.1 * np.cos(angle), 0.1 * np.sin(angle), 0.2 + 0.05 * seconds], axis=1)


@pytest.fixture(scope="module")
def clip():
    """A hand that reaches for the ball and then rests on it, at 120 fps."""
    turn, place = ball_pose(np.arange(FRAMES) / FPS)
    local = per_frame(grasp(FRAMES, reach=0.04))
    params = move_hand(load_hand("open"), local, jnp.asarray(turn, jnp.float32), jnp.asarray(place, jnp.float32))
    ball = trimesh.creation.icosphere(subdivisions=3, radius=BALL_RADIUS)
    return sequence_from_arrays(
        fps=FPS,
        hand_side="right",
        hand_model="open",
        hand_global_orient=params.global_orient,
        hand_pose=params.pose,
        hand_transl=params.transl,
        hand_betas=params.betas[0],
        object_vertices=ball.vertices,
        object_faces=ball.faces,
        object_rotation=turn,
        object_translation=place,
    )


def as_points(sequence, *names: str):
    """The clip with joints or vertices alone."""
    meshes = hand_meshes(sequence)
    return sequence_from_arrays(
        fps=sequence.fps,
        hand_side=list(sequence.hand_side),
        object_vertices=sequence.object_vertices,
        object_faces=sequence.object_faces,
        object_rotation=sequence.object_motion.rotation[0],
        object_translation=sequence.object_motion.translation[0],
        **{f"hand_{name}": getattr(meshes, name) for name in names},
    )


def depth(sequence) -> np.ndarray:
    """Distance of the nearest vertex from the ball in each frame, metres."""
    centre = np.asarray(sequence.object_motion.translation)[0]
    skin = np.asarray(hand_meshes(sequence).vertices)[0]
    return np.linalg.norm(skin - centre[:, None], axis=-1).min(axis=1) - BALL_RADIUS


def test_contact_is_kept_from_120_to_30_to_60(clip):
    """The hand rests on the ball in the last fifth; interpolated in the world it would be half a millimetre deep."""
    slow = resampled(clip, 30)
    again = resampled(slow, 60)
    assert (slow.n_frames, again.n_frames) == (25, 49)
    assert (slow.fps, again.fps) == (30, 60)
    np.testing.assert_allclose(depth(slow), depth(clip)[::4], atol=2e-5)
    resting = np.arange(0, FRAMES, 2) >= 84
    assert np.abs(depth(clip)[::2][resting]).max() < 2e-5
    assert np.abs(depth(again)[resting]).max() < 5e-5
    # on the way there too, as far as four steps of 120 Hz are one line
    assert np.abs(depth(again) - depth(clip)[::2]).max() < 5e-4
    touches, touched = depth(again) < 1e-3, depth(clip)[::2] < 1e-3
    np.testing.assert_array_equal(touches, touched)
    skin = np.asarray(hand_meshes(slow).vertices)[0]
    in_world = (skin[:-1] + skin[1:]) / 2
    centre = np.asarray(again.object_motion.translation)[0, 1::2]
    straight = np.linalg.norm(in_world - centre[:, None], axis=-1).min(axis=1) - BALL_RADIUS
    assert np.abs(straight[-3:]).min() > 4e-4


def test_a_generated_grasp_touches_where_it_did():
    """The example's true hand, as if it were four times as fast: the same frames touch, with nearly all vertices."""
    with as_file(files("toch_jax.example") / "tracked.npz") as path:
        example = load_sequence(path)
    original = example.replace(hands=example.truth, truth=None, fps=120.0)
    again = resampled(resampled(original, 30), 60)
    before, after = (signed_distances_of(each, np.asarray(hand_meshes(each).vertices))[0] for each in (original, again))
    before = before[::2][: again.n_frames]
    for distance in (0.001, 0.002, 0.005):
        np.testing.assert_array_equal(after.min(axis=1) < distance, before.min(axis=1) < distance)
        touched = before < distance
        assert (after < distance)[touched].mean() > 0.97
    assert (before.min(axis=1) < 0.002).sum() > 20


def test_the_object_moves_between_its_frames_by_slerp(clip):
    again = resampled(resampled(clip, 30), 60)
    turn, _ = ball_pose(np.arange(49) / 60)
    np.testing.assert_allclose(np.asarray(again.object_motion.rotation)[0], turn, atol=1e-5)


def test_shared_frames_are_the_same(clip):
    """For parameters, joints and points, and what stands beside them."""
    sigma = np.linspace(0.001, 0.002, FRAMES)[None, :, None] * np.ones((1, 1, 21), np.float32)
    with_all = clip.replace(hand_joint_sigma=jnp.asarray(sigma, jnp.float32))
    for sequence in (with_all, as_points(clip, "joints"), as_points(clip, "vertices")):
        double = resampled(sequence, 2 * FPS)
        assert double.n_frames == 2 * FRAMES - 1
        before, after = hand_meshes(sequence), hand_meshes(double)
        for name in ("joints", "vertices"):
            if getattr(before, name) is not None:
                given, found = (np.asarray(getattr(each, name)) for each in (before, after))
                np.testing.assert_allclose(found[:, ::2], given, atol=1e-5)
    np.testing.assert_allclose(np.asarray(resampled(with_all, 2 * FPS).hand_joint_sigma)[:, ::2], sigma, atol=1e-7)


def test_given_joints_keep_their_distance_from_the_models(clip):
    """Beside parameters stand joints 3 mm from the model's, along the palm; they stay there between the frames."""
    meshes, turn = hand_meshes(clip), Rotation.from_rotvec(np.asarray(clip.hands.params.global_orient)[0])
    off = turn.apply([0, 0.003, 0])[None, :, None]
    hands = clip.hands.replace(joints=jnp.asarray(meshes.joints + off, jnp.float32))
    found = resampled(clip.replace(hands=hands), 240)
    own = np.asarray(found.hands.joints) - hand_meshes(found).joints
    np.testing.assert_allclose(np.linalg.norm(own, axis=-1), 0.003, atol=2e-5)


def test_a_hand_far_from_the_object_does_not_take_part_in_its_motion(clip):
    """It rests a third of a metre away; in the object's frame it would move by centimetres between the frames."""
    params = clip.hands.params
    rest = type(params)(*(jnp.repeat(leaf[:, :1], FRAMES, axis=1) for leaf in vars(params).values()))
    rest = rest.replace(transl=rest.transl + jnp.array([0.0, 0.0, 0.4]))
    still = clip.replace(hands=clip.hands.replace(params=rest))
    joints = hand_meshes(resampled(resampled(still, 30), 60)).joints
    np.testing.assert_allclose(joints, np.broadcast_to(hand_meshes(still).joints[:, :1], joints.shape), atol=2e-5)


def test_lost_frames(clip):
    """A new frame is lost where one of the two around it was; a missing joint only where its frame is needed."""
    valid = np.ones((1, FRAMES), bool)
    valid[0, 40] = False
    marked = clip.replace(hand_valid=jnp.asarray(valid), object_valid=jnp.asarray(valid))
    for key in ("hand_valid", "object_valid"):
        found = np.asarray(getattr(resampled(marked, 240), key))[0]
        assert np.flatnonzero(~found).tolist() == [79, 80, 81]
        assert np.asarray(getattr(resampled(marked, 40), key)).all()


def test_rates(clip):
    assert resampled(clip, FPS) is clip
    # the last new frame is before the clip's end
    assert resampled(clip, 50).n_frames == 41
    for fps in (0, -30, np.nan, np.inf):
        with pytest.raises(InputError, match="--fps: expected frames per second, above 0"):
            resampled(clip, fps)
    with pytest.raises(InputError, match="--fps: expected a rate that gives at most 100,000 frames"):
        resampled(clip, 1e9)
