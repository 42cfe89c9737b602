"""Selection of compatible pairs of grasps, and clips made of them with two hands or hinged objects."""

import dataclasses
import zlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from toch_jax.datasets.hinged import BOTTOM, TOP, HingedObject
from toch_jax.datasets.open_grasps.objects.hinged import HINGED, make_hinged
from toch_jax.datasets.open_grasps.objects.rigid import make_object
from toch_jax.datasets.open_grasps.search.hands import HandSamples, hand_of, join, repeated
from toch_jax.datasets.open_grasps.search.search import N_STARTS, N_VARIED, FoundGrasps, find_grasps, vary_grasps
from toch_jax.datasets.open_grasps.two_hands.clips import CheckedClip, hold_clip, pass_clip, two_handed_entries
from toch_jax.datasets.open_grasps.two_hands.scene import SIDES, Grip, TwoHandScene, make_scene
from toch_jax.datasets.prepared import Example, check_example
from toch_jax.datasets.spec import DatasetSpec
from toch_jax.hand.model import HandModel, Side

N_ANGLES = 12
"""Number of hinge angles, from closed to widest, at which pairs of grasps are tested."""
LEAST_TURN = np.deg2rad(25.0)
"""Least hinge rotation (rad) of an `open` clip."""
MAX_SCREEN_DEPTH = 0.0015
"""Largest penetration (m, by the grid) of a hand into the part that it does not hold."""
MIN_FOREARMS = -0.3
"""Least cosine of the angle between the forearms: one person's hands do not come from opposite sides."""
FOREARM_WEIGHT, SCORE_NOISE = 0.5, 0.2
"""Weights of that cosine and of chance against the range of hinge angles (rad) in the choice of pairs."""
N_NEIGHBOURS, NEIGHBOUR_SHARES = (0, 1, 2), (0.3, 0.4, 0.3)
"""Number of neighbouring grasps to which a hand shifts while it holds, and how often each number is drawn."""
N_DRAWS, REACH_WEIGHT = 4, 2
"""Draws of preferred points, of which the best is taken; weight of their distance from the hinge in the choice."""
OPENING_SHARE, RETURN_SHARE, CARRIED_SHARE = 0.65, 0.25, 0.6
"""Fractions of `open` clips that open the hinge (the others close it), that turn it back in the end, that carry it."""
MAX_RETURN = 0.5
"""Largest fraction of the rotation that is turned back."""


@dataclass(frozen=True)
class TwoHandedJob:
    """Unit of work: one object in one size, and the actions to make clips of."""

    object: str
    variant: int
    actions: tuple[str, ...]
    """`open`: each hand holds a part of a hinged object and turns the hinge. `lift` (both hands), `pass` (from one hand
    to the other), `hold` (one hand): the hinge, if any, does not move (closed, unless `open` is among the actions)."""
    seed: int

    @property
    def name(self) -> str:
        return f"{self.object}_{self.variant}_{'parts' if self.in_parts else 'whole'}"

    @property
    def in_parts(self) -> bool:
        """Whether each hand holds its own part of a hinged object, not both the object as a whole."""
        return "open" in self.actions

    @property
    def clips(self) -> int:
        return len(self.actions)


@dataclass(frozen=True)
class Pair:
    """Two grasps and the hinge angles (rad) at which both are possible."""

    grips: tuple[Grip, Grip]
    angles: Float[np.ndarray, "n"]


def make_two_handed(spec: DatasetSpec, model: HandModel, samples: HandSamples, job: TwoHandedJob) -> list[Example]:
    """At most one clip for each action. The result depends on the job only."""
    rng = np.random.default_rng([job.seed, zlib.crc32(job.name.encode())])
    scene = make_scene(model, samples, _load_object(job), job.in_parts, spec.fps, job.name)
    angles = np.deg2rad(np.linspace(0, HINGED[job.object].widest, N_ANGLES)) if job.in_parts else np.zeros(1)
    pairs = find_pairs(scene, angles, rng)
    clips: list[Example] = []
    for action in job.actions:
        for k in range(len(pairs)):
            made = _make_clip(scene, action, pairs[k], spec.fps, rng)
            if made is not None:
                names = {"id": f"{job.name}_{action}_{len(clips)}", "object": job.object, "fps": spec.fps}
                clips.append(check_example(spec, names | two_handed_entries(scene, made, rng)))
                # pairs that failed for this action may succeed for another one
                pairs = [*pairs[k + 1 :], *pairs[:k]]
                break
    return clips


