"""The whole pipeline, from Python and from the command line: inputs, outputs, and no use of the ground truth."""

import igl
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toch_jax.base.arrays import put
from toch_jax.base.errors import InputError
from toch_jax.cli import main
from toch_jax.denoiser.checkpoints import load_denoiser
from toch_jax.denoiser.window import DenoiserConfig
from toch_jax.hand.conventions import to_openpose
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import skin_frames
from toch_jax.metrics.joints import mpjpe_mm
from toch_jax.observe import read_clip
from toch_jax.pipeline import refine, refine_many
from toch_jax.sequence.arrays import arrays_from_sequence, sequence_from_arrays
from toch_jax.sequence.derived import pose_hands, sequence_object
from toch_jax.sequence.file import load_sequence, save_sequence
from toch_jax.sequence.mirror import mirror
from toch_jax.sequence.types import Sequence
from toch_jax.surface_fields import contact_fields
from toch_jax.track.tracked_hand import tracked_hands

FRAMES = 16
"""Length of the fit's smallest bucket, which serves clips of one frame too."""


@pytest.fixture(scope="module")
def tracked(example_file) -> Sequence:
    """The first frames of the example in which the hand is at the object."""
    return load_sequence(example_file).frames(28, 28 + FRAMES)


@pytest.fixture(scope="module")
def denoiser():
    return load_denoiser()


@pytest.fixture(scope="module")
def clean(tracked, denoiser) -> Sequence:
    return refine(tracked, denoiser)


def joints(sequence: Sequence, hands) -> np.ndarray:
    model = load_hand("open", sequence.hand_side[0])
    return to_openpose(np.asarray(skin_frames(model, jax.tree.map(lambda leaf: leaf[0], hands.params))[1]))


def assert_equal(one, other):
    for mine, theirs in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_better_than_the_input(tracked, clean):
    truth = joints(tracked, tracked.truth)
    assert mpjpe_mm(joints(clean, clean.hands), truth) < 0.9 * mpjpe_mm(joints(tracked, tracked.hands), truth)


def test_garbage_for_truth_changes_nothing_but_the_metrics(tracked, clean, denoiser, tmp_path):
    """The result does not depend on the ground truth in the same file."""
    rng = np.random.default_rng(0)
    garbage = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), jnp.float32), tracked.truth)
    save_sequence(tmp_path / "garbage.npz", tracked.replace(truth=garbage))
    given = load_sequence(tmp_path / "garbage.npz")
    found = refine(given, denoiser)
    assert_equal((found.hands, found.hand_joint_sigma), (clean.hands, clean.hand_joint_sigma))
    right, wrong = (mpjpe_mm(joints(found, found.hands), joints(each, each.truth)) for each in (tracked, given))
    assert wrong > 10 * right


def test_the_command_writes_sequence_and_picture(tracked, clean, tmp_path, capsys):
    save_sequence(tmp_path / "tracked.npz", tracked)
    assert main(["denoise", str(tmp_path / "tracked.npz"), "-o", str(tmp_path / "clean.npz")]) == 0
    out = capsys.readouterr().out
    assert "penetration depth" in out
    assert "MPJPE" in out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clean.npz", "clean.png", "tracked.npz"]
    written = load_sequence(tmp_path / "clean.npz")
    np.testing.assert_allclose(written.hands.joints, clean.hands.joints, atol=1e-6)
    np.testing.assert_allclose(written.hand_joint_sigma, clean.hand_joint_sigma, atol=1e-6)
    for name in ("object_vertices", "object_faces", "object_motion"):
        assert_equal(getattr(written, name), getattr(tracked, name))


def test_what_comes_out_belongs_together(clean):
    np.testing.assert_allclose(np.asarray(clean.hands.joints[0]), joints(clean, clean.hands), atol=1e-5)
    assert clean.hands.vertices.shape == (1, FRAMES, 1650, 3)
    assert clean.hand_joint_sigma.shape == (1, FRAMES, 21)
    assert np.all((np.asarray(clean.hand_joint_sigma) > 1e-4) & (np.asarray(clean.hand_joint_sigma) < 0.1))


