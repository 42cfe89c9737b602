"""Sequences whose object is tracked with noise or gaps: exact poses that are kept, lost ones, and the hand's repair."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from toch_jax.base.arrays import put
from toch_jax.object.model import ObjectMotion
from toch_jax.pipeline import refine, refine_many
from toch_jax.sequence.file import load_sequence, save_sequence
from toch_jax.sequence.mirror import mirror
from toch_jax.sequence.types import Sequence
from toch_jax.track.object_with_hands import with_repaired_object
from toch_jax.track.registered_hand import registered_hands
from toch_jax.track.rigid_motion import NearHand, PartMotion, RigidTrack

METRES, RADIANS = 0.005, 0.05


@pytest.fixture(scope="module")
def clip(example_file) -> Sequence:
    """An exact hand that comes to an object and holds it."""
    clip = load_sequence(example_file)
    return clip.replace(hands=clip.truth, truth=None, hand_valid=jnp.ones_like(clip.hand_valid), notes=())


def shaken(clip: Sequence, seed: int = 0) -> Sequence:
    """The clip with noise on the poses of all parts."""
    rng = np.random.default_rng(seed)
    motion = clip.object_motion
    shape = motion.translation.shape
    turn = Rotation.from_rotvec(RADIANS * rng.normal(size=(shape[0] * shape[1], 3))).as_matrix().reshape(*shape, 3)
    return clip.replace(
        object_motion=ObjectMotion(
            rotation=put(np.asarray(motion.rotation) @ turn, np.float32),
            translation=put(np.asarray(motion.translation) + METRES * rng.normal(size=shape), np.float32),
        )
    )


def repaired(clip: Sequence) -> Sequence:
    return with_repaired_object(clip, registered_hands(clip))


def test_an_exact_object_stays_bit_for_bit(clip: Sequence) -> None:
    found = repaired(clip)
    for new, old in zip(jax.tree.leaves(found.object_motion), jax.tree.leaves(clip.object_motion), strict=True):
        np.testing.assert_array_equal(new, old)
    assert found.object_pose_sigma is None
    assert found.notes == ()


def test_a_shaking_part_is_smoothed_and_an_exact_one_beside_it_is_not(clip: Sequence) -> None:
    """A second, exact part is the same shape 0.5 m away."""
    count = len(clip.object_vertices)
    noisy = shaken(clip)
    moved = clip.object_motion.replace(translation=clip.object_motion.translation + 0.5)
    two = clip.replace(
        object_vertices=jnp.concatenate([clip.object_vertices] * 2),
        object_faces=jnp.concatenate([clip.object_faces, clip.object_faces + count]),
        object_vertex_part=put(np.repeat([0, 1], count).astype(np.int32)),
        object_motion=jax.tree.map(lambda *leaves: jnp.concatenate(leaves), noisy.object_motion, moved),
    )
    found, alone = repaired(two), repaired(noisy)
    np.testing.assert_array_equal(found.object_motion.translation[1], moved.translation[0])
    np.testing.assert_array_equal(found.object_motion.translation[0], alone.object_motion.translation[0])
    error, given = (
        np.linalg.norm(np.asarray(each.object_motion.translation - clip.object_motion.translation), axis=-1).mean()
        for each in (alone, noisy)
    )
    assert error < 0.5 * given
    sigma = np.asarray(alone.object_pose_sigma)
    assert np.median(sigma[0, :, :3]) < RADIANS / 2
    assert np.median(sigma[0, :, 3:]) < METRES
    assert sigma.min() > 0
    assert found.notes[0].startswith("object, part 0: its tracked pose shakes by ")


def test_a_part_that_would_shake_more_stays_as_tracked(clip: Sequence, monkeypatch: pytest.MonkeyPatch) -> None:
    def worse(part: RigidTrack, hands: list[NearHand], fps: float) -> PartMotion:
        noise = np.random.default_rng(1).normal(0, 2 * METRES, part.position.shape)
        return PartMotion(part.position + noise, part.rotation, np.tile(np.eye(6), (len(noise), 1, 1)))

    noisy = shaken(clip).replace(object_valid=put(np.arange(clip.n_frames)[None] != 40))
    monkeypatch.setattr("toch_jax.track.object_with_hands.move_together", worse)
    found = repaired(noisy)
    changed = (np.asarray(found.object_motion.translation) != np.asarray(noisy.object_motion.translation)).any(axis=-1)
    np.testing.assert_array_equal(np.flatnonzero(changed[0]), [40])
    assert found.notes == ("object: its repaired pose would shake more than the tracked one: left as tracked",)


def test_lost_poses_of_an_exact_object_are_filled_and_the_others_stay(clip: Sequence) -> None:
    lost = np.zeros((1, clip.n_frames), bool)
    lost[0, 30:36] = True
    translation = np.array(clip.object_motion.translation)
    translation[lost] += 0.02
    given = clip.replace(
        object_motion=clip.object_motion.replace(translation=put(translation)), object_valid=put(~lost)
    )
    found = repaired(given)
    np.testing.assert_array_equal(
        np.asarray(found.object_motion.translation)[~lost], np.asarray(clip.object_motion.translation)[~lost]
    )
    off = np.linalg.norm(np.asarray(found.object_motion.translation - clip.object_motion.translation), axis=-1)
    assert off[lost].max() < 0.005
    sigma = np.asarray(found.object_pose_sigma)
    assert (sigma[lost] > 0).all()
    assert not sigma[~lost].any()
    assert sigma[0, 33, 3:].mean() > sigma[0, 30, 3:].mean()
    assert found.object_valid is None


def test_a_mirrored_clip_has_the_mirrored_motion(clip: Sequence) -> None:
    noisy = shaken(clip)
    here, there = repaired(noisy), repaired(mirror(noisy))
    back = mirror(there).object_motion
    np.testing.assert_allclose(back.translation, here.object_motion.translation, atol=1e-5)
    np.testing.assert_allclose(back.rotation, here.object_motion.rotation, atol=1e-4)
    np.testing.assert_allclose(there.object_pose_sigma, here.object_pose_sigma, atol=1e-5)


def test_a_shaking_object_does_not_shake_the_hand(clip: Sequence, tmp_path) -> None:
    """An exact hand on an object with noise of 3 degrees and 5 mm: the hand's acceleration, and the written file."""
    given = shaken(clip.frames(28, 44), seed=1)
    clean = refine(given, None)
    assert any("shakes" in note for note in clean.notes)

    def roughness(sequence: Sequence) -> float:
        middle = np.asarray(sequence.object_motion.translation[0])
        return float(np.linalg.norm(np.diff(middle, n=2, axis=0), axis=1).mean())

    assert roughness(clean) < 0.3 * roughness(given)
    save_sequence(tmp_path / "given.npz", given)
    save_sequence(tmp_path / "clean.npz", clean, keep=tmp_path / "given.npz")
    written = load_sequence(tmp_path / "clean.npz")
    np.testing.assert_allclose(written.object_motion.translation, clean.object_motion.translation, atol=1e-6)
    np.testing.assert_array_equal(written.object_pose_sigma, clean.object_pose_sigma)
    (kept,) = refine_many([given], None, keep_object=True)
    np.testing.assert_array_equal(kept.object_motion.translation, given.object_motion.translation)
    assert kept.object_pose_sigma is None
    joints = np.asarray(clean.hands.joints[0])
    assert np.linalg.norm(np.diff(joints, n=2, axis=0), axis=-1).mean() < 0.004
