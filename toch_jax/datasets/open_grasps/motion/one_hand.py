"""Clips of one hand and a rigid object: approach, grasps and departure, tested frame by frame, put into the world."""

import itertools
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation
from trimesh import Trimesh

from toch_jax.datasets.open_grasps.motion.paths import (
    N_PATHS,
    ObstacleDepth,
    between,
    clear_paths,
    draw_path,
    hand_along,
    object_path,
    smooth,
)
from toch_jax.datasets.open_grasps.objects.rigid import make_object
from toch_jax.datasets.open_grasps.search.hands import Hand, HandSamples, bend_to_pose, hand_of, join, repeated
from toch_jax.datasets.open_grasps.search.search import (
    GRID_NODES,
    N_OBJECT_SAMPLES,
    Contact,
    SearchContext,
    find_grasps,
    pick_grasps,
    vary_grasps,
)
from toch_jax.datasets.open_grasps.search.starts import KINDS, LIMITS, Kind, template
from toch_jax.datasets.prepared import Example, check_example, stack_hands
from toch_jax.datasets.spec import DatasetSpec
from toch_jax.hand.model import HandModel, rest_joints
from toch_jax.object.build import build_object

# How a clip goes, chosen by eye. Ranges are (low, high), high excluded, in frames at 30 a second.
HOLD_FRAMES, APPROACH_FRAMES, DEPARTURE_FRAMES = (45, 80), (22, 38), (18, 30)
REST_FRAMES = 4
"""Frames between grasping and moving, and between moving and letting go."""
LEFT_SHARE = 0.3
"""Fraction of left hands."""
N_NEIGHBOURS, NEIGHBOUR_SHARES = (0, 1, 2, 3), (0.15, 0.35, 0.3, 0.2)
"""Number of neighbouring grasps to which the hand shifts while it holds, and how often each number is drawn."""
TRANSITION = (0.4, 1.0)
"""Part of the time between two neighbouring grasps in which the hand moves."""
APPROACHES = 3
"""Number of paths that are tested exactly, drawn from the better half of those that are clear by the grid."""
OVEROPEN = -0.15
"""Closure of the opened hand: wider than the open posture (0) of its kind of grasp."""

# A relaxed hand far from the object, radians.
RELAXED = np.deg2rad([20.0, 28.0, 15.0])
"""Flexion of the knuckle, middle and end joint of a finger; times a random factor."""
RELAXED_FACTOR = (0.4, 1.5)
RELAXED_THUMB, RELAXED_THUMB_ENDS = np.deg2rad((5, 15)), np.deg2rad(12)
"""Flexion and spread of the thumb's root; flexion of its other joints."""

# Where the object is in the world, z up, a person at -y.
FOREARM = np.array([0.25, -0.85, 0.45])
"""Preferred direction from the hand to the elbow: towards the person, and upwards."""
FOREARM_NOISE = 0.35
POSITION_M, POSITION_NOISE_M = np.array([0.0, 0.4, 0.8]), 0.15
TILTS = [[0, 0, 0], [90, 0, 0], [-90, 0, 0], [0, 90, 0], [0, -90, 0], [180, 0, 0]]
"""The object upright, on each of its sides, and upside down: rotation vectors in degrees."""
N_YAWS = 12
"""Number of random rotations about the vertical that are compared for each tilt."""
UPRIGHT_BONUS = 0.25
"""Advantage of the upright object in the score, whose main term is a cosine."""
HEIGHT_WEIGHT, HEIGHT_RANGE = 4.0, (-0.15, 0.05)
"""Advantage (per metre, within the range) of a hand that is above the object's centre."""
TILT_NOISE = 0.05
"""Random rotation in the end, radians about each axis."""


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


def make_clips(spec: DatasetSpec, model: HandModel, samples: HandSamples, job: Job) -> list[Example]:
    """At most `job.clips` clips; fewer if too few grasps pass the exact test. The result depends on the job only."""
    return clips_of(spec, model, samples, job, make_object(job.object, job.variant, job.seed))


