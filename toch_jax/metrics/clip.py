"""All the metrics of one clip, and the small table that `denoise` prints."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from toch_jax.base.arrays import put
from toch_jax.base.programs import program
from toch_jax.metrics.contact import (
    Part,
    contact_frames,
    hands_depth_mm,
    intersection_volumes_cm3,
    nearest,
    object_parts,
    penetration_depths_mm,
)
from toch_jax.metrics.joints import mpjpe_mm
from toch_jax.metrics.motion import acceleration_error_m_s2, acceleration_m_s2
from toch_jax.metrics.object_pose import object_acceleration_m_s2
from toch_jax.object.model import ObjectMotion, to_part
from toch_jax.sequence.derived import PosedHand
from toch_jax.sequence.types import Sequence

MAX_VOLUME_FRAMES = 64
"""Maximum number of frames in contact, evenly spread, whose volume is measured: each takes some 10 ms.
Chosen by hand."""


in_part = program()(to_part)
"""`to_part`, compiled once for each length of clip: without compilation it takes longer than the metrics do."""


@dataclass(frozen=True)
class HandContact:
    """Contact of one hand with the object in each frame; none in frames that are not `observed`."""

    contact: Bool[np.ndarray, "T"]
    depth_mm: Float[np.ndarray, "T"]
    """Penetration depth of the deepest point of the hand; 0 where it is outside the object."""


def sequence_parts(sequence: Sequence) -> list[Part]:
    """The parts of the sequence's object, for `hand_contact`."""
    return object_parts(
        np.asarray(sequence.object_vertices), np.asarray(sequence.object_faces), np.asarray(sequence.object_vertex_part)
    )


def hand_contact(motion: ObjectMotion, parts: list[Part], hand: PosedHand) -> HandContact:
    """Contact and penetration depth over all parts of the object, of the skin, or of the joints if there is no skin."""
    each = [nearest(points, part) for points, part in zip(_by_part(motion, parts, hand), parts, strict=True)]
    closest = np.min(each, axis=0)
    return HandContact(contact_frames(closest) & hand.observed, penetration_depths_mm(closest) * hand.observed)


def shared_volumes_cm3(
    motion: ObjectMotion, parts: list[Part], hand: PosedHand, frames: Int[np.ndarray, "S"]
) -> tuple[Float[np.ndarray, "S"], bool]:
    """Volume that a hand with a mesh shares with all parts in each of these frames.

    The second value is true if all volumes are exact (mesh boolean), false if some are from solid voxels.
    """
    assert hand.faces is not None
    each = [
        intersection_volumes_cm3(points[frames], hand.faces, part)
        for points, part in zip(_by_part(motion, parts, hand), parts, strict=True)
    ]
    return np.sum([volume for volume, _ in each], axis=0), all(exact for _, exact in each)


def spread(frames: Int[np.ndarray, "n"], count: int) -> Int[np.ndarray, "S"]:
    """At most `count` of the frame indices, evenly spread."""
    return frames[np.linspace(0, len(frames) - 1, min(len(frames), count)).round().astype(int)]


def _by_part(motion: ObjectMotion, parts: list[Part], hand: PosedHand) -> list[Float[np.ndarray, "T K 3"]]:
    """The hand's points in the frame of each part, metres."""
    return [np.asarray(in_part(motion, part, put(hand.points))) for part in range(len(parts))]


