"""Batches of two hands on a hinged box and of one hand on a rigid box: windows agree with the clips."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import cKDTree
from support.plain import plain_jit
from support.tiny_run import EXPERIMENT, HAND
from support.toy import toy_sequences
from support.two_hands import two_handed

from toch_jax.denoiser.window import DenoiserConfig, Target, Window
from toch_jax.field.contact_field import contact_field
from toch_jax.hand.files import load_hand
from toch_jax.hand.mesh import close_surface, closed_faces
from toch_jax.hand.model import HandModel, skin_frames
from toch_jax.object.build import build_object
from toch_jax.object.model import ObjectModel
from toch_jax.perturb.training import NoiseConfig
from toch_jax.sequence.mirror import mirror, mirror_points
from toch_jax.sequence.types import Sequence
from toch_jax.track.tracked_hand import coarse_hand
from toch_jax.training.batches import BatchConfig, Scenes, draw_scenes, track, vary
from toch_jax.training.clips import Clips, build_clips
from toch_jax.training.loop import read_metrics, train

FRAMES, SAMPLES = 8, 1200
SHORT = 6
"""Number of frames of the clip of one hand, less than a window."""
CONFIG = BatchConfig(batch=6, window=FRAMES, samples=400)
STILL = NoiseConfig(
    translation=0.0,
    rotation=0.0,
    pose=0.0,
    shape=0.0,
    gap=0.0,
    dropout=0.0,
    sway=(0.0, 0.0, 0.0),
    object_share=0.0,
)
TRACKED = DenoiserConfig(smoothed=False)
LEFT, RIGHT, ALONE = 0, 1, 2
"""Indices of the windows: the left hand on the box, the right one on its lid, one hand on a rigid box."""


@pytest.fixture(scope="module")
def sequence() -> Sequence:
    """A two-handed clip in which the lid opens."""
    return two_handed().frames(10, 10 + FRAMES)


@pytest.fixture(scope="module")
def clips(sequence: Sequence) -> Clips:
    return build_clips([("box", sequence), *toy_sequences(1, SHORT)], HAND, FRAMES, SAMPLES)


@pytest.fixture(scope="module")
def surface() -> HandModel:
    return coarse_hand("open", "right")


@pytest.fixture(scope="module")
def scenes(clips: Clips) -> Scenes:
    """The scenes of all windows, each twice."""
    found: dict[int, Scenes] = {}
    for seed in range(20):
        drawn = draw_scenes(jax.random.key(seed), clips, replace(CONFIG, batch=1))
        kind = ALONE if not drawn.two_handed[0] else LEFT if drawn.left[0] else RIGHT
        found.setdefault(kind, drawn)
    twice = [found[kind] for kind in (LEFT, RIGHT, ALONE)] * 2
    return jax.tree.map(lambda *leaves: jnp.asarray(np.concatenate(leaves)), *twice)


@pytest.fixture(scope="module")
def batch(scenes: Scenes, surface: HandModel) -> tuple[Window, Target]:
    """The batch with windows tracked without error."""
    return track(jax.random.key(0), scenes, surface, CONFIG, STILL, TRACKED)


def test_without_noise_the_window_is_its_target(batch: tuple[Window, Target]) -> None:
    window, target = batch
    # in padding nothing is observed
    lengths = np.array([FRAMES, FRAMES, SHORT] * 2)
    np.testing.assert_array_equal(target.frame_mask, np.arange(FRAMES) < lengths[:, None])
    np.testing.assert_array_equal(window.observed, target.frame_mask)
    np.testing.assert_allclose(window.joints, target.joints, atol=1e-5)
    frame_mask = np.asarray(target.frame_mask)
    assert target.field.mask.any(axis=(1, 2)).all()
    np.testing.assert_array_equal(window.field.mask[frame_mask], target.field.mask[frame_mask])
    np.testing.assert_allclose(window.field.distance[frame_mask], target.field.distance[frame_mask], atol=1e-4)


@pytest.mark.slow
def test_sway_moves_the_window_and_its_target_alike(
    scenes: Scenes, surface: HandModel, batch: tuple[Window, Target]
) -> None:
    noise = replace(STILL, sway=NoiseConfig().sway)
    window, target = track(jax.random.key(0), scenes, surface, CONFIG, noise, TRACKED)
    np.testing.assert_allclose(window.joints, target.joints, atol=1e-5)
    assert np.abs(np.asarray(target.joints - batch[1].joints)).max() > 1e-3


@pytest.mark.slow
def test_a_wrong_pose_of_the_object_moves_the_window_alone(
    scenes: Scenes, surface: HandModel, batch: tuple[Window, Target]
) -> None:
    """Seen from the wrong pose, the hands and the handled part move as one rigid body against the rest."""
    noise = replace(STILL, object_share=1.0, object_pose=(0.005, 0.05))
    window, target = track(jax.random.key(0), scenes, surface, CONFIG, noise, TRACKED)
    exact, true = batch
    np.testing.assert_allclose(target.joints, true.joints, atol=1e-6)
    off = np.asarray(window.joints - target.joints)
    assert 0.002 < np.sqrt((off**2).mean()) < 0.02
    # an error of the pose in each frame, the same for both hands: their distances stay
    hands = [np.concatenate([each.joints, each.other.joints], axis=2)[:2] for each in (window, exact)]
    apart = [np.linalg.norm(each[:, :, :, None] - each[:, :, None], axis=-1) for each in hands]
    np.testing.assert_allclose(*apart, atol=1e-4)
    # samples of the handled part rest; those of the lid have errors of their own, and the field is that of this scene
    for hand in (LEFT, RIGHT, ALONE):
        own = np.asarray(window.own[hand])
        assert np.ptp(np.asarray(window.points[hand])[:, own], axis=0).max() < 1e-5
        if hand != ALONE:
            assert np.asarray(window.points[hand])[:, ~own].std(axis=0).max() > 0.001
        both = np.asarray(window.field.mask[hand] & target.field.mask[hand])
        assert both.sum() > 20
        assert np.abs(np.asarray(window.field.distance - target.field.distance)[hand][both]).mean() > 5e-4


def test_a_step_is_decided_by_its_key(clips: Clips, surface: HandModel) -> None:
    def drawn(seed: int) -> Window:
        key = jax.random.key(seed)
        return track(key, draw_scenes(key, clips, CONFIG), surface, CONFIG, STILL, TRACKED)[0]

    one, again, other = (drawn(seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.field.distance, again.field.distance)
    assert not np.array_equal(one.joints, other.joints)


def varied(batch: tuple[Window, Target], seed: int, growth: float) -> tuple[Window, Target]:
    config = replace(CONFIG, growth=growth)
    return plain_jit(lambda key, window, target: vary(key, window, target, config), jax.random.key(seed), *batch)


def test_varied_scenes_are_the_same_scenes(batch: tuple[Window, Target]) -> None:
    """Rotated, scaled and possibly reversed: distances from joints to correspondences change by the scale only."""
    window, target = batch
    new_window, new_target = varied(batch, 3, growth=0.1)
    assert not np.allclose(new_window.points, window.points)

    def ends_from_joints(window: Window, target: Target) -> np.ndarray:
        ends = np.asarray(window.points + target.field.distance[..., None] * window.normals)
        away = np.linalg.norm(ends[:, :, :, None] - np.asarray(target.joints)[:, :, None], axis=-1)
        return np.where(np.asarray(target.frame_mask)[..., None, None], away, 0.0)

    before, after = ends_from_joints(window, target), ends_from_joints(new_window, new_target)
    for b in range(CONFIG.batch):
        factor = after[b].sum() / before[b].sum()
        assert min(np.abs(after[b] - factor * way).max() for way in (before[b], before[b, ::-1])) < 1e-4
        assert 0.9 <= factor <= 1.1


def seen_right(sequence: Sequence, hand: int) -> Sequence:
    return mirror(sequence) if sequence.hand_side[hand] == "left" else sequence


def road_object(sequence: Sequence) -> ObjectModel:
    """The object as the pipeline builds it, with another number of samples."""
    mesh = (sequence.object_vertices, sequence.object_faces, sequence.object_vertex_part)
    return build_object(*(np.asarray(each) for each in mesh), n_samples=SAMPLES)


def posed(sequence: Sequence, object: ObjectModel, own: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and normals of all samples in the frame of the part `own`: x -> R'(R_p x + t_p - t), in each frame."""
    rotation, translation = (np.asarray(each, np.float64) for each in vars(sequence.object_motion).values())
    part = np.asarray(object.samples.part)
    world = np.einsum("ntab,nb->tna", rotation[part], np.asarray(object.samples.points)) + translation[part].swapaxes(
        0, 1
    )
    normals = np.einsum("ntab,nb->tna", rotation[part], np.asarray(object.samples.normals))
    back = np.einsum("tba,tnb->tna", rotation[own], world - translation[own][:, None])
    return back, np.einsum("tba,tnb->tna", rotation[own], normals)


