"""One clip of one hand: approach, grasps and departure, tested frame by frame against the mesh, put into the world."""

import dataclasses
import itertools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.spatial.transform import Rotation
from trimesh import Trimesh

from toch_jax.datasets.examples import Example
from toch_jax.datasets.open_grasps.check import MIN_BONE_M, Contact, bone_points, measure_contact
from toch_jax.datasets.open_grasps.grasp import Grasp
from toch_jax.datasets.open_grasps.path import (
    N_WAYS,
    Beside,
    Hand,
    along_way,
    between,
    clear_ways,
    draw_way,
    join,
    object_path,
    smooth,
    to_grasp,
)
from toch_jax.datasets.open_grasps.probe import HandProbe, bend_to_pose, finger_rotations
from toch_jax.datasets.open_grasps.starts import KINDS, LIMITS, template
from toch_jax.hand.model import HandModel, rest_joints, skin_rotations
from toch_jax.object.model import DistanceGrid
from toch_jax.object.sdf import signed_distance

FRAME_BUCKET = 80
TRIES = 3
FOREARM = np.array([0.25, -0.85, 0.45])
"""Preferred direction from the hand to the elbow in the world: towards a person at -y, and upwards."""
RELAXED = np.deg2rad([20.0, 28.0, 15.0])
"""Flexion of the knuckle, middle and end joint of a relaxed finger, radians."""


@dataclass(frozen=True)
class Workshop:
    """What is common to all clips of one object and hand model."""

    model: HandModel
    probe: HandProbe
    target: DistanceGrid
    """Signed distances to the object."""
    surface: Trimesh
    fps: float

    def contact(self, hand: Hand, betas: Float[np.ndarray, "*#T S"]) -> Contact:
        """Exact contact in each frame. `betas`: one shape for all frames, or one per frame."""
        return self.meet(self.skin(hand, betas))

    def skin(self, hand: Hand, betas: Float[np.ndarray, "*#T S"]) -> Float[np.ndarray, "T K 3"]:
        """The full hand's vertices, then its `bone_points`, in the object's frame, metres."""
        frames = len(hand.wrist)
        fill = -frames % FRAME_BUCKET
        padded = Hand(*(np.concatenate([x, np.repeat(x[-1:], fill, axis=0)]) for x in dataclasses.astuple(hand)))
        shapes = np.broadcast_to(betas, (frames, np.shape(betas)[-1]))
        shapes = np.concatenate([shapes, np.repeat(shapes[-1:], fill, axis=0)])
        vertices, joints = _skin(self.model, self.probe, to_grasp(padded, shapes))
        return np.concatenate([vertices, bone_points(self.model, np.asarray(joints))], axis=1)[:frames]

    def meet(self, points: Float[np.ndarray, "T K 3"]) -> Contact:
        """Exact contact of the points returned by `skin`."""
        padded = np.concatenate([points, np.repeat(points[-1:], -len(points) % FRAME_BUCKET, axis=0)])
        # points that are too far to matter, by the grid, are not measured exactly
        far = 2 * MIN_BONE_M + float(np.linalg.norm(self.target.spacing[0]))
        near = np.asarray(_grid_distance(self.target, jnp.asarray(padded, jnp.float32))) < far
        return measure_contact(self.model, points, near[: len(points)], self.surface)


@jax.jit
def _skin(model: HandModel, probe: HandProbe, grasp: Grasp) -> tuple[Float[Array, "T V 3"], Float[Array, "T 21 3"]]:
    rotations = jnp.concatenate([grasp.rotation[:, None], finger_rotations(probe.axes, grasp.bend)], axis=1)
    return skin_rotations(model, rotations, grasp.betas, grasp.wrist - rest_joints(model, grasp.betas)[:, 0])


@jax.jit
def _grid_distance(target: DistanceGrid, points: Float[Array, "T K 3"]) -> Float[Array, "T K"]:
    return signed_distance(target, 0, points)


def make_clip(
    shop: Workshop, keys: list[Hand], kind: str, betas: Float[np.ndarray, "S"], rng: np.random.Generator
) -> tuple[Hand, Bool[np.ndarray, "T"], tuple[int, int]] | None:
    """The hand in the object's frame, its grasp frames, and the frames (first, last + 1) in which the object may move.

    `keys` are neighbouring grasps (T = 1 each), held one after the other, or only the first if the transition between
    them fails the exact test. None if that fails too, or there is no approach or departure without collision.
    """
    frames = int(rng.integers(45, 80))
    held = None
    for chosen in (keys, keys[:1]):
        held = hold(chosen, frames, rng)
        contact = shop.contact(held, betas)
        if contact.is_grasp.all():
            break
    else:
        return None
    reach = approach(shop, held[:1], kind, betas, int(rng.integers(22, 38)), rng)
    leave = approach(shop, held[-1:], kind, betas, int(rng.integers(18, 30)), rng)
    if reach is None or leave is None:
        return None
    (coming, before), (going, after) = reach, leave
    hand = join([coming, held, going[::-1]])
    grasp = np.concatenate([before.is_grasp, contact.is_grasp, after.is_grasp[::-1]])
    rest = 4
    return hand, grasp, (len(coming.wrist) + rest, len(coming.wrist) + frames - rest)


def hold(keys: list[Hand], frames: int, rng: np.random.Generator) -> Hand:
    """The hand over `frames` frames that holds the grasps `keys` (T = 1) one by one, with random transitions."""
    if len(keys) == 1:
        return Hand(*(np.repeat(part, frames, axis=0) for part in (keys[0].rotation, keys[0].wrist, keys[0].bend)))
    cuts = np.linspace(0, frames, len(keys)).round().astype(int)
    pieces = []
    for i, (first, second) in enumerate(itertools.pairwise(keys)):
        count = cuts[i + 1] - cuts[i]
        u = np.linspace(0, 1, count, endpoint=i == len(keys) - 2)
        quick = rng.uniform(0.4, 1.0)
        pieces.append(between(first, second, smooth((u - rng.uniform(0, 1 - quick)) / quick)))
    return join(pieces)