def measure(
    sequence: Sequence,
    hands: list[PosedHand],
    truth: list[PosedHand] | None = None,
    parts: list[Part] | None = None,
) -> dict[str, float]:
    """The clip's metrics by name, units in the names; nan where there is nothing to measure.

    With several hands, depths are averaged over all their frames, counts are summed, and maxima are over all of them;
    acceleration and errors are means of the hands' means. Depth and volume are means over the frames in which the
    measured hand is in contact; the depth of one hand in another, over all frames with both. The object's acceleration
    (see metrics/object_pose.py) is that of its motion beside these hands, in frames in which it was tracked. `parts`:
    the result of `sequence_parts`, if the caller has it.
    """
    parts = sequence_parts(sequence) if parts is None else parts
    contacts = [hand_contact(hand.motion_in(sequence), parts, hand) for hand in hands]
    volumes = [
        shared_volumes_cm3(
            hand.motion_in(sequence), parts, hand, spread(np.flatnonzero(touching.contact), MAX_VOLUME_FRAMES)
        )
        for hand, touching in zip(hands, contacts, strict=True)
        if hand.faces is not None
    ]
    between = hands_depth_mm(hands)
    contact = np.concatenate([each.contact for each in contacts])
    depth = np.concatenate([each.depth_mm for each in contacts])
    metrics = {
        "penetration_depth_mean": _mean(depth[contact]),
        "penetration_depth_max": float(depth.max(initial=0.0)),
        "intersection_volume": _mean(np.concatenate([volume for volume, _ in volumes] or [np.zeros(0)])),
        "volume_exact": float(len(volumes) == len(hands) and all(exact for _, exact in volumes)),
        "hands_depth_mean": _mean(between),
        "hands_depth_max": float(np.fmax.reduce(between)),
        "contact_frames": float(contact.sum()),
        "frames": float(sum(hand.observed.sum() for hand in hands)),
        "acceleration": _mean(
            [acceleration_m_s2(hand.joints, sequence.fps, hand.observed) for hand in hands if hand.joints is not None]
        ),
        "object_acceleration": object_acceleration_m_s2(
            parts, hands[0].motion_in(sequence), sequence.fps, sequence.object_observed
        ),
    }
    pairs = list(zip(hands, truth, strict=True)) if truth is not None else []
    joints = [
        (h.joints, t.joints, h.observed & t.observed) for h, t in pairs if h.joints is not None and t.joints is not None
    ]
    skins = [
        (h.vertices, t.vertices, h.observed & t.observed)
        for h, t in pairs
        if h.vertices is not None and t.vertices is not None and h.vertices.shape == t.vertices.shape
    ]
    metrics["mpjpe"] = _mean([mpjpe_mm(predicted[both], true[both]) for predicted, true, both in joints if both.any()])
    metrics["mpvpe"] = _mean([mpjpe_mm(predicted[both], true[both]) for predicted, true, both in skins if both.any()])
    metrics["acceleration_error"] = _mean(
        [acceleration_error_m_s2(predicted, true, sequence.fps, both) for predicted, true, both in joints]
    )
    return metrics


def _mean(values: list[float] | Float[np.ndarray, "n"]) -> float:
    """Mean of the values that are not nan; nan if there are none."""
    kept = np.asarray(values)[~np.isnan(values)]
    return float(kept.mean()) if kept.size else float("nan")


def summed_up(clips: list[dict[str, float]]) -> dict[str, float]:
    """The metrics of several clips (`measure`) as one: counts summed, maxima over all clips, means of the others.

    nan is left out; the result is nan if all clips have nan.
    """

    def one(name: str) -> float:
        values = np.array([metrics[name] for metrics in clips])
        if name in ("contact_frames", "frames"):
            return float(values.sum())
        return float(np.fmax.reduce(values)) if name.endswith("_max") else _mean(values)

    return {name: one(name) for name in clips[0]}


TABLE = {
    "penetration_depth_mean": "penetration depth, mean in contact (mm)",
    "penetration_depth_max": "penetration depth, worst (mm)",
    "intersection_volume": "intersection volume, mean in contact (cm3)",
    "hands_depth_mean": "depth of one hand in another, mean (mm)",
    "hands_depth_max": "depth of one hand in another, worst (mm)",
    "contact_frames": "frames in contact",
    "acceleration": "acceleration of the joints, mean (m/s2)",
    "object_acceleration": "acceleration of the object, mean (m/s2)",
    "mpjpe": "joint error, MPJPE (mm)",
    "mpvpe": "vertex error, MPVPE (mm)",
}


def metrics_table(columns: Mapping[str, dict[str, float]]) -> str:
    """Text table of `measure` for several versions of a clip's hands, a column each, without rows that are all nan."""

    def cell(metrics: dict[str, float], name: str) -> str:
        if np.isnan(metrics[name]):
            return "-"
        return f"{metrics[name]:.0f} of {metrics['frames']:.0f}" if name == "contact_frames" else f"{metrics[name]:.2f}"

    rows = [
        [label, *(cell(metrics, name) for metrics in columns.values())]
        for name, label in TABLE.items()
        if not all(np.isnan(metrics[name]) for metrics in columns.values())
    ]
    rows.insert(0, ["", *columns])
    label, *widths = (max(map(len, column)) for column in zip(*rows, strict=True))
    return "\n".join(
        "  ".join([f"{row[0]:<{label}}", *(f"{value:>{width}}" for value, width in zip(row[1:], widths, strict=True))])
        for row in rows
    )
