"""Makes open_hand.npz, a hand in MANO's interface: `python scripts/open_hand/make_open_hand.py`.

Adults are sampled from MakeHuman's phenotypes; their right hands are cut from the body, aligned, brought to a flat pose
and scaled to measured hand lengths. The shape space is the principal components of the result. The output is the same,
byte for byte, on every run.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from makehuman import open_wheel
from people import People, sample_people
from poses import bend_axes, pose_limits, sample_poses
from scipy.optimize import nnls
from scipy.spatial.transform import Rotation

N_PEOPLE, N_BETAS, N_POSES = 2000, 10, 20_000
PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
"""Parent of each of the 16 joints; -1 for the wrist."""
CHILD = (0, 2, 3, 16, 5, 6, 17, 8, 9, 18, 11, 12, 19, 14, 15, 20)
"""For each joint the far end of its bone, among the 16 joints and the 5 finger ends; the wrist has no bone."""
THUMB_LIFT = np.deg2rad(25)
"""Rotation of the thumb about the normal of its nail in the flat hand, radians."""
HAND_LENGTH = {True: (0.190, 0.010), False: (0.175, 0.009)}
"""Length from wrist to middle fingertip, mean and standard deviation, metres; True: men, False: women."""

Array = np.ndarray
Rng = np.random.Generator


def _unit(x: Array) -> Array:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def _turn(rotation: Array, points: Array) -> Array:
    return np.einsum("...ab,...vb->...va", rotation, points)


def align(people: People) -> tuple[Array, Array]:
    """Vertices and joints in MANO's frame with the wrist at the origin, aligned to each other; metres."""
    joints, vertices = (x - people.joints[:, :1] for x in (people.joints, people.vertices))
    x = -_unit(joints[:, 4])
    z = joints[:, 1] - joints[:, 7]
    z = _unit(z - x * np.sum(x * z, axis=-1, keepdims=True))
    frame = np.stack([x, np.cross(z, x), z], axis=1)
    vertices, joints = _turn(frame, vertices), _turn(frame, joints)
    palm = people.weights[:, 0] > 0.9
    for _ in range(3):
        mean = vertices[:, palm].mean(axis=0)
        u, _, vt = np.linalg.svd(np.einsum("va,nvb->nab", mean, vertices[:, palm]))
        proper = np.ones((len(u), 3))
        proper[:, 2] = np.linalg.det(u @ vt)
        rotation = (u * proper[:, None]) @ vt
        vertices, joints = _turn(rotation, vertices), _turn(rotation, joints)
    return vertices, joints


def flat_bones(vertices: Array, joints: Array, weights: Array) -> tuple[Array, Array]:
    """Bone directions (15, 3) of the flat hand, and the bending axis (3,) of its thumb."""
    mean = joints.mean(axis=0)
    bones = _unit(mean[list(CHILD[1:])] - mean[1:16])
    fingers = _unit((mean[[16, 17, 18, 19]] - mean[[1, 4, 7, 10]]) * [1, 0, 1])
    bones[:12] = np.repeat(fingers, 3, axis=0)
    # normal of the nail: the direction in which the thumb's last segment is thinnest, towards the thumb side
    end = vertices.mean(axis=0)[weights[:, 15] > 0.9]
    end = (end - end.mean(axis=0)) @ (np.eye(3) - np.outer(bones[14], bones[14]))
    nail = np.linalg.svd(end, full_matrices=False)[2][1]
    nail *= np.sign(nail[2])
    lift = Rotation.from_rotvec(-THUMB_LIFT * nail)
    bones[12:] = lift.apply(bones[12:])
    return bones, lift.apply(_unit(np.cross(nail, bones[14])))


def _swing(start: Array, end: Array) -> Array:
    """Smallest rotations (n, 3, 3) of unit vectors `start` (n, 3) onto `end` (3,)."""
    axis = np.cross(start, end)
    angle = np.arctan2(np.linalg.norm(axis, axis=-1), start @ end)
    return Rotation.from_rotvec(_unit(axis) * angle[:, None]).as_matrix()


def lay_flat(vertices: Array, joints: Array, weights: Array, bones: Array, rng: Rng) -> tuple[Array, Array]:
    """Rotates every bone onto `bones`, with skinning, and varies lengths of fingers and widths of hands at random."""
    n = len(vertices)
    lengths = np.repeat(rng.normal(1, 0.035, (n, 5)), 3, axis=1)
    width = rng.normal(1, 0.03, n)
    maps = np.empty((n, 16, 3, 3))
    maps[:, 0] = np.eye(3) * np.stack([np.ones(n), width, width], axis=-1)[:, None]
    moved = np.empty_like(joints)
    moved[:, 0] = joints[:, 0]
    for joint in range(1, 16):
        bone, parent = bones[joint - 1], PARENTS[joint]
        along = np.outer(bone, bone)
        stretch = lengths[:, joint - 1, None, None] * along + width[:, None, None] * (np.eye(3) - along)
        maps[:, joint] = stretch @ _swing(_unit(joints[:, CHILD[joint]] - joints[:, joint]), bone)
        step = joints[:, joint] - joints[:, parent]
        moved[:, joint] = moved[:, parent] + np.einsum("nab,nb->na", maps[:, parent], step)
    last = [3, 6, 9, 12, 15]
    moved[:, 16:] = moved[:, last] + np.einsum("njab,njb->nja", maps[:, last], joints[:, 16:] - joints[:, last])
    offsets = moved[:, :16] - np.einsum("njab,njb->nja", maps, joints[:, :16])
    skinned = np.zeros_like(vertices)
    for joint in range(16):
        skinned += weights[:, joint, None] * (_turn(maps[:, joint], vertices) + offsets[:, joint, None])
    return skinned, moved


