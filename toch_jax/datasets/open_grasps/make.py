"""All clips of one object in one size: build it, search grasps, vary them, make clips of them."""

import zlib
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.transform import Rotation

from toch_jax.datasets.examples import Example, check_example, stack_hands
from toch_jax.datasets.open_grasps.clip import Hand, Workshop, make_clip, mirrored, to_world
from toch_jax.datasets.open_grasps.grasp import Aim, Grasp, close_hands, self_overlap
from toch_jax.datasets.open_grasps.objects import make_object
from toch_jax.datasets.open_grasps.probe import HandProbe
from toch_jax.datasets.open_grasps.starts import LIMITS, MIDDLE, make_starts
from toch_jax.datasets.spec import DatasetSpec
from toch_jax.hand.model import HandModel
from toch_jax.object.build import build_object
from toch_jax.object.model import ObjectModel

N_STARTS = 40
N_VARIED = 8
"""Number of grasps that are varied: more than the clips wanted, as some cannot be reached without collision."""
SEARCH_STEPS = 100
VARY_STEPS = 60
VARY_STIFFNESS = 6.0
SDF_RESOLUTION = 56
MAX_OVERLAP_M = 0.003
LEFT_SHARE = 0.3


@dataclass(frozen=True)
class Job:
    """Unit of work and of caching: up to `clips` clips of one object in one size (`variant`)."""

    object: str
    variant: int
    clips: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.object}_{self.variant}"


def make_clips(spec: DatasetSpec, model: HandModel, probe: HandProbe, job: Job) -> list[Example]:
    """At most `job.clips` clips; fewer if too few grasps pass the exact test. The result depends on the job only."""
    rng = np.random.default_rng([job.seed, zlib.crc32(job.object.encode()), job.variant])
    surface = make_object(job.object, job.variant, job.seed)
    target = build_object(
        surface.vertices, surface.faces, n_samples=1000, sdf_resolution=SDF_RESOLUTION, where=job.name
    )
    shop = Workshop(model, probe, target.grid, surface, spec.fps)
    found = find_grasps(shop, target, rng)
    if found is None:
        return []
    grasps, kinds = found.grasps, found.kinds
    picked = _pick(np.flatnonzero(found.passed), kinds, rng)[:N_VARIED]
    if not picked:
        return []
    varied, passed, each = vary_grasps(shop, found, picked, rng)

    clips: list[Example] = []
    for index in picked:
        neighbours = np.flatnonzero(passed & (each == index))
        count = min(len(neighbours), int(rng.choice([0, 1, 2, 3], p=[0.15, 0.35, 0.3, 0.2])))
        keys = [one_hand(grasps, index), *(one_hand(varied, int(i)) for i in rng.permutation(neighbours)[:count])]
        betas = np.asarray(grasps.betas)[index]
        made = make_clip(shop, keys, kinds[index], betas, rng)
        if made is None:
            continue
        hand, grasp, moving = made
        entries = to_world(shop, hand, betas, moving, rng)
        is_left = rng.random() < LEFT_SHARE
        if is_left:
            entries = mirrored(entries)
        hand_entries = {key: entries.pop(key) for key in tuple(entries) if key.startswith("hand_")}
        clip = {
            "id": f"{job.name}_{len(clips)}",
            "object": job.object,
            "fps": spec.fps,
            **stack_hands(("left" if is_left else "right",), [hand_entries], grasp[None]),
            **entries,
        }
        clips.append(check_example(spec, clip))
        if len(clips) == job.clips:
            break
    return clips


@dataclass(frozen=True)
class Found:
    """Result of a grasp search: N_STARTS grasps."""

    grasps: Grasp
    aims: Aim
    kinds: list[str]
    passed: Bool[np.ndarray, "N"]
    """Whether each grasp passes the exact test."""