@pytest.mark.slow
def test_a_left_hand_is_a_mirrored_right_one(tracked, clean, denoiser):
    left = refine(mirror(tracked), denoiser)
    mirrored = np.asarray(left.hands.joints[0]) * np.array([-1, 1, 1])
    # the mirrored object has other samples, so the hands agree to a few millimetres, not to rounding
    assert np.linalg.norm(mirrored - np.asarray(clean.hands.joints[0]), axis=-1).mean() < 0.003


@pytest.mark.parametrize(("case", "within"), [("world", 1e-3), ("mesh", 1e-5)])
def test_far_from_the_origin(tracked, clean, denoiser, case, within):
    """The same hand with the world's origin 1 km away (float32 steps: 0.06 mm), or the mesh 3 m from its own origin."""
    motion, far = tracked.object_motion, np.zeros(3, np.float32)
    if case == "world":
        far[:] = 1000, -1000, 500
        params = tracked.hands.params.replace(transl=tracked.hands.params.transl + far)
        moved = tracked.replace(
            hands=tracked.hands.replace(params=params, joints=None, vertices=None),
            object_motion=motion.replace(translation=motion.translation + far),
            truth=None,
        )
    else:
        off = np.array([3, 0, 0], np.float32)
        moved = tracked.replace(
            object_vertices=tracked.object_vertices + off,
            object_motion=motion.replace(translation=motion.translation - motion.rotation @ off),
        )
    away = np.asarray(refine(moved, denoiser).hands.joints, np.float64) - far - np.asarray(clean.hands.joints)
    assert np.linalg.norm(away, axis=-1).mean() < within


def test_a_hand_alone_has_no_other(tracked):
    (hand,) = tracked_hands(tracked)
    assert hand.other is None
    window, _, _ = read_clip(hand, sequence_object(tracked).without_mesh(), DenoiserConfig())
    assert not window.two_handed.any()
    assert window.left.tolist() == [tracked.hand_side == ("left",)]
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(window.other))


def test_lost_frames_are_filled_and_doubted(tracked, denoiser):
    lost = jnp.zeros(FRAMES, bool).at[5:11].set(True)
    gap = tracked.replace(hand_valid=~lost[None])
    filled = refine(gap, denoiser)
    truth = joints(tracked, tracked.truth)
    error = 1000 * np.linalg.norm(joints(filled, filled.hands) - truth, axis=-1).mean(axis=-1)
    assert error[np.asarray(lost)].mean() < 30
    sigma = np.asarray(filled.hand_joint_sigma[0]).mean(axis=-1)
    assert sigma[np.asarray(lost)].mean() > 1.2 * sigma[~np.asarray(lost)].mean()


def test_one_frame_is_a_sequence(tracked, denoiser):
    one = jax.tree.map(lambda leaf: leaf[:, 10:11], tracked.object_motion)
    hands = tracked.hands.replace(params=jax.tree.map(lambda leaf: leaf[:, 10:11], tracked.hands.params))
    alone = tracked.replace(hands=hands, object_motion=one, hand_valid=tracked.hand_valid[:, 10:11], truth=None)
    assert refine(alone, denoiser).hands.joints.shape == (1, 1, 21, 3)


@pytest.fixture(scope="module")
def given(tracked) -> dict:
    """A user's arrays of one hand: joints in OpenPose order, without axes of hands or parts."""
    arrays = arrays_from_sequence(tracked.replace(hand_axis=False, part_axis=False))
    kept = {key: arrays[key] for key in arrays if key.startswith("object_") or key in ("fps", "hand_side")}
    return kept | {"hand_joints": joints(tracked, tracked.truth).astype(np.float32)}


@pytest.fixture(scope="module")
def found(given) -> dict:
    return arrays_from_sequence(refine(sequence_from_arrays(**given), None))


def test_arrays_come_out_in_the_order_and_with_the_axes_in_which_they_went_in(given, found):
    assert given.keys() < found.keys()
    for key, value in given.items():
        assert np.shape(found[key]) == np.shape(value)
    for key in given.keys() - {"hand_joints"}:
        np.testing.assert_array_equal(found[key], given[key], err_msg=key)
    assert found["hand_joint_sigma"].shape == (FRAMES, 21)
    # a hand without noise hardly moves; with another joint order the joints would be centimetres apart
    assert mpjpe_mm(found["hand_joints"], given["hand_joints"]) < 8
    # for each joint the nearest input joint is the same joint
    apart = np.linalg.norm(found["hand_joints"][:, :, None] - given["hand_joints"][:, None], axis=-1)
    assert np.mean(apart.mean(axis=0).argmin(axis=1) == np.arange(21)) == 1
    assert given["hand_side"] == found["hand_side"]