def find_tips(vertices: Array, weights: Array, bones: Array) -> Array:
    """Index of the vertex farthest along the last bone of index, middle, pinky, ring, thumb."""
    mean = vertices.mean(axis=0)
    return np.array([np.argmax(np.where(weights[:, j] > 0.5, mean @ bones[j - 1], -np.inf)) for j in (3, 6, 9, 12, 15)])


def seal(vertices: Array, weights: Array, quads: Array, ring: Array) -> tuple[Array, Array, Array]:
    """Closes the wrist by a fan around the ring's centroid and splits quads along the shorter diagonal."""
    vertices = np.concatenate([vertices, vertices[:, ring].mean(axis=1, keepdims=True)], axis=1)
    weights = np.concatenate([weights, weights[ring].mean(axis=0, keepdims=True)])
    corner = vertices.mean(axis=0)[quads]
    first = np.linalg.norm(corner[:, 0] - corner[:, 2], axis=-1) <= np.linalg.norm(corner[:, 1] - corner[:, 3], axis=-1)
    quads = np.where(first[:, None], quads, np.roll(quads, -1, axis=1))
    fan = np.stack([np.roll(ring, -1), ring, np.full(len(ring), len(weights) - 1)], axis=-1)
    return vertices, weights, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]], fan])


def regress_joints(vertices: Array, joints: Array, weights: Array) -> Array:
    """Joint regressor (16, V): each joint as a convex combination of nearby vertices, fitted to 200 people."""
    vertices, joints = vertices[:200], joints[:200]
    mean = vertices.mean(axis=0)
    regressor = np.zeros((16, weights.shape[0]))
    for joint in range(16):
        if joint == 0:
            near = np.flatnonzero(np.abs(mean[:, 0] - joints[:, 0, 0].mean()) < 0.018)
        else:
            near = np.flatnonzero((weights[:, joint] > 0.05) & (weights[:, PARENTS[joint]] > 0.05))
        system = vertices[:, near].transpose(0, 2, 1).reshape(-1, len(near))
        # the last row, with a large weight, makes the weights sum to one
        system = np.concatenate([system, np.full((1, len(near)), 10.0)])
        weight, _ = nnls(system, np.append(joints[:, joint].ravel(), 10.0))
        regressor[joint, near] = weight / weight.sum()
    return regressor


def shape_space(vertices: Array) -> tuple[Array, Array, Array]:
    """Mean (V, 3), principal directions times standard deviations (V, 3, S), and shares of the variance."""
    mean = vertices.mean(axis=0)
    _, values, rows = np.linalg.svd((vertices - mean).reshape(len(vertices), -1), full_matrices=False)
    directions = rows[:N_BETAS] * values[:N_BETAS, None] / np.sqrt(len(vertices))
    # positive coefficients make the hand larger
    directions *= np.sign(directions @ (mean - mean.mean(axis=0)).ravel())[:, None]
    return mean, directions.T.reshape(*mean.shape, N_BETAS), values**2 / np.sum(values**2)


def build(say: Callable[[str], None] = print) -> dict[str, Array]:
    """All arrays of the hand model's file; `say` prints a summary."""
    rng = np.random.default_rng(2022)
    people = sample_people(open_wheel(), N_PEOPLE, rng)
    vertices, joints = align(people)
    bones, thumb_flexion = flat_bones(vertices, joints, people.weights)
    vertices, joints = lay_flat(vertices, joints, people.weights, bones, rng)
    tips = find_tips(vertices, people.weights, bones)
    aim = np.array([rng.normal(*HAND_LENGTH[bool(man)]) for man in people.is_man])
    scale = (aim / np.linalg.norm(vertices[:, tips[1]] - joints[:, 0], axis=-1))[:, None, None]
    vertices, weights, faces = seal(vertices * scale, people.weights, people.quads, people.ring)
    joints = joints[:, :16] * scale
    origin = joints[:, 4].mean(axis=0)
    vertices, joints = vertices - origin, joints - origin
    template, shapedirs, share = shape_space(vertices)
    regressor = regress_joints(vertices, joints, weights)
    error = np.linalg.norm(np.einsum("jv,nvc->njc", regressor, vertices) - joints, axis=-1)
    axes = bend_axes(bones, thumb_flexion)
    poses = sample_poses(axes, N_POSES, rng)
    components = np.linalg.eigh(poses.T @ poses / N_POSES)[1].T[::-1]
    components = components * np.sign(components.sum(axis=-1, keepdims=True))
    say(f"{len(template)} vertices, {len(faces)} faces, tips {tips}")
    say(f"joint regressor: mean {1e3 * error.mean():.2f} mm, worst {1e3 * error.max():.2f} mm")
    say(f"first shape component: {100 * share[0]:.1f} %, all {N_BETAS}: {100 * share[:N_BETAS].sum():.1f} %")
    arrays = {
        "v_template": template,
        "shapedirs": shapedirs,
        "joint_regressor": regressor,
        "weights": weights,
        "pose_components": components,
        "prior_mean": poses.mean(axis=0),
        "prior_covariance": np.cov(poses.T),
        "pose_limits": pose_limits(axes, N_POSES, rng),
    }
    integers = {"faces": faces, "tips": tips[[4, 0, 1, 3, 2]], "parents": np.array(PARENTS)}
    return {k: v.astype(np.float32) for k, v in arrays.items()} | {k: v.astype(np.int16) for k, v in integers.items()}


if __name__ == "__main__":
    path = Path(__file__).parents[2] / "toch_jax" / "hand" / "open_hand" / "open_hand.npz"
    np.savez_compressed(path, allow_pickle=False, **build())
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")
