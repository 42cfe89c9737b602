"""Hand Tracking Streamer of Meta Quest: a log of its Python SDK, or the lines of its stream.

A log (examples/log_to_jsonl.py of wengmister/hand-tracking-sdk) has a line of JSON for each event: event_type "frame"
with data {side "Left" or "Right", wrist {x, y, z, qx, qy, qz, qw}, landmarks {points (21, 3)}, source_ts_ns,
wrist_recv_ts_ns, landmarks_recv_ts_ns}, or "packet" with packet_type "wrist" or "landmarks", side, data,
logged_at_unix_ns. The stream's own lines (src/hand_tracking_sdk/parser.py) are "Right wrist: x, y, z, qx, qy, qz, qw"
and "Right landmarks: 63 numbers", with "| f=12 | t=NANOSECONDS" before the colon or not.

Landmarks are metres in the wrist's frame, in OpenPose's order; both are in Unity's left-handed axes. They are turned
and moved by the wrist's pose, then y is flipped, which makes them right-handed as in the SDK's convert.py: x right, y
down, z forward. The SDK writes a frame when the wrist comes and another when the landmarks come: of those with the same
landmarks, the one is read whose wrist came at nearly the same time.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.resampling import between, points_at
from toch_jax.trackers.source import Source, Table, array, need
from toch_jax.trackers.stamps import on_grid
from toch_jax.trackers.tracked import Tracked

TO_RIGHT_HANDED = np.array([1.0, -1.0, 1.0])
"""Multiplies a point in Unity's axes."""
_LINE = re.compile(r"\s*(Left|Right) (wrist|landmarks)\s*(?:\|([^:]*))?:(.*)")
_WRIST = ("x", "y", "z", "qx", "qy", "qz", "qw")
SIDES: tuple[Side, Side] = ("left", "right")


class _Seen(NamedTuple):
    """One hand at one time."""

    seconds: float | None
    joints: Float[np.ndarray, "21 3"]


def _is_event(value: Any) -> bool:
    return isinstance(value, dict) and value.get("event_type") in ("frame", "packet") and "data" in value


def _lines(content: Any) -> list[str]:
    """The lines of a text; the first of the stream's looks like the names of a table."""
    if isinstance(content, Table):
        return content.text.splitlines()
    return [line for line in content if isinstance(line, str)] if isinstance(content, list) else []


def fits(source: Source) -> bool:
    content = source.content
    if source.is_folder:
        return False
    if isinstance(content, Table):
        return bool(_LINE.match(content.text[: content.text.find("\n")]))
    if isinstance(content, dict):
        return _is_event(content)
    return isinstance(content, list) and any(
        _is_event(each) or (isinstance(each, str) and _LINE.match(each)) for each in content[:100]
    )


def read(source: Source, reading: Reading) -> Tracked:
    """The hands in the world of the headset. Raises InputError."""
    where = source.path
    content = [source.content] if isinstance(source.content, dict) else source.content
    events = [each for each in content if _is_event(each)] if isinstance(content, list) else []
    frames = [each["data"] for each in events if each["event_type"] == "frame"]
    seen = _from_frames(source, frames) if frames else _from_packets(source, _packets(source, events))
    tracks = {side: seen[side] for side in SIDES if seen[side]}
    if not tracks:
        raise bad_input(where, "landmarks", "a hand with its wrist and landmarks", "none")
    said = ("y flipped to a right-handed frame, as by the SDK's convert.py",)
    if any(each.seconds is None for track in tracks.values() for each in track):
        counts = {side: len(track) for side, track in tracks.items()}
        if len(set(counts.values())) > 1:
            found = ", ".join(f"{side} {count}" for side, count in counts.items())
            raise bad_input(where, "frames", "as many of each hand, as the lines have no times (t=)", found)
        joints = np.stack([[each.joints for each in track] for track in tracks.values()])
        return Tracked("hts", tuple(tracks), joints, is_world=True, said=said)
    times = {side: np.array([each.seconds for each in track], np.float64) for side, track in tracks.items()}
    first = max(tracks, key=lambda side: len(tracks[side]))
    index, fps, gaps, clock = on_grid(where, times[first])
    joints = np.full((len(tracks), len(clock), 21, 3), np.nan)
    for hand, (side, track) in enumerate(tracks.items()):
        points = np.stack([each.joints for each in track])
        if side == first:
            joints[hand, index] = points
        elif len(points) > 1:
            on_grid(where, times[side])
            joints[hand] = points_at(between(times[side], clock), points, 0)
    return Tracked("hts", tuple(tracks), joints, is_world=True, fps=fps, seconds=clock, said=(*said, *gaps))


