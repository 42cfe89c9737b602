"""Parameters of a hand model from what a tracker gives instead: 21 joints, or points of the skin.

The solver is the fit's, with the joints or points as the only data. Skin points of another hand are not the vertices
of ours: each is drawn to the nearest point of the posed surface, chosen anew in rounds (point-to-plane ICP).
"""

from functools import partial

import igl
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.spatial.transform import Rotation

from toch_jax.fit.build import GAUSSIAN, farthest_points, no_contact, no_joints, no_surface, prior_term, tracked_term
from toch_jax.fit.fit import bucket, cut_frames, pad_frames, pad_params
from toch_jax.fit.problem import JointTerm, Problem, SmoothTerm, SurfaceTerm
from toch_jax.fit.settings import DEFAULT, Levels
from toch_jax.fit.solve import solve_trajectory
from toch_jax.fit.state import params_from_state, state_from_params
from toch_jax.hand.limits import pose_prior
from toch_jax.hand.model import HandModel, HandParams, rest_joints, skin_frames

PALM = (0, 1, 4, 7, 10)
"""The wrist and the fingers' first joints: what moves as one, to place the hand before its fingers bend."""
POINT_ERROR = 0.003
"""Metres: how well a tracker's joints or skin points agree with another hand's."""
GROSS = 0.02
"""Metres: skin points farther than this from the surface have no counterpart (a forearm, the other hand)."""
JOINT_STEPS = 12
ROUNDS, STEPS_OF_ROUND = 6, 3
N_POINTS = 128
"""Of a tracker's skin points, spread evenly, that the hand is drawn to."""
# In MANO's vertex order (FORMATS of smplx and TOCH's sealing): its tips, thumb to pinky, and its wrist ring.
MANO_TIPS = (744, 320, 443, 554, 671)
MANO_RING = (108, 79, 78, 121, 214, 215, 279, 239, 234, 92, 38, 122, 118, 117, 119, 120)
# On that ring: the sides towards the back of the hand, the palm, the thumb and the little finger.
MANO_RING_BACK, MANO_RING_PALM = (279, 239), (117, 119)
MANO_RING_THUMB, MANO_RING_PINKY = (92, 38), (78, 121)


@partial(jax.jit, static_argnames="steps")
def _solve(
    model: HandModel,
    start: HandParams,
    valid: Bool[Array, "T"],
    surface: SurfaceTerm,
    joints: JointTerm,
    link: Float[Array, ""],
    steps: int,
) -> HandParams:
    """Descend on points alone: the start is no observation, and `link` times a loose motion term ties the frames."""
    n_frames = valid.shape[0]
    state = state_from_params(model, start)
    loose = Levels(wrist=1.0, orient=1.0, fingers=1.0)
    linked = 1 / Levels(wrist=0.02, orient=0.2, fingers=0.2).by_group() ** 2
    prior = prior_term(model, DEFAULT)
    problem = Problem(
        surface=surface,
        joints=joints,
        tracked=tracked_term(state, valid, loose, DEFAULT, robust=False).replace(shape_weight=jnp.zeros(())),
        smooth=SmoothTerm(jnp.zeros(17), link * linked, jnp.asarray(GAUSSIAN)),
        # Another hand's proportions are off in the same way in every frame: the prior has to weigh on each.
        prior=prior.replace(shape_weight=prior.shape_weight * valid.sum()),
        contact=no_contact(n_frames),
        frame_valid=valid,
    )
    return params_from_state(model, solve_trajectory(model, problem, state, steps).state)


def _lay(
    source: Float[np.ndarray, "K 3"], pivot: Float[np.ndarray, "3"], target: Float[np.ndarray, "T K 3"], n_shape: int
) -> HandParams:
    """A flat hand laid on each frame by the best rigid motion of a few landmarks (Kabsch); it turns about `pivot`."""
    orient, transl = [], []
    for frame in target:
        turn, _ = Rotation.align_vectors(frame - frame.mean(0), source - source.mean(0))
        orient.append(turn.as_rotvec())
        transl.append(frame.mean(0) - turn.apply(source.mean(0) - pivot) - pivot)
    return HandParams(
        global_orient=jnp.asarray(np.stack(orient), jnp.float32),
        pose=jnp.zeros((len(target), 45)),
        betas=jnp.zeros(n_shape),
        transl=jnp.asarray(np.stack(transl), jnp.float32),
    )


