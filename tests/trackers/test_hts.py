"""Hand Tracking Streamer: logs and lines of the stream, against the SDK's own formulas written out."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading

FLIP = np.array([1.0, -1.0, 1.0])
STEP = 16_666_667


def unity(true):
    """Wrist poses (T, 7) and landmarks (T, 21, 3) in the wrist's frame, in Unity's left-handed axes.

    The SDK converts a pose by S R S with S = diag(1, -1, 1) and a point by S; so the right-handed hand is R' p' + t'.
    """
    turn = Rotation.from_rotvec(true.orient)
    local = np.stack([each.inv().apply(j - j[0]) for each, j in zip(turn, true.joints, strict=True)])
    mirrored = Rotation.from_matrix(np.diag(FLIP) @ turn.as_matrix() @ np.diag(FLIP))
    return np.concatenate([true.joints[:, 0] * FLIP, mirrored.as_quat()], axis=1), local * FLIP


def frame_event(side, pose, points, source, wrist_came, points_came):
    return {
        "event_type": "frame",
        "logged_at_unix_ns": points_came,
        "data": {
            "side": side.title(),
            "frame_id": f"hts_{side}_hand",
            "wrist": dict(zip(("x", "y", "z", "qx", "qy", "qz", "qw"), pose.tolist(), strict=True)),
            "landmarks": {"points": points.tolist()},
            "sequence_id": 0,
            "recv_ts_ns": max(wrist_came, points_came),
            "source_ts_ns": source,
            "wrist_recv_ts_ns": wrist_came,
            "landmarks_recv_ts_ns": points_came,
        },
    }


def events(true, stamped, skip=-1):
    """As the SDK's assembler writes them: with each wrist the landmarks of the frame before, then the right ones."""
    wrists, points = unity(true)
    found, last = [], None
    for t in range(true.n_frames):
        came = 10**12 + STEP * t
        source = 5 * 10**9 + STEP * t if stamped else None
        if t == skip:
            continue
        if last is not None:
            before = 10**12 + STEP * last + 1000
            found.append(frame_event(true.side, wrists[t], points[last], source, came, before))
        last = t
        found.append(frame_event(true.side, wrists[t], points[t], source, came, came + 1000))
    return found


def write_lines(path, content):
    path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in content) + "\n")
    return path


@pytest.mark.parametrize("stamped", [True, False])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_log_of_frames(side, stamped, tmp_path):
    true = clip(side)
    tracked = read_tracked(write_lines(tmp_path / "a.jsonl", events(true, stamped)))
    assert (tracked.format, tracked.sides, tracked.is_world) == ("hts", (side,), True)
    np.testing.assert_allclose(tracked.joints[0], true.joints, atol=1e-9)
    assert tracked.fps == pytest.approx(60, abs=0.01)


def test_two_hands_and_a_lost_frame(tmp_path):
    left, right = clip("left"), clip("right")
    both = sorted(
        [*events(left, True, skip=3), *events(right, True)], key=lambda each: each["data"]["landmarks_recv_ts_ns"]
    )
    packets = [{"event_type": "packet", "packet_type": "wrist", "side": "Left", "data": {}}]
    tracked = read_tracked(write_lines(tmp_path / "a.jsonl", [*packets, *both]))
    assert tracked.sides == ("left", "right")
    np.testing.assert_allclose(tracked.joints[1], right.joints, atol=1e-9)
    kept = np.delete(np.arange(left.n_frames), 3)
    np.testing.assert_allclose(tracked.joints[0, kept], left.joints[kept], atol=1e-9)


def packet_events(true):
    wrists, points = unity(true)
    found = []
    for t in range(true.n_frames):
        pose = dict(zip(("x", "y", "z", "qx", "qy", "qz", "qw"), wrists[t].tolist(), strict=True))
        for kind, data in (("wrist", pose), ("landmarks", {"points": points[t].tolist()})):
            event = {"event_type": "packet", "packet_type": kind, "side": true.side.title(), "data": data}
            found.append({**event, "logged_at_unix_ns": 10**18 + STEP * t})
    return found


def test_a_log_of_packets(tmp_path):
    true = clip("right")
    tracked = read_tracked(write_lines(tmp_path / "a.jsonl", packet_events(true)))
    np.testing.assert_allclose(tracked.joints[0], true.joints, atol=1e-9)


def stream(true, timed=True):
    wrists, points = unity(true)
    lines = []
    for t in range(true.n_frames):
        extra = f" | f={t} | t={STEP * t}" if timed else ""
        for kind, values in (("wrist", wrists[t]), ("landmarks", points[t].ravel())):
            lines.append(f"{true.side.title()} {kind}{extra}:, {', '.join(map(repr, values.tolist()))}")
        lines.append("Head pose:, 0,0,0,0,0,0,1")
    return lines


@pytest.mark.parametrize("timed", [True, False])
def test_lines_of_the_stream(timed, tmp_path):
    left, right = clip("left"), clip("right")
    tracked = read_tracked(write_lines(tmp_path / "a.txt", [*stream(left, timed), *stream(right, timed)]))
    assert tracked.sides == ("left", "right")
    np.testing.assert_allclose(tracked.joints, np.stack([left.joints, right.joints]), atol=1e-9)
    assert tracked.fps == (pytest.approx(60, abs=0.01) if timed else None)


def test_faults(tmp_path):
    true = clip("right")
    lines = stream(true, timed=False)
    cases = {
        "as many of each hand, as the lines have no times": [*lines, *stream(clip("left"), timed=False)[:-3]],
        "wrist: expected a quaternion of length 1": [lines[0].rpartition(",")[0] + ", 7", *lines[1:]],
        "7 or 63 numbers": [lines[0], lines[1] + ", 1"],
        "numbers with commas between": [lines[0], lines[1] + "up"],
        "a hand with its wrist and landmarks": lines[:1] * 2,
    }
    for message, content in cases.items():
        with pytest.raises(InputError, match=message):
            read_tracked(write_lines(tmp_path / "a.txt", content))
    event = events(true, True)[0]
    event["data"]["side"] = "Both"
    with pytest.raises(InputError, match="side: expected Left or Right, found Both"):
        read_tracked(write_lines(tmp_path / "a.jsonl", [event, event]), Reading())