def clips_of(
    spec: DatasetSpec,
    model: HandModel,
    samples: HandSamples,
    job: Job,
    surface: Trimesh,
    kinds: Mapping[str, Kind] = KINDS,
    lift: float = 0.0,
) -> list[Example]:
    """The clips of a job whose object is `surface`, with grasps of `kinds`.

    The search takes the object to be thicker by `lift` metres, so that hands press that much less deep.
    """
    rng = np.random.default_rng([job.seed, zlib.crc32(job.object.encode()), job.variant])
    obj = build_object(
        surface.vertices, surface.faces, n_samples=N_OBJECT_SAMPLES, sdf_resolution=GRID_NODES, where=job.name
    )
    if lift:
        obj = obj.replace(grid=obj.grid.replace(distance=obj.grid.distance - lift))
    context = SearchContext(model, samples, obj.grid, surface, spec.fps, kinds)
    found = find_grasps(context, obj, rng)
    picked = pick_grasps(found, rng) if found is not None else []
    if found is None or not picked:
        return []
    varied, passed, each = vary_grasps(context, found, picked, rng)

    clips: list[Example] = []
    for index in picked:
        neighbours = np.flatnonzero(passed & (each == index))
        count = min(len(neighbours), int(rng.choice(N_NEIGHBOURS, p=NEIGHBOUR_SHARES)))
        keys = [hand_of(found.grasps, index), *(hand_of(varied, int(i)) for i in rng.permutation(neighbours)[:count])]
        betas = np.asarray(found.grasps.betas)[index]
        made = make_clip(context, keys, found.kinds[index], betas, rng)
        if made is None:
            continue
        hand, grasp, carried = made
        of_hand, of_object = to_world(context, hand, betas, carried, rng)
        is_left = rng.random() < LEFT_SHARE
        if is_left:
            of_hand, of_object = mirrored(of_hand), mirrored(of_object)
        clip = {
            "id": f"{job.name}_{len(clips)}",
            "object": job.object,
            "fps": spec.fps,
            **stack_hands(("left" if is_left else "right",), [of_hand], grasp[None]),
            **of_object,
        }
        clips.append(check_example(spec, clip))
        if len(clips) == job.clips:
            break
    return clips


def make_clip(
    context: SearchContext, keys: list[Hand], kind: str, betas: Float[np.ndarray, "S"], rng: np.random.Generator
) -> tuple[Hand, Bool[np.ndarray, "T"], tuple[int, int]] | None:
    """The hand in the object's frame, its grasp frames, and the frames (first, last + 1) in which the object may move.

    `keys` are neighbouring grasps (T = 1 each), held one after the other, or only the first if the transition between
    them fails the exact test. None if that fails too, or there is no approach or departure without collision.
    """
    frames, least = int(rng.integers(*HOLD_FRAMES)), context.least_digits(kind)
    for chosen in (keys, keys[:1]):
        held = hold(chosen, frames, rng)
        contact = context.contact(held, betas)
        if contact.holds(least).all():
            break
    else:
        return None
    approach = approach_path(context, held[:1], kind, betas, int(rng.integers(*APPROACH_FRAMES)), rng)
    departure = approach_path(context, held[-1:], kind, betas, int(rng.integers(*DEPARTURE_FRAMES)), rng)
    if approach is None or departure is None:
        return None
    (before, contact_before), (after, contact_after) = approach, departure
    hand = join([before, held, after[::-1]])
    grasp = np.concatenate([contact_before.holds(least), contact.holds(least), contact_after.holds(least)[::-1]])
    return hand, grasp, (len(before.wrist) + REST_FRAMES, len(before.wrist) + frames - REST_FRAMES)


def hold(keys: list[Hand], frames: int, rng: np.random.Generator) -> Hand:
    """The hand over `frames` frames that holds the grasps `keys` (T = 1) one by one, with random transitions."""
    if len(keys) == 1:
        return repeated(keys[0], frames)
    cuts = np.linspace(0, frames, len(keys)).round().astype(int)
    pieces = []
    for i, (first, second) in enumerate(itertools.pairwise(keys)):
        u = np.linspace(0, 1, cuts[i + 1] - cuts[i], endpoint=i == len(keys) - 2)
        moving = rng.uniform(*TRANSITION)
        pieces.append(between(first, second, smooth((u - rng.uniform(0, 1 - moving)) / moving)))
    return join(pieces)


