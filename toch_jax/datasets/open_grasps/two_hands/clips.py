"""Clips of two hands on one object: they open it, one passes it to the other, or both lift it."""

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from toch_jax.datasets.hinged import part_motion
from toch_jax.datasets.open_grasps.motion.one_hand import (
    APPROACH_FRAMES,
    DEPARTURE_FRAMES,
    FOREARM,
    REST_FRAMES,
    approach_path,
    extended,
    first_pose,
    hand_entries,
    hold,
    mirrored,
    placed,
)
from toch_jax.datasets.open_grasps.motion.paths import object_path, smooth
from toch_jax.datasets.open_grasps.objects.hinged import UPRIGHT
from toch_jax.datasets.open_grasps.search.hands import Hand, join, repeated
from toch_jax.datasets.open_grasps.two_hands.scene import FLIP, Grip, HandTrack, TwoHandScene
from toch_jax.datasets.prepared import Example, stack_hands

ATTEMPTS = 3
"""Number of times a clip is drawn anew if it fails the exact test."""
AWAY_M = 0.03
"""Least distance of the hands to the object in the first and last frame of clips of `hold_clip`."""

# How a clip goes, chosen by eye. Ranges are (low, high), high excluded, in frames at 30 a second.
SECOND_LATER = (0, 25)
"""How much later than the first the second hand grasps."""
SECOND_LETS_GO = (0, 18)
"""How much later than the first the second hand lets go."""
STILL_FRAMES = (45, 75)
"""Time for which an object whose hinge is not turned is held."""
TURN_FRAMES = 20
"""Least time of a rotation of the hinge: it begins and ends at rest."""
TURN_SPEED = np.deg2rad(75.0)
"""Typical mean speed at which a hinge is turned, rad/s; times a random factor."""
TURN_FACTOR = (0.7, 1.5)
PASS_APPROACH, PASS_DEPARTURE = (22, 34), (18, 26)
PASS_CARRIED = (30, 48)
"""Time for which each hand carries the object alone."""
PASS_TOGETHER = (6, 14)
"""Time for which both hands hold it."""


@dataclass(frozen=True)
class Motion:
    """Motion of the object over a clip of T frames; world = R v + t, metres."""

    angle: Float[np.ndarray, "T"]
    """Hinge angle, radians."""
    rotation: Float[np.ndarray, "T 3 3"]
    translation: Float[np.ndarray, "T 3"]


@dataclass(frozen=True)
class CheckedClip:
    """A clip that passed the exact test: hands in the frames of the parts they hold, and the object's motion."""

    tracks: list[HandTrack]
    motion: Motion
    grasp: Bool[np.ndarray, "H T"]


@dataclass(frozen=True)
class HoldTimes:
    """Frames in which a hand approaches, holds and leaves; before and after, it waits."""

    approach: int
    """First frame of the approach."""
    grasp: int
    """First frame of the grasp."""
    release: int
    """Frame after the last one of the grasp."""
    gone: int
    """Frame after the last one of the departure."""


def hold_clip(
    scene: TwoHandScene, grips: list[Grip], angles: list[float], fps: float, rng: np.random.Generator, carried: bool
) -> CheckedClip | None:
    """A clip in which one or two hands grasp the object, turn its hinge through `angles` (rad) and let go.

    If `carried`, the object moves at the same time. None if no collision-free clip is found.
    """
    approach, departure = (rng.integers(*frames, len(grips)) for frames in (APPROACH_FRAMES, DEPARTURE_FRAMES))
    grasp = approach.max() + rng.permutation([0, *rng.integers(*SECOND_LATER, len(grips) - 1)])
    turning = [
        a + (b - a) * smooth(np.linspace(0, 1, count))
        for a, b in itertools.pairwise(angles)
        for count in [int(TURN_FRAMES + fps * abs(b - a) / (TURN_SPEED * rng.uniform(*TURN_FACTOR)))]
    ]
    moved = np.concatenate(turning) if turning else np.full(int(rng.integers(*STILL_FRAMES)), angles[0])
    begin = int(grasp.max()) + REST_FRAMES
    end = begin + len(moved)
    release = end + REST_FRAMES + rng.permutation([0, *rng.integers(*SECOND_LETS_GO, len(grips) - 1)])
    frames = int((release + departure).max())
    angle = extended(moved, begin, frames)
    start = _first_pose(scene, grips, moved[:1], rng)
    rotation, translation = np.tile(start.as_matrix(), (frames, 1, 1)), np.zeros((frames, 3))
    if carried:
        path = object_path(end - begin, fps, start, rng)
        rotation, translation = (extended(part, begin, frames) for part in path)
    times = [
        HoldTimes(int(first - before), int(first), int(last), int(last + after))
        for first, before, last, after in zip(grasp, approach, release, departure, strict=True)
    ]
    return _assemble(scene, grips, times, Motion(angle, rotation, translation), rng, AWAY_M)