def _flat_joints(model: HandModel) -> Float[np.ndarray, "21 3"]:
    template = np.asarray(model.v_template)
    rest = np.asarray(rest_joints(model, jnp.zeros(model.shapedirs.shape[-1])))
    return np.concatenate([rest, template[np.asarray(model.tips)]])


def params_from_joints(model: HandModel, joints: Float[Array, "T 21 3"], seen: Bool[Array, "T"]) -> HandParams:
    """Parameters whose joints (16 of the skeleton, then the tips) come nearest; one shape for the clip."""
    flat = _flat_joints(model)
    palm = list(PALM)
    start = _lay(flat[palm], flat[0], np.asarray(joints)[:, palm], model.shapedirs.shape[-1])
    return _descend_to_joints(model, start, joints, seen)


def _descend_to_joints(
    model: HandModel, start: HandParams, joints: Float[Array, "T 21 3"], seen: Bool[Array, "T"]
) -> HandParams:
    """Joints that are NaN say nothing; frames that are not `seen` take what their neighbours say."""
    n_frames = len(joints)
    size = bucket(n_frames)
    known = jnp.isfinite(joints).all(axis=-1) & seen[:, None]
    term = JointTerm(jnp.where(known[..., None], joints, 0.0), known / POINT_ERROR**2)
    term = jax.tree.map(partial(pad_frames, size=size), term)
    valid = jnp.arange(size) < n_frames
    found = _solve(model, pad_params(start, size), valid, no_surface(size), term, jnp.ones(()), JOINT_STEPS)
    return cut_frames(found, n_frames)


def _nearest_skin(
    model: HandModel, params: HandParams, points: Float[np.ndarray, "T K 3"], seen: Bool[Array, "T"]
) -> tuple[SurfaceTerm, Float[np.ndarray, "T K"]]:
    """Each point's nearest place on the posed skin, as a term that draws it there, and how far it is."""
    n_frames = len(points)
    frames = params.replace(betas=jnp.broadcast_to(params.betas, (n_frames, params.betas.shape[-1])))
    vertices = np.asarray(skin_frames(model, frames)[0], np.float64)
    faces = np.asarray(model.faces, np.int64)
    face, barycentric, normal, distance = [], [], [], []
    for frame, target in zip(vertices, points.astype(np.float64), strict=True):
        squared, index, nearest = igl.point_mesh_squared_distance(target, frame, faces)
        corners = frame[faces[index]]
        face.append(index)
        barycentric.append(
            igl.barycentric_coordinates(nearest, *(np.ascontiguousarray(corners[:, i]) for i in range(3)))
        )
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normal.append(across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12))
        distance.append(np.sqrt(squared))
    gap = np.stack(distance)
    weight = jnp.asarray((gap < GROSS) / POINT_ERROR**2, jnp.float32) * seen[:, None]
    # All points of a frame are a tracker's one opinion of it, worth about what its 21 joints are.
    weight = weight * 21 / points.shape[1]
    term = SurfaceTerm(
        face=jnp.asarray(np.stack(face), jnp.int32),
        barycentric=jnp.asarray(np.stack(barycentric), jnp.float32),
        target=jnp.asarray(points),
        normal=jnp.asarray(np.stack(normal), jnp.float32),
        weight_along=weight,
        weight_across=0.05 * weight,
    )
    return term, gap


def params_from_points(
    model: HandModel, points: Float[Array, "T K 3"], seen: Bool[Array, "T"], start: HandParams, link: float = 1.0
) -> HandParams:
    """Parameters whose skin passes through the points as nearly as may be, from a rough start (ICP).

    With `link` 0 the frames share nothing but the shape.
    """
    n_frames = len(points)
    size = bucket(n_frames)
    valid = jnp.arange(size) < n_frames
    host = np.asarray(points)
    host = host[:, farthest_points(host[int(np.argmax(np.asarray(seen)))], N_POINTS)]
    params = start
    for _ in range(ROUNDS):
        term, _ = _nearest_skin(model, params, host, seen)
        term = jax.tree.map(partial(pad_frames, size=size), term)
        params = cut_frames(
            _solve(model, pad_params(params, size), valid, term, no_joints(size), jnp.asarray(link), STEPS_OF_ROUND),
            n_frames,
        )
    return params