@pytest.mark.parametrize("hand", [LEFT, RIGHT])
def test_samples_of_all_parts_are_where_they_are_in_each_frame(
    sequence: Sequence, batch: tuple[Window, Target], hand: int
) -> None:
    right = seen_right(sequence, hand)
    object = road_object(right)
    points, normals = posed(right, object, own=hand)
    window, _ = batch
    away, chosen = cKDTree(points[0]).query(np.asarray(window.points[hand, 0]))
    assert away.max() < 1e-5
    np.testing.assert_allclose(window.points[hand], points[:, chosen], atol=1e-5)
    np.testing.assert_allclose(window.normals[hand], normals[:, chosen], atol=1e-5)
    own = np.asarray(object.samples.part)[chosen] == hand
    np.testing.assert_array_equal(window.own[hand], own)
    assert 20 < own.sum() < CONFIG.samples - 20
    assert np.ptp(np.asarray(window.points[hand])[:, ~own], axis=0).max() > 0.01


@pytest.mark.parametrize("hand", [LEFT, pytest.param(RIGHT, marks=pytest.mark.slow)])
def test_fields_are_those_of_the_road(
    sequence: Sequence, batch: tuple[Window, Target], surface: HandModel, hand: int
) -> None:
    """Against the pipeline's field, computed in the world with the sequence's parts and hands."""
    right = seen_right(sequence, hand)
    object = road_object(right)
    window, target = batch
    chosen = jnp.asarray(cKDTree(posed(right, object, own=hand)[0][0]).query(np.asarray(window.points[hand, 0]))[1])
    near = object.replace(samples=object.samples.take(chosen))
    assert right.hands.params is not None
    skin = skin_frames(surface, jax.tree.map(lambda leaf: leaf[hand], right.hands.params))[0]
    road = contact_field(
        close_surface(surface, skin),
        closed_faces(surface),
        close_surface(surface, surface.v_template),
        near,
        right.object_motion,
        CONFIG.reach,
    )
    for field in (window.field, target.field):
        ours = jax.tree.map(lambda leaf: leaf[hand], field)
        both = np.asarray(ours.mask & road.mask)
        own = np.broadcast_to(window.own[hand], both.shape)
        assert both[own].sum() > 100
        # with half as many grid nodes some lines at the edges of a wall are not occluded
        assert (np.asarray(ours.mask) == np.asarray(road.mask)).mean() > 0.995
        np.testing.assert_allclose(np.asarray(ours.distance)[both], np.asarray(road.distance)[both], atol=2e-4)
    # an occluded sample has no field, though the hand is along its normal
    alone = contact_field(
        close_surface(surface, skin),
        closed_faces(surface),
        close_surface(surface, surface.v_template),
        near.replace(grid=object.grid.replace(distance=jnp.ones_like(object.grid.distance))),
        right.object_motion,
        CONFIG.reach,
    )
    hidden = np.asarray(alone.mask & ~road.mask)
    if hand == RIGHT:
        assert hidden.sum() > 5
        assert np.asarray(target.field.mask[hand])[hidden].mean() < 0.2