def pass_clip(
    scene: TwoHandScene, giver: Grip, taker: Grip, angle: float, fps: float, rng: np.random.Generator
) -> CheckedClip | None:
    """A clip in which one hand carries the object, the other takes it over and carries it on.

    The hinge stays at `angle` (rad). None if no collision-free clip is found.
    """
    approach, departure = (rng.integers(*frames, 2) for frames in (PASS_APPROACH, PASS_DEPARTURE))
    carried = rng.integers(*PASS_CARRIED, 2)
    begin = int(approach[0] + REST_FRAMES)
    offered = begin + int(carried[0])
    taken = offered + int(approach[1])
    released = taken + int(rng.integers(*PASS_TOGETHER))
    onward = released + int(departure[0])
    end = onward + int(carried[1])
    frames = end + REST_FRAMES + int(departure[1])
    start = _first_pose(scene, [giver], np.array([angle]), rng)
    one = object_path(offered - begin, fps, start, rng)
    two = object_path(end - onward, fps, Rotation.from_matrix(one[0][-1]), rng)
    rotation = np.concatenate([extended(one[0], begin, onward), extended(two[0], 0, frames - onward)])
    translation = np.concatenate([extended(one[1], begin, onward), one[1][-1] + extended(two[1], 0, frames - onward)])
    times = [
        HoldTimes(0, int(approach[0]), released, onward),
        HoldTimes(offered, taken, end + REST_FRAMES, frames),
    ]
    return _assemble(scene, [giver, taker], times, Motion(np.full(frames, angle), rotation, translation), rng)


def two_handed_entries(scene: TwoHandScene, clip: CheckedClip, rng: np.random.Generator) -> Example:
    """The example's entries except id, object and fps: right hand first, the object at a random position."""
    tracks, motion, grasp = clip.tracks, clip.motion, clip.grasp
    translation = placed(motion.translation, rng)
    hands = []
    for track in tracks:
        grip = track.grip
        rotation, _ = _pose_of_part(scene, grip, motion)
        context = scene.contexts[grip.side][grip.part]
        entries = hand_entries(context, track.hand, grip.betas, rotation, translation * scene.flip(grip.side))
        hands.append(entries if grip.side == "right" else mirrored(entries))
    order = sorted(range(len(tracks)), key=lambda hand: tracks[hand].grip.side != "right")
    rotation_vector = Rotation.from_matrix(motion.rotation).as_rotvec()
    parts = rotation_vector[None], translation[None]
    if scene.is_hinged:
        parts = part_motion(motion.angle, rotation_vector, translation)
    return {
        **stack_hands(tuple(tracks[hand].grip.side for hand in order), [hands[hand] for hand in order], grasp[order]),
        "object_vertices": scene.obj.vertices,
        "object_faces": scene.obj.faces,
        "object_vertex_part": scene.obj.vertex_part,
        "object_rotation": parts[0],
        "object_translation": parts[1],
    }