def test_sigma_is_in_the_order_of_the_joints(tracked, clean):
    """The standard deviation increases along each finger, from the knuckle to the tip."""
    sigma = np.asarray(clean.hand_joint_sigma)[0].mean(axis=0)
    for root in (5, 9, 13, 17):
        assert np.all(np.diff(sigma[root : root + 4]) > 0)


def test_stages_are_told_in_order(tracked):
    told: list[str] = []
    refine(tracked, progress=told.append)
    assert told == ["object", "hand from parameters", "contact field", "denoiser", "fit"]


def test_many_are_each_as_if_alone(tracked, clean):
    told: list[str] = []
    many = refine_many([tracked, tracked], progress=told.append)
    for repaired in many:
        assert_equal(repaired.hands, clean.hands)
    assert told[0] == "clip 1 of 2: object"
    assert told[-1] == "clip 2 of 2: fit"


def test_many_name_the_clip_that_cannot_be_repaired(tracked, clean, denoiser):
    """A clip whose object has a part without faces is named in the error."""
    part = np.zeros(len(tracked.object_vertices), np.int32)
    part[0] = 1
    many = refine_many([tracked, tracked.replace(object_vertex_part=put(part), source="mine")], denoiser)
    assert_equal(next(many).hands, clean.hands)
    with pytest.raises(InputError, match=r"^clip 2: mine: object_vertex_part: expected faces for each part"):
        next(many)


def test_many_may_share_an_object(tracked, clean, denoiser):
    thicker = sequence_object(tracked.replace(object_vertices=1.1 * tracked.object_vertices))
    (repaired,) = refine_many([tracked], denoiser, object=thicker)
    assert not np.array_equal(repaired.hands.params.transl, clean.hands.params.transl)
    assert_equal(repaired.hands, refine(tracked, denoiser, object=thicker).hands)


def test_objects_are_built_once_for_each_mesh(tracked):
    first = sequence_object(tracked)
    assert sequence_object(tracked.replace(fps=60.0)) is first
    moved = tracked.replace(object_vertices=tracked.object_vertices + 0.001)
    np.testing.assert_allclose(
        sequence_object(moved).samples.points, np.asarray(first.samples.points) + 0.001, atol=1e-4
    )
    assert sequence_object(tracked) is first


def distances(points, vertices, faces) -> np.ndarray:
    mesh = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    return np.sqrt(igl.point_mesh_squared_distance(np.asarray(points, np.float64), *mesh)[0])


def test_the_field_as_plain_arrays(tracked, denoiser):
    """Samples lie on the object, and their correspondences on the hand, by libigl's distances in the world."""
    (field,) = contact_fields(tracked, denoiser)
    (bare,) = contact_fields(tracked, None)
    assert bare.denoised is None
    np.testing.assert_array_equal(bare.mask, field.mask)
    assert field.denoised is not None
    for record in (field, field.denoised):
        for value in vars(record).values():
            assert not isinstance(value, jax.Array)
    hand = pose_hands(tracked, {side: load_hand("open", side) for side in tracked.hand_side})[0]
    rotation, translation = (np.asarray(each)[0] for each in vars(tracked.object_motion).values())
    frame = int(field.mask.sum(axis=1).argmax())
    local = (field.points[frame] - translation[frame]) @ rotation[frame]
    assert distances(local, tracked.object_vertices, tracked.object_faces).max() < 1e-4
    outside = field.mask[frame] & (field.distance[frame] > 0.002)
    assert outside.sum() > 10
    ends = field.points[frame] + field.distance[frame][:, None] * field.normals[frame]
    # the field's hand mesh is coarser than this one
    assert np.median(distances(ends[outside], hand.vertices[frame], hand.faces)) < 0.001
    assert np.all((field.denoised.probability >= 0) & (field.denoised.probability <= 1))
    assert np.all(field.denoised.distance_sigma > 0)
