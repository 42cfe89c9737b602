"""Balls inside the hand, against trimesh; and a wire through a finger, which no vertex of the skin notices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import trimesh
from grasps import N_FRAMES, grasp, per_frame, shaken, silent_surface, still
from scipy.spatial import cKDTree

from toch_jax.fit.fit import fitted_alone, solve_hand
from toch_jax.fit.flesh import Flesh, flesh_of
from toch_jax.fit.settings import DEFAULT, FitSettings
from toch_jax.hand.limits import pose_prior
from toch_jax.hand.mesh import close_surface, closed_faces
from toch_jax.hand.mesh import mirror as mirrored
from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.object.model import ObjectModel

WIRE = 0.0015
SIDE, NODES = 0.048, 33


def closed_meshes(hand: HandModel, params: HandParams) -> list[trimesh.Trimesh]:
    """Each frame's hand, watertight; betas (S,)."""
    vertices = close_surface(hand, skin_frames(hand, per_frame(params))[0])
    return [trimesh.Trimesh(skin, np.asarray(closed_faces(hand)), process=False) for skin in np.asarray(vertices)]


def centres(hand: HandModel, params: HandParams, flesh: Flesh) -> np.ndarray:
    """(T, B, 3)."""
    return np.asarray(skin_frames(hand, per_frame(params))[0])[:, np.asarray(flesh.vertices)].mean(axis=2)


def depths(mesh: trimesh.Trimesh, points: np.ndarray) -> np.ndarray:
    """Metres inside: which side by rays, how far by points strewn over the surface."""
    surface = trimesh.sample.sample_surface(mesh, 200_000, seed=0)[0]
    return np.where(mesh.contains(points), 1, -1) * cKDTree(surface).query(points)[0]


def resting(hand: HandModel, betas: np.ndarray) -> HandParams:
    zero = jnp.zeros((1, 3))
    return HandParams(zero, jnp.zeros((1, 45)), jnp.asarray(betas, jnp.float32), zero)


@pytest.mark.parametrize("seed", [0, 1])
def test_balls_touch_the_skin_from_inside(hand: HandModel, seed: int) -> None:
    betas = np.random.default_rng(seed).normal(size=10)
    rest = resting(hand, betas)
    flesh = flesh_of(hand, rest.betas)
    mesh = closed_meshes(hand, rest)[0]
    np.testing.assert_allclose(depths(mesh, centres(hand, rest, flesh)[0]), np.asarray(flesh.radius), atol=2e-4)
    assert np.asarray(flesh.radius).min() > 0.002
    assert len(np.unique(np.asarray(flesh.vertices), axis=0)) == len(flesh.radius)


def test_balls_are_in_every_bone(hand: HandModel) -> None:
    rest = resting(hand, np.zeros(10))
    places = centres(hand, rest, flesh_of(hand, rest.betas))[0]
    joints = np.asarray(skin_frames(hand, per_frame(rest))[1])[0]
    tips = {3: 1, 6: 2, 9: 3, 12: 4, 15: 0}  # MANO's last joints of the fingers, and the tips after the 16
    ends = [(parent, joint) for joint, parent in enumerate(hand.parents) if parent > 0]
    ends += [(last, int(np.argmin(np.linalg.norm(joints[16:] - joints[last], axis=1))) + 16) for last in tips]
    assert len(ends) == 15
    for one, other in ends:
        middle = (joints[one] + joints[other]) / 2
        half = np.linalg.norm(joints[one] - joints[other]) / 2
        assert np.linalg.norm(places - middle, axis=1).min() < half


def test_balls_stay_inside_as_the_hand_bends(hand: HandModel) -> None:
    prior, rng = pose_prior("right"), np.random.default_rng(2)
    pose = rng.uniform(0.7 * prior.lower, 0.7 * prior.upper, (6, 45))
    zero = jnp.zeros((6, 3))
    bent = HandParams(zero, jnp.asarray(pose, jnp.float32), jnp.zeros(10), zero)
    flesh = flesh_of(hand, bent.betas)
    for mesh, places in zip(closed_meshes(hand, bent), centres(hand, bent, flesh), strict=True):
        share = depths(mesh, places) / np.asarray(flesh.radius)
        assert np.median(share) > 0.9
        assert np.mean(share > 0.6) > 0.9


def test_a_left_hand_has_the_mirror_image(hand: HandModel) -> None:
    right, left = flesh_of(hand, jnp.zeros(10)), flesh_of(mirrored(hand), jnp.zeros(10))
    np.testing.assert_allclose(np.sort(left.radius), np.sort(right.radius), atol=1e-4)


def wire(through: np.ndarray, along: np.ndarray) -> ObjectModel:
    """An endless wire through a point, its distances exact at the nodes of a small grid there."""
    nodes = np.stack(np.meshgrid(*[np.linspace(-SIDE / 2, SIDE / 2, NODES)] * 3, indexing="ij"), axis=-1)
    across = nodes - (nodes @ along)[..., None] * along
    nothing = jnp.zeros((0, 3))
    return ObjectModel(
        vertices=nothing,
        faces=jnp.zeros((0, 3), jnp.int32),
        vertex_part=jnp.zeros(0, jnp.int32),
        points=nothing,
        normals=nothing,
        point_part=jnp.zeros(0, jnp.int32),
        clearance_out=jnp.zeros(0),
        clearance_in=jnp.zeros(0),
        sdf=jnp.asarray(np.linalg.norm(across, axis=-1) - WIRE, jnp.float32)[None],
        sdf_origin=jnp.asarray(through - SIDE / 2, jnp.float32)[None],
        sdf_spacing=jnp.full((1, 3), SIDE / (NODES - 1)),
    )


def test_a_wire_leaves_the_finger(hand: HandModel) -> None:
    """It lies in the middle finger's middle bone, 3 mm to the palm's side of its axis; the tracked hand shakes."""
    last = jax.tree.map(lambda leaf: leaf[-1:], per_frame(grasp()))
    tracked = jax.tree.map(lambda leaf: jnp.repeat(leaf, N_FRAMES, axis=0), last).replace(betas=last.betas[0])
    mesh, joints = closed_meshes(hand, tracked)[0], np.asarray(skin_frames(hand, last)[1])[0]
    bone = joints[6] - joints[5]
    bone /= np.linalg.norm(bone)
    beside = np.cross(bone, joints[2] - joints[5])  # the index finger's middle joint is to one side
    beside = np.cross(bone, beside) / np.linalg.norm(np.cross(bone, beside))
    inward = np.cross(bone, beside)
    through = (joints[5] + joints[6]) / 2 + 0.003 * inward
    line = through + np.linspace(-0.008, 0.008, 33)[:, None] * beside
    assert depths(mesh, line).max() > 0.004

    def deepest(settings: FitSettings) -> float:
        given = (
            hand,
            shaken(tracked, 0.005, 0.1),
            jnp.ones(N_FRAMES, bool),
            30.0,
            wire(through, beside),
            still(N_FRAMES),
        )
        found = fitted_alone(solve_hand(*given, silent_surface(N_FRAMES), settings=settings), settings).params
        return float(np.mean([depths(each, line).max() for each in closed_meshes(hand, found)]))

    without = deepest(DEFAULT.replace(flesh_depth=1e3))
    assert without > 0.003
    assert deepest(DEFAULT) < 0.85 * without
    assert deepest(DEFAULT.replace(flesh_depth=1e-3)) < 0.5 * without