def params_from_vertices(
    model: HandModel, vertices: Float[Array, "T K 3"], order: str | None, seen: Bool[Array, "T"]
) -> HandParams:
    """Parameters from skin points. In the model's own order every point has its vertex; in MANO's, tips and wrist ring
    tell where the hand lies; unordered points are tried from many sides.
    """
    if vertices.shape[1] == model.v_template.shape[0] and order == model.name:
        return _params_from_own_vertices(model, vertices, seen)
    if order == "mano":
        return params_from_points(model, vertices, seen, _start_from_mano(model, np.asarray(vertices), seen))
    return params_from_points(model, vertices, seen, _start_from_any_side(model, np.asarray(vertices), seen))


def _start_from_mano(model: HandModel, points: Float[np.ndarray, "T 778 3"], seen: Bool[Array, "T"]) -> HandParams:
    """The wrist from MANO's wrist ring, the fingers from its tips."""
    centre = points[:, MANO_RING].mean(axis=1)
    back = points[:, MANO_RING_BACK].mean(axis=1) - points[:, MANO_RING_PALM].mean(axis=1)
    thumb = points[:, MANO_RING_THUMB].mean(axis=1) - points[:, MANO_RING_PINKY].mean(axis=1)
    orient = np.stack(
        [
            Rotation.align_vectors([b, t], [[0, 1, 0], [0, 0, 1]])[0].as_rotvec()
            for b, t in zip(back, thumb, strict=True)
        ]
    )
    flat = _flat_joints(model)
    start = HandParams(
        global_orient=jnp.asarray(orient, jnp.float32),
        pose=jnp.broadcast_to(pose_prior(model.side).mean, (len(points), 45)),
        betas=jnp.zeros(model.shapedirs.shape[-1]),
        transl=jnp.asarray(centre - flat[0], jnp.float32),
    )
    unknown = np.full((len(points), 15, 3), np.nan)
    joints = np.concatenate([centre[:, None], unknown, points[:, MANO_TIPS]], axis=1)
    return _descend_to_joints(model, start, jnp.asarray(joints, jnp.float32), seen)


def _params_from_own_vertices(model: HandModel, vertices: Float[Array, "T V 3"], seen: Bool[Array, "T"]) -> HandParams:
    regressed = jnp.einsum("jv,tvc->tjc", model.joint_regressor, vertices)
    joints = jnp.concatenate([regressed, vertices[:, model.tips]], axis=1)
    return params_from_joints(model, joints, seen)


def _start_from_any_side(model: HandModel, points: Float[np.ndarray, "T K 3"], seen: Bool[Array, "T"]) -> HandParams:
    """The best of 24 orientations of a flat hand in the first frame seen, carried to the others by the points' own
    rigid motion: a point is the same point in every frame.
    """
    first = int(np.argmax(np.asarray(seen)))
    template = np.asarray(model.v_template)
    pivot = _flat_joints(model)[0]
    cloud = points[first]
    sides = Rotation.create_group("O").as_rotvec()
    n_shape = model.shapedirs.shape[-1]
    lever = Rotation.from_rotvec(sides).apply(template.mean(0) - pivot)
    many = HandParams(
        global_orient=jnp.asarray(sides, jnp.float32),
        pose=jnp.zeros((len(sides), 45)),
        betas=jnp.zeros(n_shape),
        transl=jnp.asarray(cloud.mean(0) - lever - pivot, jnp.float32),
    )
    clouds = np.broadcast_to(cloud, (len(sides), *cloud.shape))
    all_seen = jnp.ones(len(sides), bool)
    found = params_from_points(model, jnp.asarray(clouds), all_seen, many, link=0.0)
    gap = _nearest_skin(model, found, clouds, all_seen)[1].mean(axis=1)
    best = int(np.argmin(gap))
    turn = Rotation.from_rotvec(np.asarray(found.global_orient[best]))
    wrist = np.asarray(found.transl[best]) + pivot
    orient, transl = [], []
    for frame in points:
        motion, _ = Rotation.align_vectors(frame - frame.mean(0), cloud - cloud.mean(0))
        orient.append((motion * turn).as_rotvec())
        transl.append(motion.apply(wrist - cloud.mean(0)) + frame.mean(0) - pivot)
    n_frames = len(points)
    return HandParams(
        global_orient=jnp.asarray(np.stack(orient), jnp.float32),
        pose=jnp.broadcast_to(found.pose[best], (n_frames, 45)),
        betas=found.betas,
        transl=jnp.asarray(np.stack(transl), jnp.float32),
    )
