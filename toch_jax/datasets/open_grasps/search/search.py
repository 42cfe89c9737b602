"""The search for grasps of one object: starts, descent, exact test; and variations of the grasps that passed."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.transform import Rotation

from toch_jax.datasets.open_grasps.search.contact import SearchContext
from toch_jax.datasets.open_grasps.search.energy import GraspGoal, close_hands, self_overlap
from toch_jax.datasets.open_grasps.search.hands import Grasp, Hand
from toch_jax.datasets.open_grasps.search.starts import CENTRE, LIMITS, make_starts
from toch_jax.object.model import ObjectModel

N_OBJECT_SAMPLES, GRID_NODES = 1000, 56
"""Surface samples of each object (or part), from which starts are drawn; nodes along each side of its distance grid."""
N_STARTS = 40
"""Number of grasps that are searched at once."""
N_VARIED = 8
"""Number of grasps that are varied: more than the clips wanted, as some cannot be reached without collision."""
SEARCH_STEPS, VARY_STEPS = 100, 60
"""Steps of descent. Variations begin near a grasp."""
VARY_STIFFNESS = 6.0
"""Weight of a variation's own random posture (1 in the search), so that it does not fall back on the varied grasp."""
MAX_OVERLAP_M = 0.003
"""Largest overlap of the soft tissue of two digits in a grasp."""

# Random changes of a grasp that is varied: standard deviations, times a factor that is small for most.
VARY_SHIFT_M, VARY_ROTATION, VARY_BEND = 0.005, 0.06, 0.04
VARY_AXES = np.array([1.0, 0.5, 0.0])
"""Factors of flexion, spread and twist."""
VARY_FACTORS, VARY_SHARES = (0.3, 1.0, 2.0, 3.5), (0.2, 0.35, 0.3, 0.15)
"""The factors, and how often each is drawn: grips shift by some millimetres, now and then by a centimetre or two."""


@dataclass(frozen=True)
class FoundGrasps:
    """Result of a grasp search: N_STARTS grasps."""

    grasps: Grasp
    goals: GraspGoal
    kinds: list[str]
    passed: Bool[np.ndarray, "N"]
    """Whether each grasp passes the exact test."""


def find_grasps(
    context: SearchContext, obj: ObjectModel, rng: np.random.Generator, near: Float[np.ndarray, "3"] = CENTRE
) -> FoundGrasps | None:
    """Grasps of the object (with its samples), preferably near the point `near`; None if it cannot be grasped."""
    starts = make_starts(context.samples, obj, N_STARTS, rng, near)
    if starts is None:
        return None
    start, goals, kinds = starts
    grasps = _closed(context, start, goals, SEARCH_STEPS)
    return FoundGrasps(grasps, goals, kinds, _passes(context, grasps))


def vary_grasps(
    context: SearchContext, found: FoundGrasps, picked: list[int], rng: np.random.Generator
) -> tuple[Grasp, Bool[np.ndarray, "N"], Int[np.ndarray, "N"]]:
    """Variations of the picked grasps, whether each passes the exact test, and the index of the grasp it varies."""
    # the batch size does not depend on the number picked, so that nothing is recompiled
    each = np.resize(np.repeat(picked, N_STARTS // N_VARIED), N_STARTS)
    varied = _closed(context, *_changed(found.grasps, found.goals, each, rng), VARY_STEPS)
    return varied, _passes(context, varied), each


def pick_grasps(found: FoundGrasps, rng: np.random.Generator) -> list[int]:
    """Up to N_VARIED of the grasps that passed, in an order that alternates between the kinds."""
    good = np.flatnonzero(found.passed)
    of_kind = {
        kind: [i for i in rng.permutation(good) if found.kinds[i] == kind]
        for kind in rng.permutation(sorted(set(found.kinds)))
    }
    rounds = max((len(indices) for indices in of_kind.values()), default=0)
    order = [int(indices[k]) for k in range(rounds) for indices in of_kind.values() if k < len(indices)]
    return order[:N_VARIED]


def _closed(context: SearchContext, start: Grasp, goals: GraspGoal, steps: int) -> Grasp:
    """The hands after the search."""
    return close_hands(context.samples, context.grid, start, goals, jnp.asarray(LIMITS, jnp.float32), steps)[0]


def _passes(context: SearchContext, grasps: Grasp) -> Bool[np.ndarray, "N"]:
    """Whether each grasp passes the exact test, touches with the thumb and has no overlapping digits."""
    hands = Hand(*(np.asarray(part, np.float64) for part in (grasps.rotation, grasps.wrist, grasps.bend)))
    contact = context.contact(hands, np.asarray(grasps.betas))
    overlap = np.asarray(self_overlap(context.samples, grasps))
    return contact.is_grasp & contact.touching[:, 0] & (overlap < MAX_OVERLAP_M)


def _changed(
    grasps: Grasp, goals: GraspGoal, each: Int[np.ndarray, "N"], rng: np.random.Generator
) -> tuple[Grasp, GraspGoal]:
    """Starts and goals for variations of the grasps `each`: random changes of several sizes, near the new posture."""
    base, goal = jax.tree.map(lambda leaf: leaf[jnp.asarray(each)], (grasps, goals))
    factor = rng.choice(VARY_FACTORS, size=(len(each), 1), p=VARY_SHARES)
    shift = rng.normal(scale=VARY_SHIFT_M, size=(len(each), 3)) * factor
    rotation = rng.normal(scale=VARY_ROTATION, size=(len(each), 3)) * factor
    bend = rng.normal(scale=VARY_BEND, size=(len(each), 15, 3)) * factor[..., None] * VARY_AXES
    start = base.replace(
        rotation=jnp.asarray(np.asarray(base.rotation) @ Rotation.from_rotvec(rotation).as_matrix(), jnp.float32),
        wrist=base.wrist + jnp.asarray(shift, jnp.float32),
        bend=jnp.clip(base.bend + jnp.asarray(bend, jnp.float32), *jnp.asarray(LIMITS, jnp.float32)),
    )
    return start, goal.replace(bend=start.bend, stiffness=jnp.full(len(each), VARY_STIFFNESS, jnp.float32))