def test_the_other_hand_is_where_it_was(sequence: Sequence, batch: tuple[Window, Target]) -> None:
    window, _ = batch
    assert sequence.hands.params is not None
    rotation, translation = (np.asarray(each) for each in vars(sequence.object_motion).values())
    for hand, other, side in ((LEFT, RIGHT, "right"), (RIGHT, LEFT, "left")):
        params = jax.tree.map(lambda leaf, other=other: leaf[other], sequence.hands.params)
        world = np.asarray(skin_frames(load_hand("open", side), params)[1])
        there = np.einsum("tba,tjb->tja", rotation[hand], world - translation[hand][:, None])
        there = np.asarray(mirror_points(jnp.asarray(there))) if side == "right" else there
        # tips are those of the coarser hand model
        np.testing.assert_allclose(window.other.joints[hand, :, :16], there[:, :16], atol=1e-4)
        assert np.abs(np.asarray(window.other.joints[hand]) - there).max() < 0.005


def test_windows_say_which_hand_they_are_of(batch: tuple[Window, Target]) -> None:
    window, _ = batch
    np.testing.assert_array_equal(window.left[:3], [True, False, False])
    np.testing.assert_array_equal(window.two_handed[:3], [True, True, False])
    np.testing.assert_array_equal(window.other.observed[:3].all(axis=1), [True, True, False])
    assert not window.other.observed[ALONE].any()
    # all samples of the rigid box belong to the hand's own part, and are at rest
    assert window.own[ALONE].all()
    assert np.ptp(np.asarray(window.points[ALONE]), axis=0).max() < 1e-6