def approach(
    shop: Workshop,
    grasp: Hand,
    kind: str,
    betas: Float[np.ndarray, "S"],
    frames: int,
    rng: np.random.Generator,
    beside: Beside | None = None,
) -> tuple[Hand, Contact] | None:
    """The hand from far away to just before the grasp (T = 1), and its exact contact; None if every path collides.

    Collisions with other obstacles (`beside`) are tested on the grid only; the caller must test them exactly.
    """
    wide = template(KINDS[kind], np.array([-0.15]))[0]
    relaxed = np.zeros((15, 3))
    relaxed[:12, 0] = np.tile(RELAXED, 4) * rng.uniform(0.4, 1.5)
    relaxed[12, :2], relaxed[13:, 0] = np.deg2rad((5, 15)), np.deg2rad(12)
    ways = [draw_way(grasp, wide, np.clip(relaxed, *LIMITS), rng) for _ in range(N_WAYS)]
    good = clear_ways(shop.probe, shop.target, grasp, betas, ways, beside)
    best = good[: max(TRIES, len(good) // 2)]
    for i in rng.permutation(len(best))[:TRIES]:
        u = 1 - smooth(np.arange(frames) / frames)
        hand = along_way(grasp, best[i], u)
        contact = shop.contact(hand, betas)
        if contact.is_clear.all():
            return hand, contact
    return None


def to_world(
    shop: Workshop,
    hand: Hand,
    betas: Float[np.ndarray, "S"],
    moving: tuple[int, int],
    rng: np.random.Generator,
) -> Example:
    """The example's hand and object entries for a right hand: the object rests, is carried and rests again.

    `moving` gives the frames (first, last + 1) in which the object is carried.
    """
    frames = len(hand.wrist)
    first, last = moving
    start = first_pose(hand.wrist[first : first + 1], hand.rotation[first : first + 1, :, 0], FOREARM[None], rng)
    rotation, translation = object_path(last - first, shop.fps, start, rng)
    rotation = np.concatenate([np.repeat(rotation[:1], first, 0), rotation, np.repeat(rotation[-1:], frames - last, 0)])
    translation = np.concatenate(
        [np.repeat(translation[:1], first, 0), translation, np.repeat(translation[-1:], frames - last, 0)]
    )
    translation = translation + rng.normal(scale=0.15, size=3) + np.array([0.0, 0.4, 0.8])
    return {
        **hand_entries(shop, hand, betas, rotation, translation),
        "object_vertices": np.asarray(shop.surface.vertices),
        "object_faces": np.asarray(shop.surface.faces),
        "object_vertex_part": np.zeros(len(shop.surface.vertices)),
        "object_rotation": Rotation.from_matrix(rotation).as_rotvec()[None],
        "object_translation": translation[None],
    }


def hand_entries(
    shop: Workshop,
    hand: Hand,
    betas: Float[np.ndarray, "S"],
    rotation: Float[np.ndarray, "T 3 3"],
    translation: Float[np.ndarray, "T 3"],
) -> Example:
    """The example's entries for a right hand.

    `rotation` and `translation` are the pose in the world of the object (or part) whose frame `hand` is in.
    """
    wrist = np.einsum("tab,tb->ta", rotation, hand.wrist) + translation
    root = np.asarray(rest_joints(shop.model, jnp.asarray(betas, jnp.float32)))[0]
    return {
        "hand_global_orient": Rotation.from_matrix(rotation @ hand.rotation).as_rotvec(),
        "hand_pose": bend_to_pose(shop.probe.axes, hand.bend),
        "hand_transl": wrist - root,
        "hand_betas": betas,
    }


def mirrored(entries: Example) -> Example:
    """Entries of the hand, and of the object if present, mirrored at x = 0. `side` is not changed."""
    flip = np.array([-1.0, 1.0, 1.0])
    out = dict(entries)
    for key in {"hand_transl", "object_vertices", "object_translation"} & set(entries):
        out[key] = entries[key] * flip
    for key in {"hand_global_orient", "object_rotation"} & set(entries):
        out[key] = entries[key] * -flip
    out["hand_pose"] = entries["hand_pose"] * np.tile(-flip, 15)
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
    tilts = Rotation.from_rotvec(
        [[0, 0, 0], [90, 0, 0], [-90, 0, 0], [0, 90, 0], [0, -90, 0], [180, 0, 0]], degrees=True
    )
    yaws = Rotation.from_rotvec(np.outer(rng.uniform(0, 360, 12), [0, 0, 1]), degrees=True)
    poses = [yaw * tilt for tilt in tilts for yaw in yaws]
    if upright is not None:
        poses = [pose * upright for pose in poses]
    change = rng.normal(scale=0.35, size=3)
    score = np.zeros(len(poses))
    for wrist, direction, elbow in zip(wrists, forearms, elbows, strict=True):
        wish = elbow + change
        height = np.array([pose.apply(wrist)[2] for pose in poses])
        forearm = np.array([pose.apply(direction) for pose in poses])
        score += forearm @ wish / np.linalg.norm(wish) + 4.0 * np.clip(height, -0.15, 0.05)
    score[: len(yaws)] += 0.25
    return poses[int(np.argmax(score))] * Rotation.from_rotvec(rng.normal(scale=0.05, size=3))