def find_grasps(
    shop: Workshop, target: ObjectModel, rng: np.random.Generator, about: Float[np.ndarray, "3"] = MIDDLE
) -> Found | None:
    """Grasps of the object (with its samples), preferably near the point `about`; None if it cannot be grasped."""
    begun = make_starts(shop.probe, target, N_STARTS, rng, about=about)
    if begun is None:
        return None
    start, aims, kinds = begun
    grasps, _ = close_hands(shop.probe, shop.target, start, aims, jnp.asarray(LIMITS, jnp.float32), SEARCH_STEPS)
    return Found(grasps, aims, kinds, _passes(shop, grasps))


def vary_grasps(
    shop: Workshop, found: Found, picked: list[int], rng: np.random.Generator
) -> tuple[Grasp, Bool[np.ndarray, "N"], Int[np.ndarray, "N"]]:
    """Variations of the picked grasps, whether each passes the exact test, and the index of the grasp it varies."""
    # the batch size does not depend on the number picked, so that nothing is recompiled
    each = np.resize(np.repeat(picked, N_STARTS // N_VARIED), N_STARTS)
    start, aims = _disturbed(found.grasps, found.aims, each, rng)
    varied, _ = close_hands(shop.probe, shop.target, start, aims, jnp.asarray(LIMITS, jnp.float32), VARY_STEPS)
    return varied, _passes(shop, varied), each


def _passes(shop: Workshop, grasps: Grasp) -> Bool[np.ndarray, "N"]:
    """Whether each grasp passes the exact test, touches with the thumb and has no overlapping digits."""
    many = Hand(*(np.asarray(part, np.float64) for part in (grasps.rotation, grasps.wrist, grasps.bend)))
    contact = shop.contact(many, np.asarray(grasps.betas))
    return contact.is_grasp & contact.touching[:, 0] & (np.asarray(self_overlap(shop.probe, grasps)) < MAX_OVERLAP_M)


def _pick(good: np.ndarray, kinds: list[str], rng: np.random.Generator) -> list[int]:
    """The good grasps in an order that alternates between the kinds."""
    of_kind = {
        kind: [i for i in rng.permutation(good) if kinds[i] == kind] for kind in rng.permutation(sorted(set(kinds)))
    }
    rounds = max((len(indices) for indices in of_kind.values()), default=0)
    return [int(indices[k]) for k in range(rounds) for indices in of_kind.values() if k < len(indices)]


def _disturbed(grasps: Grasp, aims: Aim, each: np.ndarray, rng: np.random.Generator) -> tuple[Grasp, Aim]:
    """Starts and aims for variations of the grasps `each`: random changes of several sizes, near the new posture."""
    base = jax.tree.map(lambda leaf: leaf[jnp.asarray(each)], grasps)
    size = rng.choice([0.3, 1.0, 2.0, 3.5], size=(len(each), 1), p=[0.2, 0.35, 0.3, 0.15])
    shift = rng.normal(scale=0.005, size=(len(each), 3)) * size
    turn = rng.normal(scale=0.06, size=(len(each), 3)) * size
    bend = rng.normal(scale=0.04, size=(len(each), 15, 3)) * size[..., None] * np.array([1.0, 0.5, 0.0])
    rotation = np.asarray(base.rotation) @ Rotation.from_rotvec(turn).as_matrix()
    start = base.replace(
        rotation=jnp.asarray(rotation, jnp.float32),
        wrist=base.wrist + jnp.asarray(shift, jnp.float32),
        bend=jnp.clip(base.bend + jnp.asarray(bend, jnp.float32), *jnp.asarray(LIMITS, jnp.float32)),
    )
    aim = jax.tree.map(lambda leaf: leaf[jnp.asarray(each)], aims)
    return start, aim.replace(bend=start.bend, stiffness=jnp.full(len(each), VARY_STIFFNESS, jnp.float32))


def one_hand(grasps: Grasp, index: int) -> Hand:
    """The grasp number `index` as a Hand (T = 1) of NumPy arrays."""
    return Hand(*(np.asarray(part, np.float64)[index][None] for part in (grasps.rotation, grasps.wrist, grasps.bend)))
