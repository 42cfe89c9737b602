"""Tracks at other times than those of their stamps, against closed forms."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp
from support import tracker_files as written
from support.tracker_clip import clip

from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.resampling import between, evened, points_at, poses_at, turns_at
from toch_jax.trackers.tracked import ManoTrack, Tracked

STAMPS = np.array([0.0, 0.03, 0.05, 0.11, 0.14, 0.15])
TIMES = np.array([-0.01, 0.0, 0.02, 0.05, 0.08, 0.145, 0.2])
WITHIN = slice(1, 6)


def test_points_on_a_line_stay_on_it():
    values = np.stack([3 * STAMPS + 1, -2 * STAMPS], axis=1)[None]
    found = points_at(between(STAMPS, TIMES), values, 1)
    np.testing.assert_allclose(found[0, WITHIN], np.stack([3 * TIMES + 1, -2 * TIMES], axis=1)[WITHIN])
    assert np.isnan(found[0, [0, 6]]).all()


def test_rotations_are_those_of_scipys_slerp():
    turns = Rotation.random(12, rng=np.random.default_rng(1))
    vectors = turns.as_rotvec().reshape(2, 6, 3)
    found = turns_at(between(STAMPS, TIMES), vectors, 1)
    for each, track in zip(found, vectors, strict=True):
        expected = Slerp(STAMPS, Rotation.from_rotvec(track))(TIMES[WITHIN])
        off = expected.inv() * Rotation.from_rotvec(each[WITHIN])
        np.testing.assert_allclose(off.magnitude(), 0, atol=1e-7)
    several = turns_at(between(STAMPS, TIMES), vectors.reshape(1, 6, 6), 1)
    assert several.shape == (1, 7, 6)


def test_poses_of_several_parts():
    poses = np.tile(np.eye(4), (2, 6, 1, 1))
    poses[..., :3, :3] = Rotation.from_rotvec(STAMPS[:, None] * [0, 0, 4.0]).as_matrix()
    poses[1, :, 0, 3] = STAMPS
    found = poses_at(between(STAMPS, TIMES), poses)
    expected = Rotation.from_rotvec(TIMES[WITHIN, None] * [0, 0, 4.0]).as_matrix()
    np.testing.assert_allclose(found[:, WITHIN, :3, :3], np.stack([expected] * 2), atol=1e-9)
    np.testing.assert_allclose(found[1, WITHIN, 0, 3], TIMES[WITHIN], atol=1e-12)


def test_gaps_and_lost_frames_are_not_filled():
    stamps = np.array([0.0, 0.02, 0.04, 0.4, 0.42])
    values = stamps[None, :, None].copy()
    values[0, 1] = np.nan
    found = points_at(between(stamps, np.array([0.0, 0.01, 0.03, 0.04, 0.2, 0.4, 0.41])), values, 1)[0, :, 0]
    np.testing.assert_allclose(found, [0.0, np.nan, np.nan, 0.04, np.nan, 0.4, 0.41])


def test_a_whole_track():
    """All that a track has is at the same times; even stamps change nothing."""
    count = len(STAMPS)
    line = STAMPS[None, :, None]
    mano = ManoTrack(line * [1.0, 0, 0], np.tile(line, 45), line * [1.0, 2, 3], np.tile(line, 10))
    tracked = Tracked("x", ("left",), joints=np.ones((1, count, 21, 3)) * line[..., None], mano=mano, fps=40.0)
    poses = np.tile(np.eye(4), (count, 1, 1))
    assert evened(tracked, poses) == (tracked, poses)
    uneven = Tracked(**{**vars(tracked), "seconds": STAMPS, "numbers": np.arange(count)})
    found, moved = evened(uneven, poses)
    times = np.arange(7) / 40
    assert (found.n_frames, found.numbers, found.seconds, len(moved)) == (7, None, None, 7)
    for value in (found.joints[0, :, 3, 1], found.mano.global_orient[0, :, 0], found.mano.pose[0, :, 7]):
        np.testing.assert_allclose(value, times, atol=1e-9)
    np.testing.assert_allclose(found.mano.transl[0], times[:, None] * [1.0, 2, 3])
    np.testing.assert_allclose(found.mano.betas[0, :, 2], times)


def uneven_leap(tmp_path, seconds):
    frames = written.leap_frames(clip("left"), clip("right"), lost=-1)
    for frame, second in zip(frames[1:], seconds, strict=True):
        frame["timestamp"] = round(1e6 * second)
    (tmp_path / "a.json").write_text(json.dumps(frames))
    return tmp_path / "a.json"


def uneven_mediapipe(tmp_path, seconds):
    frames = written.mediapipe_frames(clip("left"), lost=-1)
    for frame, second in zip(frames, seconds, strict=True):
        frame["timestamp_ms"] = 1e3 * second
    (tmp_path / "a.json").write_text(json.dumps(frames))
    return tmp_path / "a.json"


def uneven_aria(tmp_path, seconds):
    path, _ = written.write_aria(tmp_path, clip("left"), missing=-1, trajectory=False)
    header, *lines = path.read_text().splitlines()
    stamped = [f"{1e6 * second:.0f},{line.partition(',')[2]}" for line, second in zip(lines, seconds, strict=True)]
    path.write_text("\n".join([header, *stamped]))
    return path


@pytest.mark.parametrize("write", [uneven_leap, uneven_mediapipe, uneven_aria])
def test_the_stamps_of_each_format(write, tmp_path):
    """A frame for each uneven stamp, at its own time."""
    seconds = 5 + np.cumsum(np.random.default_rng(2).uniform(0.02, 0.05, clip("left").n_frames)).round(6)
    camera = written.write_camera(tmp_path)
    tracked = read_tracked(write(tmp_path, seconds), Reading(camera=str(camera)))
    np.testing.assert_allclose(tracked.seconds, seconds, atol=1e-6)
    assert tracked.n_frames == len(seconds)
    found, _ = evened(tracked, np.tile(np.eye(4), (len(seconds), 1, 1)))
    assert found.n_frames == int((seconds[-1] - seconds[0]) * tracked.fps + 1e-3) + 1
    assert np.isfinite(found.joints[0][:, 5:]).all()
