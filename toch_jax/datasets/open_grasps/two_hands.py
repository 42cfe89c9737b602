"""Clips of two hands on one object: they open it, one passes it to the other, or both lift it."""

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from toch_jax.datasets.examples import Example, stack_hands
from toch_jax.datasets.hinged import part_motion
from toch_jax.datasets.open_grasps.clip import FOREARM, approach, first_pose, hand_entries, hold, mirrored
from toch_jax.datasets.open_grasps.hinged import UPRIGHT
from toch_jax.datasets.open_grasps.path import Hand, join, object_path, smooth
from toch_jax.datasets.open_grasps.stage import FLIP, Grip, Stage, Track, repeated

REST = 4
"""Frames between grasping and moving, and between moving and letting go."""
TRIES = 3
AWAY_M = 0.03
"""Least distance of the hands to the object in the first and last frame of clips of `both_hold`."""
TURN_SPEED = np.deg2rad(75.0)
"""Typical mean speed at which a hinge is turned, rad/s."""


@dataclass(frozen=True)
class Motion:
    """Motion of the object over a clip of T frames; world = R v + t, metres."""

    angle: Float[np.ndarray, "T"]
    """Hinge angle, radians."""
    rotation: Float[np.ndarray, "T 3 3"]
    translation: Float[np.ndarray, "T 3"]


@dataclass(frozen=True)
class Staged:
    """A clip that passed the exact test: hands in the frames of the parts they hold, and the object's motion."""

    tracks: list[Track]
    motion: Motion
    grasp: Bool[np.ndarray, "H T"]


@dataclass(frozen=True)
class Held:
    """Frames in which a hand approaches, holds and leaves."""

    coming: int
    """First frame of the approach; before it, the hand waits."""
    first: int
    """First frame of the grasp."""
    last: int
    """Frame after the last one of the grasp."""
    gone: int
    """Frame after the last one of the departure; from it on, the hand waits."""


def both_hold(
    stage: Stage, grips: list[Grip], angles: list[float], fps: float, rng: np.random.Generator, carried: bool
) -> Staged | None:
    """A clip in which one or two hands grasp the object, turn its hinge through `angles` (rad) and let go.

    If `carried`, the object moves at the same time. None if no collision-free clip is found.
    """
    come, go = (rng.integers(low, high, len(grips)) for low, high in ((22, 38), (18, 30)))
    late = rng.permutation([0, *rng.integers(0, 25, len(grips) - 1)])
    first = come.max() + late
    turning = [
        a + (b - a) * smooth(np.linspace(0, 1, count))
        for a, b in itertools.pairwise(angles)
        for count in [int(20 + fps * abs(b - a) / (TURN_SPEED * rng.uniform(0.7, 1.5)))]
    ]
    moved = np.concatenate(turning) if turning else np.full(int(rng.integers(45, 75)), angles[0])
    begin = int(first.max()) + REST
    end = begin + len(moved)
    last = end + REST + rng.permutation([0, *rng.integers(0, 18, len(grips) - 1)])
    frames = int((last + go).max())
    still = [np.full(begin, moved[0]), np.full(frames - end, moved[-1])]
    angle = np.concatenate([still[0], moved, still[1]])
    start = _first_pose(stage, grips, moved[:1], rng)
    rotation, translation = np.tile(start.as_matrix(), (frames, 1, 1)), np.zeros((frames, 3))
    if carried:
        path = object_path(end - begin, fps, start, rng)
        rotation, translation = (_padded(part, begin, frames) for part in path)
    times = [
        Held(int(take - way), int(take), int(end), int(end + back))
        for take, way, end, back in zip(first, come, last, go, strict=True)
    ]
    return _string(stage, grips, times, Motion(angle, rotation, translation), rng, AWAY_M)


def pass_on(
    stage: Stage, giver: Grip, taker: Grip, angle: float, fps: float, rng: np.random.Generator
) -> Staged | None:
    """A clip in which one hand carries the object, the other takes it over and carries it on.

    The hinge stays at `angle` (rad). None if no collision-free clip is found.
    """
    come, go = (rng.integers(low, high, 2) for low, high in ((22, 34), (18, 26)))
    carries = rng.integers(30, 48, 2)
    given = int(come[0] + REST)
    there = given + int(carries[0])
    taken = there + int(come[1])
    left = taken + int(rng.integers(6, 14))
    onward = left + int(go[0])
    put = onward + int(carries[1])
    frames = put + REST + int(go[1])
    start = _first_pose(stage, [giver], np.array([angle]), rng)
    one = object_path(there - given, fps, start, rng)
    two = object_path(put - onward, fps, Rotation.from_matrix(one[0][-1]), rng)
    rotation = np.concatenate([_padded(one[0], given, onward), _padded(two[0], 0, frames - onward)])
    translation = np.concatenate([_padded(one[1], given, onward), one[1][-1] + _padded(two[1], 0, frames - onward)])
    times = [Held(0, int(come[0]), left, onward), Held(there, taken, put + REST, frames)]
    return _string(stage, [giver, taker], times, Motion(np.full(frames, angle), rotation, translation), rng)