@pytest.mark.slow
def test_each_hand_has_noise_of_its_own(scenes: Scenes, surface: HandModel, batch: tuple[Window, Target]) -> None:
    noise = NoiseConfig(absent=0.0, pose=0.0, rotation=0.0, slow=0.0, shape=0.0, sway=(0.0, 0.0, 0.0), object_share=0.0)
    window, target = track(jax.random.key(1), scenes, surface, CONFIG, noise, TRACKED)
    hands = jnp.asarray([LEFT, RIGHT, LEFT + 3, RIGHT + 3])
    off = np.asarray(window.tracked - target.joints)[hands].mean(axis=2)
    other_off = np.asarray(window.other.joints - batch[0].other.joints)[hands].mean(axis=2)
    assert 0.001 < np.abs(other_off).mean() < 0.02
    shared = (off * other_off).sum() / np.sqrt((off**2).sum() * (other_off**2).sum())
    assert abs(shared) < 0.4


def test_what_is_played_backwards_is_so_with_all_that_moves(batch: tuple[Window, Target]) -> None:
    played, _ = varied(batch, 0, growth=0.0)

    def away(window: Window) -> np.ndarray:
        """Distances from the wrist to the other wrist and to each sample, in each frame."""
        wrist = np.asarray(window.joints)[:, :, :1]
        points = np.concatenate([np.asarray(window.points), np.asarray(window.other.joints)[:, :, :1]], axis=2)
        return np.linalg.norm(points - wrist, axis=-1)[:2]

    before, after = away(batch[0]), away(played)
    for b in range(2):
        assert min(np.abs(way - after[b]).max() for way in (before[b], before[b, ::-1])) < 1e-5


@pytest.mark.slow
def test_rigid_and_hinged_clips_are_learnt_from_together(sequence: Sequence, tmp_path: Path) -> None:
    clips = build_clips([("box", sequence), *toy_sequences(1, FRAMES)], HAND, FRAMES, 128)
    experiment = replace(EXPERIMENT, steps=3, validate_every=3, validation_batches=1)
    result = train(experiment, tmp_path / "run", clips, clips, HAND)
    assert np.isfinite(result["joints_mm"])
    losses = [line["loss"] for line in read_metrics(tmp_path / "run" / "metrics.jsonl") if "loss" in line]
    assert len(losses) == 3
    assert np.isfinite(losses).all()
