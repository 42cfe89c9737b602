"""Right hands of random adults, cut from MakeHuman's body, for make_open_hand.py."""

import zipfile
from dataclasses import dataclass

import numpy as np
from makehuman import macro_targets, read_body, read_target, word_weights

JOINTS = ("hand", *(f"finger-{finger}-{bone}" for finger in (2, 3, 5, 4, 1) for bone in (1, 2, 3)))
"""MakeHuman's names of MANO's 16 joints: wrist, then index, middle, pinky, ring, thumb from root to tip."""
BONES = tuple(name.replace("finger-", "finger") + ".R" for name in JOINTS[1:])
TIPS = tuple(f"finger-{finger}-4" for finger in (2, 3, 5, 4, 1))
LOCAL_TARGETS = {  # standard deviation of each, in units of the target
    "hands/r-hand-fingers-length": 0.2,
    "hands/r-hand-fingers-diameter": 0.2,
    "hands/r-hand-scale": 0.15,
    "hands/measure-wrist-circ": 0.3,
}
FOREARM = 0.022
"""Length of the forearm beyond the wrist that stays with the hand, metres."""
REACH = 0.3
"""Largest distance from the wrist of a vertex of the hand, metres."""


@dataclass(frozen=True)
class People:
    """Hands of n people in MakeHuman's frame, metres, all with the same mesh topology."""

    vertices: np.ndarray
    """(n, V, 3)"""
    joints: np.ndarray
    """(n, 21, 3): the 16 joints, then the finger ends index, middle, pinky, ring, thumb."""
    is_man: np.ndarray
    """(n,)"""
    quads: np.ndarray
    """(Q, 4)"""
    ring: np.ndarray
    """(R,) vertices of the boundary loop at the wrist, in the order of the mesh's winding."""
    weights: np.ndarray
    """(V, 16) skinning weights, at most four positive ones a vertex; each row sums to one."""


def _cut(quads: np.ndarray, vertices: np.ndarray, wrist: np.ndarray, elbow: np.ndarray) -> np.ndarray:
    """Quads of the right hand and a short piece of forearm."""
    along = (vertices - wrist) @ ((elbow - wrist) / np.linalg.norm(elbow - wrist))
    inside = (along < FOREARM) & (np.linalg.norm(vertices - wrist, axis=-1) < REACH)
    return quads[inside[quads].all(axis=-1)]


def _boundary(quads: np.ndarray) -> np.ndarray:
    """Vertices of the only boundary loop of a mesh, in the order of its winding."""
    edges = {(int(a), int(b)) for quad in quads for a, b in zip(quad, np.roll(quad, -1), strict=True)}
    following = {a: b for a, b in edges if (b, a) not in edges}
    loop = [min(following)]
    while following[loop[-1]] != loop[0]:
        loop.append(following[loop[-1]])
    if len(loop) != len(following):
        raise RuntimeError("the cut hand has more than one boundary loop")
    return np.array(loop)


def _joint_weights(bone_weights: dict[str, np.ndarray], skin: np.ndarray) -> np.ndarray:
    """Weights (V, 16) for MANO's joints; bones outside the fingers count for the wrist."""
    fingers = np.stack([bone_weights[bone][skin] for bone in BONES], axis=-1)
    total = np.sum([weight[skin] for weight in bone_weights.values()], axis=0)
    weights = np.column_stack([total - fingers.sum(axis=-1), fingers]) / total[:, None]
    weights[weights < np.maximum(0.005, np.sort(weights, axis=-1)[:, -4:-3])] = 0
    return weights / weights.sum(axis=-1, keepdims=True)


def sample_people(wheel: zipfile.ZipFile, n: int, rng: np.random.Generator) -> People:
    """Draws the hands of n adults, half of them men."""
    body = read_body(wheel)
    n_vertices = len(body.vertices)
    targets = {name: read_target(wheel, name, n_vertices) for name in macro_targets(wheel)}

    def coefficients(axes: dict[str, np.ndarray], race: np.ndarray) -> np.ndarray:
        words = word_weights(axes, race)
        return np.stack([np.prod([words[w] for w in macro_targets(wheel)[name]], axis=0) for name in targets], axis=-1)

    middle = {name: np.full(1, 0.5) for name in ("gender", "age", "muscle", "weight", "height", "proportions")}
    nominal = coefficients(middle, np.full((1, 3), 1 / 3))[0]
    vertices = body.vertices + np.einsum("t,tvc->vc", nominal, np.stack(list(targets.values())))
    centre = {name: vertices[cube].mean(axis=0) for name, cube in body.joint_cubes.items()}
    quads = _cut(body.quads, vertices, centre["joint-r-hand"], centre["joint-r-elbow"])
    skin, quads = np.unique(quads, return_inverse=True)

    def cut(field: np.ndarray) -> np.ndarray:
        joints = [field[body.joint_cubes[f"joint-r-{name}"]].mean(axis=0) for name in (*JOINTS, *TIPS)]
        return np.concatenate([field[skin], joints])

    def spread(deviation: float) -> np.ndarray:
        return np.clip(rng.normal(0.5, deviation, n), 0, 1)

    axes = {"gender": (np.arange(n) % 2).astype(float), "age": 0.5 + 0.5 * rng.beta(1.2, 1.8, n)}
    axes |= {name: spread(0.2) for name in ("muscle", "weight", "height")} | {"proportions": spread(0.25)}
    amounts = coefficients(axes, rng.dirichlet(np.ones(3), n))
    hands = cut(body.vertices) + np.einsum("nt,tvc->nvc", amounts, np.stack([cut(t) for t in targets.values()]))
    for name, deviation in LOCAL_TARGETS.items():
        amount = np.clip(rng.normal(0, deviation, n), -1, 1)[:, None, None]
        more, less = (cut(read_target(wheel, f"{name}-{way}", n_vertices)) for way in ("incr", "decr"))
        hands += np.maximum(amount, 0) * more + np.maximum(-amount, 0) * less
    return People(
        vertices=hands[:, : len(skin)],
        joints=hands[:, len(skin) :],
        is_man=axes["gender"] == 1,
        quads=quads,
        ring=_boundary(quads),
        weights=_joint_weights(dict(body.bone_weights), skin),
    )