def two_handed_entries(stage: Stage, made: Staged, rng: np.random.Generator) -> Example:
    """The example's entries except id, object and fps: right hand first, the object at a random position."""
    tracks, motion, grasp = made.tracks, made.motion, made.grasp
    translation = motion.translation + rng.normal(scale=0.15, size=3) + np.array([0.0, 0.4, 0.8])
    hands = []
    for track in tracks:
        side, part = track.grip.side, track.grip.part
        shop = stage.shops[side][part]
        observed, place = _world(stage, track.grip, motion)[0], translation * stage.flip(side)
        entries = hand_entries(shop, track.hand, track.grip.betas, observed, place)
        hands.append(entries if side == "right" else mirrored(entries))
    order = sorted(range(len(tracks)), key=lambda hand: tracks[hand].grip.side != "right")
    turn = Rotation.from_matrix(motion.rotation).as_rotvec()
    parts = turn[None], translation[None]
    if stage.is_hinged:
        parts = part_motion(motion.angle, turn, translation)
    return {
        **stack_hands(tuple(tracks[hand].grip.side for hand in order), [hands[hand] for hand in order], grasp[order]),
        "object_vertices": stage.thing.vertices,
        "object_faces": stage.thing.faces,
        "object_vertex_part": stage.thing.vertex_part,
        "object_rotation": parts[0],
        "object_translation": parts[1],
    }


def _string(
    stage: Stage, grips: list[Grip], times: list[Held], motion: Motion, rng: np.random.Generator, away: float = 0.0
) -> Staged | None:
    """Assemble approach, grasp and departure of each hand and test the clip exactly.

    It must have grasps in all frames of `times`, and hands at least `away` metres from the object at both ends. None
    if TRIES attempts fail or a hand has no collision-free path.
    """
    ends = np.array([0, -1])
    frames = len(motion.angle)
    for attempt in range(TRIES):
        tracks = []
        for hand, (grip, time) in enumerate(zip(grips, times, strict=True)):
            shop = stage.shops[grip.side][grip.part]
            others = [other for i, other in enumerate(grips) if i != hand]
            # the last attempt is without transitions between grasps
            held = hold(grip.keys if attempt < TRIES - 1 else grip.keys[:1], time.last - time.first, rng)
            ways = []
            for end, frame, count in (
                (held[:1], time.first, time.first - time.coming),
                (held[-1:], time.last - 1, time.gone - time.last),
            ):
                beside = stage.beside(grip, float(motion.angle[frame]), others)
                ways.append(approach(shop, end, grip.kind, grip.betas, count, rng, beside))
            if ways[0] is None or ways[1] is None:
                return None
            coming, going = ways[0][0], ways[1][0][::-1]
            pieces = [repeated(coming[:1], time.coming), coming, held, going, repeated(going[-1:], frames - time.gone)]
            tracks.append(Track(grip, _wait_in_place(stage, grip, join(pieces), time, motion)))
        grasp = stage.test(tracks, motion.angle)
        if grasp is None or not all(grasp[i, t.first : t.last].all() for i, t in enumerate(times)):
            continue
        at_ends = [Track(track.grip, track.hand[ends]) for track in tracks]
        if stage.clearance(at_ends, motion.angle[ends]).min() > away:
            return Staged(tracks, motion, grasp)
    return None


def _wait_in_place(stage: Stage, grip: Grip, hand: Hand, time: Held, motion: Motion) -> Hand:
    """The hand, made to rest in the world instead of the object's frame before its approach and after its departure."""
    rotation, translation = _world(stage, grip, motion)
    frames = np.arange(len(rotation))
    then = np.clip(frames, time.coming, time.gone - 1)
    wrist = np.einsum("tab,tb->ta", rotation[then], hand.wrist) + translation[then]
    return Hand(
        rotation=np.einsum("tba,tbc,tcd->tad", rotation, rotation[then], hand.rotation),
        wrist=np.einsum("tba,tb->ta", rotation, wrist - translation),
        bend=hand.bend,
    )


def _world(stage: Stage, grip: Grip, motion: Motion) -> tuple[Float[np.ndarray, "T 3 3"], Float[np.ndarray, "T 3"]]:
    """Rotation and translation (m) in the world of the part that the hand holds; mirrored for a left hand."""
    turn = stage.part_turn(grip.side, grip.part, motion.angle)
    if grip.side == "right":
        return motion.rotation @ turn, motion.translation
    return (motion.rotation * np.outer(FLIP, FLIP)) @ turn, motion.translation * FLIP


def _first_pose(stage: Stage, grips: list[Grip], angle: Float[np.ndarray, "1"], rng: np.random.Generator) -> Rotation:
    """Initial rotation of the object in the world, such that each hand reaches it from its own side of the person."""
    wrists, forearms, elbows = [], [], []
    for grip in grips:
        turn = stage.part_turn(grip.side, grip.part, angle)[0]
        flip = stage.flip(grip.side)
        wrists.append(turn @ grip.hand.wrist[0] * flip)
        forearms.append(turn @ grip.hand.rotation[0, :, 0] * flip)
        elbows.append(FOREARM * flip)
    upright = UPRIGHT if stage.is_hinged else None
    return first_pose(np.stack(wrists), np.stack(forearms), np.stack(elbows), rng, upright)


def _padded(path: Float[np.ndarray, "n ..."], before: int, total: int) -> Float[np.ndarray, "total ..."]:
    """The path extended to `total` frames: its first value `before` frames long, its last value at the end."""
    return path[np.clip(np.arange(total) - before, 0, len(path) - 1)]