def _assemble(
    scene: TwoHandScene,
    grips: list[Grip],
    times: list[HoldTimes],
    motion: Motion,
    rng: np.random.Generator,
    away: float = 0.0,
) -> CheckedClip | None:
    """Join approach, grasp and departure of each hand and test the clip exactly.

    It must have grasps in all frames of `times`, and hands at least `away` metres from the object at both ends. None
    if ATTEMPTS attempts fail or a hand has no collision-free path.
    """
    ends = np.array([0, -1])
    frames = len(motion.angle)
    for attempt in range(ATTEMPTS):
        tracks = []
        for hand, (grip, time) in enumerate(zip(grips, times, strict=True)):
            context = scene.contexts[grip.side][grip.part]
            others = [other for i, other in enumerate(grips) if i != hand]
            # the last attempt is without transitions between grasps
            held = hold(grip.keys if attempt < ATTEMPTS - 1 else grip.keys[:1], time.release - time.grasp, rng)
            paths = []
            for end, frame, count in (
                (held[:1], time.grasp, time.grasp - time.approach),
                (held[-1:], time.release - 1, time.gone - time.release),
            ):
                obstacle_depth = scene.obstacle_depth(grip, float(motion.angle[frame]), others)
                paths.append(approach_path(context, end, grip.kind, grip.betas, count, rng, obstacle_depth))
            if paths[0] is None or paths[1] is None:
                return None
            approach, departure = paths[0][0], paths[1][0][::-1]
            waiting = repeated(approach[:1], time.approach), repeated(departure[-1:], frames - time.gone)
            whole = join([waiting[0], approach, held, departure, waiting[1]])
            tracks.append(HandTrack(grip, _wait_in_world(scene, grip, whole, time, motion)))
        grasp = scene.test(tracks, motion.angle)
        if grasp is None or not all(grasp[i, t.grasp : t.release].all() for i, t in enumerate(times)):
            continue
        at_ends = [HandTrack(track.grip, track.hand[ends]) for track in tracks]
        if scene.clearance(at_ends, motion.angle[ends]).min() > away:
            return CheckedClip(tracks, motion, grasp)
    return None


def _wait_in_world(scene: TwoHandScene, grip: Grip, hand: Hand, time: HoldTimes, motion: Motion) -> Hand:
    """The hand, made to rest in the world instead of the object's frame before its approach and after its departure."""
    rotation, translation = _pose_of_part(scene, grip, motion)
    frames = np.arange(len(rotation))
    # the frame whose pose the hand has in the world
    then = np.clip(frames, time.approach, time.gone - 1)
    wrist = np.einsum("tab,tb->ta", rotation[then], hand.wrist) + translation[then]
    return Hand(
        rotation=np.einsum("tba,tbc,tcd->tad", rotation, rotation[then], hand.rotation),
        wrist=np.einsum("tba,tb->ta", rotation, wrist - translation),
        bend=hand.bend,
    )


def _pose_of_part(
    scene: TwoHandScene, grip: Grip, motion: Motion
) -> tuple[Float[np.ndarray, "T 3 3"], Float[np.ndarray, "T 3"]]:
    """Rotation and translation (m) in the world of the part that the hand holds; mirrored for a left hand."""
    in_object = scene.part_rotation(grip.side, grip.part, motion.angle)
    if grip.side == "right":
        return motion.rotation @ in_object, motion.translation
    return (motion.rotation * np.outer(FLIP, FLIP)) @ in_object, motion.translation * FLIP


def _first_pose(
    scene: TwoHandScene, grips: list[Grip], angle: Float[np.ndarray, "1"], rng: np.random.Generator
) -> Rotation:
    """Initial rotation of the object in the world, such that each hand reaches it from its own side of the person."""
    wrists, forearms, elbows = [], [], []
    for grip in grips:
        rotation = scene.part_rotation(grip.side, grip.part, angle)[0]
        flip = scene.flip(grip.side)
        wrists.append(rotation @ grip.hand.wrist[0] * flip)
        forearms.append(rotation @ grip.hand.rotation[0, :, 0] * flip)
        elbows.append(FOREARM * flip)
    upright = UPRIGHT if scene.is_hinged else None
    return first_pose(np.stack(wrists), np.stack(forearms), np.stack(elbows), rng, upright)