def approach_path(
    context: SearchContext,
    grasp: Hand,
    kind: str,
    betas: Float[np.ndarray, "S"],
    frames: int,
    rng: np.random.Generator,
    obstacle_depth: ObstacleDepth | None = None,
) -> tuple[Hand, Contact] | None:
    """The hand from far away to just before the grasp (T = 1), and its exact contact; None if every path collides.

    Collisions with other obstacles are tested on the grid only; the caller must test them exactly.
    """
    opened = template(context.kinds[kind], np.array([OVEROPEN]))[0]
    relaxed = np.zeros((15, 3))
    relaxed[:12, 0] = np.tile(RELAXED, 4) * rng.uniform(*RELAXED_FACTOR)
    relaxed[12, :2], relaxed[13:, 0] = RELAXED_THUMB, RELAXED_THUMB_ENDS
    paths = [draw_path(grasp, opened, np.clip(relaxed, *LIMITS), rng) for _ in range(N_PATHS)]
    clear = clear_paths(context.samples, context.grid, grasp, betas, paths, obstacle_depth)
    best = clear[: max(APPROACHES, len(clear) // 2)]
    for i in rng.permutation(len(best))[:APPROACHES]:
        hand = hand_along(grasp, best[i], 1 - smooth(np.arange(frames) / frames))
        contact = context.contact(hand, betas)
        if contact.is_clear.all():
            return hand, contact
    return None


def to_world(
    context: SearchContext,
    hand: Hand,
    betas: Float[np.ndarray, "S"],
    carried: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[Example, Example]:
    """The example's entries of a right hand, and of the object, which rests, is carried and rests again.

    `carried` gives the frames (first, last + 1) in which the object is carried.
    """
    first, last = carried
    start = first_pose(hand.wrist[first : first + 1], hand.rotation[first : first + 1, :, 0], FOREARM[None], rng)
    path = object_path(last - first, context.fps, start, rng)
    rotation, translation = (extended(part, first, len(hand.wrist)) for part in path)
    translation = placed(translation, rng)
    return hand_entries(context, hand, betas, rotation, translation), {
        "object_vertices": np.asarray(context.surface.vertices),
        "object_faces": np.asarray(context.surface.faces),
        "object_vertex_part": np.zeros(len(context.surface.vertices)),
        "object_rotation": Rotation.from_matrix(rotation).as_rotvec()[None],
        "object_translation": translation[None],
    }


def extended(path: Float[np.ndarray, "n ..."], before: int, total: int) -> Float[np.ndarray, "total ..."]:
    """The path extended to `total` frames: its first value `before` frames long, its last value at the end."""
    return path[np.clip(np.arange(total) - before, 0, len(path) - 1)]


def placed(translation: Float[np.ndarray, "T 3"], rng: np.random.Generator) -> Float[np.ndarray, "T 3"]:
    """The object's path moved to a random position before the person's chest, metres."""
    return translation + rng.normal(scale=POSITION_NOISE_M, size=3) + POSITION_M


def hand_entries(
    context: SearchContext,
    hand: Hand,
    betas: Float[np.ndarray, "S"],
    rotation: Float[np.ndarray, "T 3 3"],
    translation: Float[np.ndarray, "T 3"],
) -> Example:
    """The example's entries of a right hand.

    `rotation` and `translation` are the pose in the world of the object (or part) whose frame `hand` is in.
    """
    wrist = np.einsum("tab,tb->ta", rotation, hand.wrist) + translation
    root = np.asarray(rest_joints(context.model, jnp.asarray(betas, jnp.float32)))[0]
    return {
        "hand_global_orient": Rotation.from_matrix(rotation @ hand.rotation).as_rotvec(),
        "hand_pose": bend_to_pose(context.samples.axes, hand.bend),
        "hand_transl": wrist - root,
        "hand_betas": betas,
    }


def mirrored(entries: Example) -> Example:
    """Entries of a hand, of the object, or of both, mirrored at x = 0."""
    flip = np.array([-1.0, 1.0, 1.0])
    factors = {
        **dict.fromkeys(("hand_transl", "object_vertices", "object_translation"), flip),
        **dict.fromkeys(("hand_global_orient", "object_rotation"), -flip),
        "hand_pose": np.tile(-flip, 15),
    }
    out = {key: value * factors[key] if key in factors else value for key, value in entries.items()}
    if "object_faces" in entries:
        out["object_faces"] = entries["object_faces"][:, ::-1]
    return out


def first_pose(
    wrists: Float[np.ndarray, "H 3"],
    forearms: Float[np.ndarray, "H 3"],
    elbows: Float[np.ndarray, "H 3"],
    rng: np.random.Generator,
    upright: Rotation | None = None,
) -> Rotation:
    """Initial rotation of the object in the world: upright or on a side, such that hands reach from the person.

    `wrists` (m) and `forearms` (unit vectors from hand to elbow) are in the object's frame, `elbows` are the preferred
    directions from hand to elbow in the world. `upright` is the object's upright rotation, if its z axis is not up.
    """
    tilts = Rotation.from_rotvec(TILTS, degrees=True)
    yaws = Rotation.from_rotvec(np.outer(rng.uniform(0, 360, N_YAWS), [0, 0, 1]), degrees=True)
    poses = Rotation.concatenate([yaws * tilt for tilt in tilts])
    if upright is not None:
        poses = poses * upright
    change = rng.normal(scale=FOREARM_NOISE, size=3)
    score = np.zeros(len(poses))
    for wrist, direction, elbow in zip(wrists, forearms, elbows, strict=True):
        preferred = elbow + change
        height, forearm = poses.apply(wrist)[:, 2], poses.apply(direction)
        score += forearm @ preferred / np.linalg.norm(preferred) + HEIGHT_WEIGHT * np.clip(height, *HEIGHT_RANGE)
    score[:N_YAWS] += UPRIGHT_BONUS
    return poses[int(np.argmax(score))] * Rotation.from_rotvec(rng.normal(scale=TILT_NOISE, size=3))
