"""Which two grasps go together, and clips of two hands: the unit of work."""

import dataclasses
import zlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from toch_jax.datasets.arctic.objects import BOTTOM, TOP, HingedObject
from toch_jax.datasets.features import Example, check_example
from toch_jax.datasets.open_grasps.hinged import HINGED, make_hinged
from toch_jax.datasets.open_grasps.make import N_STARTS, N_VARIED, Found, find_grasps, one_hand, vary_grasps
from toch_jax.datasets.open_grasps.objects import make_object
from toch_jax.datasets.open_grasps.path import join
from toch_jax.datasets.open_grasps.probe import HandProbe
from toch_jax.datasets.open_grasps.stage import SIDES, Grip, Stage, make_stage, repeated
from toch_jax.datasets.open_grasps.two_hands import Staged, both_hold, pass_on, two_handed_entries
from toch_jax.datasets.spec import DatasetSpec
from toch_jax.hand.model import HandModel, Side

N_ANGLES = 12
LEAST_TURN = np.deg2rad(25.0)
"""What counts as opening."""
MAX_SCREEN_DEPTH = 0.0015
"""How deep, by the grid, a hand may be in the part that it doesn't hold."""
MIN_FOREARMS = -0.3
"""Cosine between the forearms: a person's hands don't come from opposite sides."""


@dataclass(frozen=True)
class TwoHandedJob:
    """The unit of work: one object in one size, and what is to be done with it."""

    object: str
    variant: int
    actions: tuple[str, ...]
    """open: a hinged object in its parts. lift, pass, hold (one hand): rigid, or hinged and closed, or (beside an
    open) half open."""
    seed: int

    @property
    def name(self) -> str:
        return f"{self.object}_{self.variant}_{'parts' if self.in_parts else 'whole'}"

    @property
    def in_parts(self) -> bool:
        """Whether each hand holds one part of a hinged object, or both hold the whole."""
        return "open" in self.actions

    @property
    def clips(self) -> int:
        return len(self.actions)


@dataclass(frozen=True)
class Pair:
    """Two grasps and the angles (radians) at which both can be."""

    grips: tuple[Grip, Grip]
    angles: Float[np.ndarray, "n"]


def make_two_handed(spec: DatasetSpec, model: HandModel, probe: HandProbe, job: TwoHandedJob) -> list[Example]:
    """At most one clip for each action; the same job gives the same clips."""
    rng = np.random.default_rng([job.seed, zlib.crc32(job.name.encode())])
    stage = make_stage(model, probe, _thing(job), job.in_parts, spec.fps, job.name)
    angles = np.deg2rad(np.linspace(0, HINGED[job.object].widest, N_ANGLES)) if job.in_parts else np.zeros(1)
    pairs = find_pairs(stage, angles, rng)
    clips: list[Example] = []
    for action in job.actions:
        for k in range(len(pairs)):
            made = _act(stage, action, pairs[k], spec.fps, rng)
            if made is not None:
                names = {"id": f"{job.name}_{action}_{len(clips)}", "object": job.object, "fps": spec.fps}
                clips.append(check_example(spec, names | two_handed_entries(stage, made, rng)))
                # those that could not may do for another action
                pairs = [*pairs[k + 1 :], *pairs[:k]]
                break
    return clips