def _side(source: Source, word: Any) -> Side:
    if word not in ("Left", "Right"):
        raise bad_input(source.path, "side", "Left or Right", str(word))
    return "left" if word == "Left" else "right"


def _placed(wrist: Float[np.ndarray, "7"], points: Float[np.ndarray, "21 3"]) -> Float[np.ndarray, "21 3"]:
    """Landmarks in the world, right-handed."""
    return (Rotation.from_quat(wrist[3:]).apply(points) + wrist[:3]) * TO_RIGHT_HANDED


def _pose(source: Source, record: Any) -> Float[np.ndarray, "7"]:
    found = array(source.path, "wrist", [need(source.path, record, key) for key in _WRIST], "7")
    if abs(np.linalg.norm(found[3:]) - 1) > 0.01:
        raise bad_input(source.path, "wrist", "a quaternion of length 1", f"{np.linalg.norm(found[3:]):.3g}")
    return found


def _from_frames(source: Source, frames: list[Any]) -> dict[Side, list[_Seen]]:
    where = source.path
    kept: dict[Side, dict[int, tuple[int, _Seen]]] = {"left": {}, "right": {}}
    for frame in frames:
        own = kept[_side(source, need(where, frame, "side"))]
        came = int(need(where, frame, "landmarks_recv_ts_ns"))
        apart = abs(int(need(where, frame, "wrist_recv_ts_ns")) - came)
        if came in own and own[came][0] <= apart:
            continue
        points = array(where, "landmarks", need(where, need(where, frame, "landmarks"), "points"), "21 3")
        stamp = frame.get("source_ts_ns")
        seconds = 1e-9 * (came if stamp is None else int(stamp))
        own[came] = apart, _Seen(seconds, _placed(_pose(source, need(where, frame, "wrist")), points))
    return {side: [seen for _, seen in each.values()] for side, each in kept.items()}


def _packets(source: Source, events: list[Any]) -> Iterator[tuple[Side, str, float | None, Any]]:
    """Side, kind, time and data of each packet, of a log or of the stream's lines."""
    for event in events:
        stamp = event.get("logged_at_unix_ns")
        seconds = None if stamp is None else 1e-9 * int(stamp)
        kind, data = event.get("packet_type"), event["data"]
        value = _pose(source, data) if kind == "wrist" else need(source.path, data, "points")
        yield _side(source, event.get("side")), str(kind), seconds, value
    for line in _lines(source.content) if not events else ():
        found = _LINE.match(line)
        if found is None:
            continue  # head poses, and what the stream says besides
        side, kind, extra, numbers = found.groups()
        stamp = re.search(r"\b(?:t|ts|timestamp)\s*=\s*(\d+)", extra or "")
        try:
            values = np.array(json.loads(f"[{numbers.strip().strip(',')}]"), np.float64)
        except ValueError:
            raise bad_input(source.path, line[:20], "numbers with commas between", numbers) from None
        if values.shape != ((7,) if kind == "wrist" else (63,)):
            raise bad_input(source.path, f"{side} {kind}", "7 or 63 numbers", str(values.shape))
        data = dict(zip(_WRIST, values.tolist(), strict=True)) if kind == "wrist" else values.reshape(21, 3)
        seconds = 1e-9 * int(stamp.group(1)) if stamp else None
        yield _side(source, side), kind, seconds, _pose(source, data) if kind == "wrist" else data


def _from_packets(source: Source, packets: Iterator[tuple[Side, str, float | None, Any]]) -> dict[Side, list[_Seen]]:
    """Landmarks with the last wrist that came before them."""
    wrists: dict[Side, Float[np.ndarray, "7"]] = {}
    seen: dict[Side, list[_Seen]] = {"left": [], "right": []}
    for side, kind, seconds, value in packets:
        if kind == "wrist":
            wrists[side] = value
        elif side in wrists:
            points = array(source.path, "landmarks", value, "21 3")
            seen[side].append(_Seen(seconds, _placed(wrists[side], points)))
    return seen