def find_pairs(scene: TwoHandScene, angles: Float[np.ndarray, "A"], rng: np.random.Generator) -> list[Pair]:
    """Pairs of a right and a left hand's grasp, best first; each grasp is used once.

    Good pairs allow a large range of hinge angles and have forearms from similar directions.
    """
    parts = dict(zip(SIDES, rng.permutation([BOTTOM, TOP]).tolist() if scene.n_parts == 2 else (0, 0), strict=True))
    preferred = _preferred_points(scene, parts, rng)
    found: dict[Side, FoundGrasps] = {}
    for side, part in parts.items():
        search = find_grasps(scene.contexts[side][part], scene.parts[side][part], rng, preferred[side])
        if search is None:
            return []
        found[side] = search
    passed = {side: np.flatnonzero(found[side].passed) for side in SIDES}
    grips = {side: [_grip(side, parts[side], found[side], int(i)) for i in passed[side]] for side in SIDES}
    if not grips["right"] or not grips["left"]:
        return []
    clear = {side: _clear_of_others(scene, grips[side], found[side], angles)[passed[side]] for side in SIDES}
    good = clear["right"][:, None] & clear["left"][None] & scene.hands_apart(grips["right"], grips["left"], angles)
    begin, end = longest_run(good)

    middle = angles[(begin + np.maximum(end, begin + 1) - 1) // 2]
    forearms = np.einsum("nma,nma->nm", *_forearms(scene, grips["right"], grips["left"], middle))
    span = angles[np.maximum(end - 1, begin)] - angles[begin]
    score = span + FOREARM_WEIGHT * forearms + rng.normal(scale=SCORE_NOISE, size=begin.shape)
    score[(end == begin) | (forearms < MIN_FOREARMS)] = -np.inf
    chosen: list[tuple[int, int]] = []
    while len(chosen) < N_VARIED and np.isfinite(score).any():
        i, j = np.unravel_index(np.argmax(score), score.shape)
        chosen.append((int(i), int(j)))
        score[i], score[:, j] = -np.inf, -np.inf
    if not chosen:
        return []
    varied = {
        side: _with_neighbours(
            scene,
            found[side],
            [grips[side][pair[k]] for pair in chosen],
            [int(passed[side][pair[k]]) for pair in chosen],
            rng,
        )
        for k, side in enumerate(SIDES)
    }
    return [
        Pair((varied["right"][k], varied["left"][k]), angles[begin[i, j] : end[i, j]])
        for k, (i, j) in enumerate(chosen)
    ]


def longest_run(good: Bool[np.ndarray, "n m A"]) -> tuple[Int[np.ndarray, "n m"], Int[np.ndarray, "n m"]]:
    """First index and last index + 1 of the longest run of true values along the last axis; equal if there is none."""
    begin, end = np.zeros(good.shape[:2], int), np.zeros(good.shape[:2], int)
    length = np.zeros(good.shape[:2], int)
    for k in range(good.shape[2]):
        length = np.where(good[..., k], length + 1, 0)
        longer = length > end - begin
        begin, end = np.where(longer, k + 1 - length, begin), np.where(longer, k + 1, end)
    return begin, end


def _make_clip(
    scene: TwoHandScene, action: str, pair: Pair, fps: float, rng: np.random.Generator
) -> CheckedClip | None:
    """Hands, object motion and contact of one clip; None if the pair cannot perform the action."""
    low, high = float(pair.angles[0]), float(pair.angles[-1])
    fixed = float(rng.choice(pair.angles))
    order = [pair.grips[i] for i in rng.permutation(2)]
    if action == "open":
        if high - low < LEAST_TURN:
            return None
        angles = [low, high] if rng.random() < OPENING_SHARE else [high, low]
        if rng.random() < RETURN_SHARE:
            angles = [*angles, angles[0] + float(rng.uniform(0, MAX_RETURN)) * (angles[1] - angles[0])]
        return hold_clip(scene, order, angles, fps, rng, carried=bool(rng.random() < CARRIED_SHARE))
    if action == "pass":
        return pass_clip(scene, order[0], order[1], fixed, fps, rng)
    grips = order if action == "lift" else order[:1]
    return hold_clip(scene, grips, [fixed], fps, rng, carried=True)


def _load_object(job: TwoHandedJob) -> HingedObject:
    """The job's object; a rigid one is a bottom without a top."""
    if job.object in HINGED:
        return make_hinged(job.object, job.variant, job.seed)
    mesh = make_object(job.object, job.variant, job.seed)
    return HingedObject(np.asarray(mesh.vertices), np.asarray(mesh.faces), np.zeros(len(mesh.vertices), np.int32))


def _preferred_points(
    scene: TwoHandScene, parts: dict[Side, int], rng: np.random.Generator
) -> dict[Side, Float[np.ndarray, "3"]]:
    """Preferred point of each hand's grasp in the part's frame (the left hand's mirrored), metres.

    Chosen far apart and, on the moving part, far from the hinge.
    """
    best: dict[Side, Float[np.ndarray, "3"]] = {}
    most = -np.inf
    for _ in range(N_DRAWS):
        points = {side: rng.choice(np.asarray(scene.parts[side][part].samples.points)) for side, part in parts.items()}
        reach = sum(float(np.hypot(*points[side][:2])) for side, part in parts.items() if part == TOP)
        score = float(np.linalg.norm(points["right"] - points["left"] * (-1, 1, 1))) + REACH_WEIGHT * reach
        if score > most:
            best, most = points, score
    return best


def _grip(side: Side, part: int, found: FoundGrasps, index: int) -> Grip:
    betas = np.asarray(found.grasps.betas)[index]
    return Grip(side, part, [hand_of(found.grasps, index)], found.kinds[index], betas)


def _clear_of_others(
    scene: TwoHandScene, grips: list[Grip], found: FoundGrasps, angles: Float[np.ndarray, "A"]
) -> Bool[np.ndarray, "N A"]:
    """Whether each of the search's hands is clear of the part that it does not hold, at each angle, by the grid."""
    if scene.n_parts == 1:
        return np.ones((N_STARTS, len(angles)), bool)
    # all hands, whether they passed or not, so that the shapes are constant and nothing is recompiled
    hands = join([repeated(hand_of(found.grasps, i), len(angles)) for i in range(N_STARTS)])
    betas = np.repeat(np.asarray(found.grasps.betas), len(angles), axis=0)
    depth = scene.depth_in_others(grips[0], hands, np.tile(angles, N_STARTS), betas)
    return depth.reshape(N_STARTS, len(angles)) < MAX_SCREEN_DEPTH


def _forearms(
    scene: TwoHandScene, first: list[Grip], second: list[Grip], angle: Float[np.ndarray, "n m"]
) -> tuple[Float[np.ndarray, "n m 3"], Float[np.ndarray, "n m 3"]]:
    """Unit vectors from hand to elbow in the object's frame, for each pair of grips at its hinge angle."""

    def forearm(grip: Grip, angles: Float[np.ndarray, "k"]) -> Float[np.ndarray, "k 3"]:
        return scene.part_rotation(grip.side, grip.part, angles) @ grip.hand.rotation[0, :, 0] * scene.flip(grip.side)

    one = np.stack([forearm(grip, angle[i]) for i, grip in enumerate(first)])
    two = np.stack([forearm(grip, angle[:, j]) for j, grip in enumerate(second)], axis=1)
    return one, two


def _with_neighbours(
    scene: TwoHandScene, found: FoundGrasps, grips: list[Grip], picked: list[int], rng: np.random.Generator
) -> list[Grip]:
    """The grips, each with up to two neighbouring grasps added, between which the hand moves while it holds."""
    context = scene.contexts[grips[0].side][grips[0].part]
    varied, passed, each = vary_grasps(context, found, picked, rng)
    full = []
    for grip, index in zip(grips, picked, strict=True):
        near = np.flatnonzero(passed & (each == index))
        count = min(len(near), int(rng.choice(N_NEIGHBOURS, p=NEIGHBOUR_SHARES)))
        neighbours = [hand_of(varied, int(i)) for i in rng.permutation(near)[:count]]
        full.append(dataclasses.replace(grip, keys=[*grip.keys, *neighbours]))
    return full