def find_pairs(stage: Stage, angles: Float[np.ndarray, "A"], rng: np.random.Generator) -> list[Pair]:
    """A right and a left hand each, the best first: those between which the hinge turns far, whose forearms come from
    one side. Every grasp is used once."""
    parts = dict(zip(SIDES, rng.permutation([BOTTOM, TOP]).tolist() if stage.n_parts == 2 else (0, 0), strict=True))
    places = _places(stage, parts, rng)
    found: dict[Side, Found] = {}
    for side, part in parts.items():
        search = find_grasps(stage.shops[side][part], stage.targets[side][part], rng, places[side])
        if search is None:
            return []
        found[side] = search
    passed = {side: np.flatnonzero(found[side].passed) for side in SIDES}
    grips = {side: [_grip(side, parts[side], found[side], int(i)) for i in passed[side]] for side in SIDES}
    if not grips["right"] or not grips["left"]:
        return []
    clear = {side: _clear_of_others(stage, grips[side], found[side], angles)[passed[side]] for side in SIDES}
    good = clear["right"][:, None] & clear["left"][None] & stage.hands_apart(grips["right"], grips["left"], angles)
    begin, end = longest_run(good)

    middle = angles[(begin + np.maximum(end, begin + 1) - 1) // 2]
    forearms = np.einsum("nma,nma->nm", *_forearms(stage, grips["right"], grips["left"], middle))
    score = (
        angles[np.maximum(end - 1, begin)] - angles[begin] + 0.5 * forearms + rng.normal(scale=0.2, size=begin.shape)
    )
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
            stage,
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
    """First and one past the last index of the longest run of trues along the last axis; equal where there is none."""
    begin, end = np.zeros(good.shape[:2], int), np.zeros(good.shape[:2], int)
    length = np.zeros(good.shape[:2], int)
    for k in range(good.shape[2]):
        length = np.where(good[..., k], length + 1, 0)
        longer = length > end - begin
        begin, end = np.where(longer, k + 1 - length, begin), np.where(longer, k + 1, end)
    return begin, end


def _act(stage: Stage, action: str, pair: Pair, fps: float, rng: np.random.Generator) -> Staged | None:
    """One clip's hands, motion and contact; None where this pair can't."""
    low, high = float(pair.angles[0]), float(pair.angles[-1])
    still = float(rng.choice(pair.angles))
    order = [pair.grips[i] for i in rng.permutation(2)]
    if action == "open":
        if high - low < LEAST_TURN:
            return None
        angles = [low, high] if rng.random() < 0.65 else [high, low]
        if rng.random() < 0.25:
            angles = [*angles, angles[0] + float(rng.uniform(0, 0.5)) * (angles[1] - angles[0])]
        return both_hold(stage, order, angles, fps, rng, carried=bool(rng.random() < 0.6))
    if action == "pass":
        return pass_on(stage, order[0], order[1], still, fps, rng)
    hands = order if action == "lift" else order[:1]
    return both_hold(stage, hands, [still], fps, rng, carried=True)


def _thing(job: TwoHandedJob) -> HingedObject:
    if job.object in HINGED:
        return make_hinged(job.object, job.variant, job.seed)
    mesh = make_object(job.object, job.variant, job.seed)
    return HingedObject(np.asarray(mesh.vertices), np.asarray(mesh.faces), np.zeros(len(mesh.vertices), np.int32))


def _places(stage: Stage, parts: dict[Side, int], rng: np.random.Generator) -> dict[Side, Float[np.ndarray, "3"]]:
    """Where about each hand is to hold (a left one in the mirror): far apart, the moving part far from its hinge."""
    best: dict[Side, Float[np.ndarray, "3"]] = {}
    most = -np.inf
    for _ in range(4):
        places = {side: rng.choice(np.asarray(stage.targets[side][part].points)) for side, part in parts.items()}
        reach = sum(float(np.hypot(*places[side][:2])) for side, part in parts.items() if part == TOP)
        apart = float(np.linalg.norm(places["right"] - places["left"] * (-1, 1, 1)))
        if apart + 2 * reach > most:
            best, most = places, apart + 2 * reach
    return best


def _grip(side: Side, part: int, found: Found, index: int) -> Grip:
    betas = np.asarray(found.grasps.betas)[index]
    return Grip(side, part, [one_hand(found.grasps, index)], found.kinds[index], betas)


def _clear_of_others(
    stage: Stage, grips: list[Grip], found: Found, angles: Float[np.ndarray, "A"]
) -> Bool[np.ndarray, "N A"]:
    """Whether, by the grid, each of the search's hands is clear of the part that it doesn't hold, at each angle."""
    if stage.n_parts == 1:
        return np.ones((N_STARTS, len(angles)), bool)
    # all, whether they pass or not, so that nothing compiles anew
    many = join([repeated(one_hand(found.grasps, i), len(angles)) for i in range(N_STARTS)])
    betas = np.repeat(np.asarray(found.grasps.betas), len(angles), axis=0)
    depth = stage.depth_in_others(grips[0], many, np.tile(angles, N_STARTS), betas)
    return depth.reshape(N_STARTS, len(angles)) < MAX_SCREEN_DEPTH


def _forearms(
    stage: Stage, first: list[Grip], second: list[Grip], angle: Float[np.ndarray, "n m"]
) -> tuple[Float[np.ndarray, "n m 3"], Float[np.ndarray, "n m 3"]]:
    """Where the hands' elbows lie (unit), in the object's frame."""

    def observed(grip: Grip, angles: Float[np.ndarray, "k"]) -> Float[np.ndarray, "k 3"]:
        return stage.part_turn(grip.side, grip.part, angles) @ grip.hand.rotation[0, :, 0] * stage.flip(grip.side)

    one = np.stack([observed(grip, angle[i]) for i, grip in enumerate(first)])
    two = np.stack([observed(grip, angle[:, j]) for j, grip in enumerate(second)], axis=1)
    return one, two


def _with_neighbours(
    stage: Stage, found: Found, grips: list[Grip], picked: list[int], rng: np.random.Generator
) -> list[Grip]:
    """The grips with up to two of their neighbours each, into which the hold may change."""
    shop = stage.shops[grips[0].side][grips[0].part]
    varied, passed, each = vary_grasps(shop, found, picked, rng)
    full = []
    for grip, index in zip(grips, picked, strict=True):
        near = np.flatnonzero(passed & (each == index))
        count = min(len(near), int(rng.choice([0, 1, 2], p=[0.3, 0.4, 0.3])))
        neighbours = [one_hand(varied, int(i)) for i in rng.permutation(near)[:count]]
        full.append(dataclasses.replace(grip, keys=[*grip.keys, *neighbours]))
    return full
