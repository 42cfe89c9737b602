"""TOCH's own inference (Zhou et al. 2022): the paper's network on the paper's windows, then the paper's fit.

The fit follows the authors' script. It starts from one random hand (all unknowns standard normal, in metres and
radians) and does not use the tracked hand. Adam takes 100 steps on translation and rotation and 2,000 on all unknowns,
at rate 0.1, halved after 1,000 of these. The loss weighs correspondences, pose differences in time, accelerations of
the joints, shape and pose by 20, 0.05, 1, 0.001 and 0.0001. The unknowns include 24 pose coefficients for each frame,
relative to the flat hand, and one shape for the clip. Differences from the script, and their reasons:

- At most `N_CORRESPONDENCES` correspondences of a frame, drawn at random, replace all of that frame, with the same
  total weight: for speed.
- The skin is the decimated one of the contact field, and within its triangles the skinning weights are interpolated
  before they are applied, not after: for speed. This moves a point by 0.1 mm on average.
- The 16 joints whose acceleration counts come from the skeleton, not from a regression on posed vertices.
- The network reads `N_SAMPLES` samples near the hand, the same in all frames, in groups of `AT_ONCE`, the number that
  it was trained on (experiments/toch_open_grasps.py). The script draws 2,000 samples of the whole object in each frame,
  with replacement.
- The last window consists of the clip's last frames; the script's own arithmetic loses frames there.
- The script's clips have no frames far from the object. Some clips here do; in those frames the network's mask is
  empty and the fit would leave the hand at its random start. So a frame with an empty mask keeps the tracked hand, if
  the tracker saw it.
- Any hand model can be used: MANO's constants come from the model.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import jaxlie
import numpy as np
import optax
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from toch_jax.base.programs import program
from toch_jax.benchmark.methods.scene import Scene, near_points, repair_hands
from toch_jax.denoiser.window import Denoiser, Window, cut_windows, no_other_hand
from toch_jax.field.contact_field import FieldEstimate, contact_field
from toch_jax.hand.mesh import closest_on_canonical
from toch_jax.hand.model import HandModel, HandParams, forward_kinematics, rest_joints, skin_frames
from toch_jax.object.model import ObjectModel
from toch_jax.sequence.types import Sequence

WINDOW, STRIDE = 30, 15
N_SAMPLES, AT_ONCE = 512, 256
N_CORRESPONDENCES = 96
N_POSE = 24
COARSE_STEPS, FINE_STEPS = 100, 2000
RATE = 0.1


class Targets(struct.PyTreeNode):
    """M skin points in each of T frames and their target positions; the axis of points is last, for speed."""

    weights: Float[Array, "T 16 M"]
    """Skinning weights of the 16 bones, interpolated in the triangle."""
    template: Float[Array, "T 3 M"]
    """The points on the unposed hand of mean shape, metres."""
    shapedirs: Float[Array, "S T 3 M"]
    posedirs: Float[Array, "T 135 3 M"] | None
    """None where the model has none."""
    position: Float[Array, "T 3 M"]
    """Target positions, metres."""
    weight: Float[Array, "T M"]
    """Weights of the points; their sum over all frames is 1."""


class Unknowns(struct.PyTreeNode):
    """Unknowns of the fit: rotation vectors, pose coefficients, translations (metres) and shape."""

    global_orient: Float[Array, "T 3"]
    pose: Float[Array, "T 24"]
    transl: Float[Array, "T 3"]
    betas: Float[Array, "S"]


def toch_refine(sequence: Sequence, denoiser: Denoiser, object: ObjectModel | None = None) -> Sequence:
    """The sequence repaired by TOCH's inference; `denoiser` is a network of its architecture."""

    def repair(scene: Scene) -> HandParams:
        field, points, normals = clean_field(scene, denoiser)
        found = (field.mask_logit > 0).any(axis=1)
        targets = correspondences(jax.random.key(0), scene, field, points, normals)
        fitted = fit(jax.random.key(1), scene.surface, targets, scene.n_frames)
        stay = scene.observed & ~found
        return jax.tree.map(lambda fitted, tracked: jnp.where(stay[:, None], tracked, fitted), fitted, scene.tracked)

    return repair_hands(sequence, repair, object)


def clean_field(scene: Scene, denoiser: Denoiser) -> tuple[FieldEstimate, Float[Array, "T N 3"], Float[Array, "T N 3"]]:
    """The network's contact field of each frame, and points and normals of its samples.

    Each frame is taken from one window: all frames of the first window, then the second half of each later one.
    """
    surface = scene.surface
    vertices, joints = skin_frames(surface, scene.tracked)
    count = min(N_SAMPLES, scene.object.samples.points.shape[0])
    near, points, normals = near_points(scene, joints, count // AT_ONCE * AT_ONCE or count)
    field = contact_field(vertices, surface.faces, surface.v_template, near, scene.motion)
    clip = Window(
        field=jax.tree.map(lambda leaf: leaf[None], field),
        points=points[None, :1],
        normals=normals[None, :1],
        own=(near.samples.part == scene.part)[None],
        joints=joints[None],
        tracked=joints[None],
        observed=scene.observed[None],
        left=jnp.zeros(1, bool),
        two_handed=jnp.zeros(1, bool),
        other=no_other_hand(1, len(joints)),
    )
    return _denoise(denoiser, clip, scene.n_frames), points, normals


@program()
def _denoise(denoiser: Denoiser, clip: Window, n_frames: Int[Array, ""]) -> FieldEstimate:
    padded = clip.observed.shape[1]
    last = jnp.maximum(n_frames - WINDOW, 0)
    starts = jnp.minimum(STRIDE * jnp.arange(max(1, -(-(padded - WINDOW) // STRIDE) + 1)), last)
    frames = starts[:, None] + jnp.arange(WINDOW)
    frame_mask = frames < n_frames
    frames = jnp.minimum(frames, padded - 1)
    estimate = _by_groups(denoiser, cut_windows(clip, frames, frame_mask))
    frame = jnp.arange(padded)
    window = jnp.clip((frame - STRIDE) // STRIDE, 0, -(-last // STRIDE))
    within = jnp.clip(frame - starts[window], 0, WINDOW - 1)
    return jax.tree.map(lambda leaf: leaf[window, within], estimate)


def _by_groups(denoiser: Denoiser, windows: Window) -> FieldEstimate:
    """The network's field of all samples, computed in groups of AT_ONCE that are each spread over the object."""
    count = windows.own.shape[1]
    groups = max(1, count // AT_ONCE)

    def split(leaf: Array, axis: int) -> Array:
        apart = leaf.reshape(*leaf.shape[:axis], count // groups, groups, *leaf.shape[axis + 1 :])
        return jnp.moveaxis(apart, axis + 1, 0)

    def join(leaf: Float[Array, "G B W K *rest"]) -> Float[Array, "B W N *rest"]:
        together = jnp.moveaxis(leaf, 0, 3)
        return together.reshape(*together.shape[:2], count, *together.shape[4:])

    by_sample = {name: getattr(windows, name) for name in ("field", "points", "normals")}
    apart = jax.tree.map(partial(split, axis=2), by_sample) | {"own": split(windows.own, 1)}
    return jax.tree.map(join, jax.vmap(lambda group: denoiser(windows.replace(**group)).field)(apart))


def correspondences(
    key: jax.Array,
    scene: Scene,
    field: FieldEstimate,
    points: Float[Array, "T N 3"],
    normals: Float[Array, "T N 3"],
) -> Targets:
    """Skin points and their target positions, according to the field."""
    chosen, weight = _draw(key, field, scene.n_frames)
    canonical = jnp.take_along_axis(field.correspondence, chosen[..., None], axis=1)
    # the coarse surface is closed: all of it is skin
    face, barycentric, _ = closest_on_canonical(scene.surface, canonical)
    return _targets(scene.surface, field, points, normals, chosen, weight, face, barycentric)


@program()
def _draw(
    key: jax.Array, field: FieldEstimate, valid_frames: Int[Array, ""]
) -> tuple[Int[Array, "T M"], Float[Array, "T M"]]:
    """Indices of the samples drawn from each frame's mask, and their weights."""
    n_frames, n_samples = field.mask_logit.shape
    hit = (field.mask_logit > 0) & (jnp.arange(n_frames) < valid_frames)[:, None]
    drawn, chosen = jax.lax.top_k(
        jnp.where(hit, jax.random.uniform(key, hit.shape), -1.0), min(N_CORRESPONDENCES, n_samples)
    )
    kept, total = drawn >= 0, jnp.maximum(hit.sum(), 1)
    share = hit.sum(axis=1, keepdims=True) / jnp.maximum(kept.sum(axis=1, keepdims=True), 1)
    return chosen, jnp.where(kept, share / total, 0.0)


@program()
def _targets(
    surface: HandModel,
    field: FieldEstimate,
    points: Float[Array, "T N 3"],
    normals: Float[Array, "T N 3"],
    chosen: Int[Array, "T M"],
    weight: Float[Array, "T M"],
    face: Int[Array, "T M"],
    barycentric: Float[Array, "T M 3"],
) -> Targets:
    def pick(values: Float[Array, "T N *rest"]) -> Float[Array, "T M *rest"]:
        return jnp.take_along_axis(values, chosen.reshape(chosen.shape + (1,) * (values.ndim - 2)), axis=1)

    corners = surface.faces[face]

    def blend(values: Float[Array, "V *rest"]) -> Float[Array, "T *rest M"]:
        return jnp.einsum("tmc,tmc...->t...m", barycentric, values[corners])

    return Targets(
        weights=blend(surface.weights),
        template=blend(surface.v_template),
        shapedirs=jnp.moveaxis(blend(surface.shapedirs), 2, 0),
        posedirs=jnp.moveaxis(blend(surface.posedirs), 2, 1),
        position=jnp.swapaxes(pick(points) + pick(field.distance)[..., None] * pick(normals), 1, 2),
        weight=weight,
    )


def fit(key: jax.Array, model: HandModel, targets: Targets, n_frames: Int[Array, ""]) -> HandParams:
    """The hand found by the script's optimisation; axes as in `Scene.tracked`."""
    if not np.any(model.posedirs):
        targets = targets.replace(posedirs=None)
    return _fit(key, model, targets, n_frames)


@program()
def _fit(key: jax.Array, model: HandModel, targets: Targets, n_frames: Int[Array, ""]) -> HandParams:
    padded, n_shape = len(targets.weight), model.shapedirs.shape[-1]
    orient, pose, transl, shape = jax.random.split(key, 4)
    unknowns = Unknowns(
        global_orient=jax.random.normal(orient, (padded, 3)),
        pose=jax.random.normal(pose, (padded, N_POSE)),
        transl=jax.random.normal(transl, (padded, 3)),
        betas=jax.random.normal(shape, (n_shape,)),
    )

    def descend(
        unknowns: Unknowns, loss: Callable[[Unknowns], Float[Array, ""]], rate: optax.ScalarOrSchedule, steps: int
    ) -> Unknowns:
        rule = optax.adam(rate)

        def step(_: Int[Array, ""], state: tuple[Unknowns, optax.OptState]) -> tuple[Unknowns, optax.OptState]:
            unknowns, memory = state
            change, memory = rule.update(jax.grad(loss)(unknowns), memory)
            return optax.apply_updates(unknowns, change), memory

        return jax.lax.fori_loop(0, steps, step, (unknowns, rule.init(unknowns)))[0]

    def coarse(free: Unknowns) -> Float[Array, ""]:
        held = free.replace(pose=unknowns.pose, betas=unknowns.betas)
        return _squared_error(targets, pose_points(model, targets, held)[0])

    def fine(free: Unknowns) -> Float[Array, ""]:
        return script_loss(model, targets, free, n_frames)

    near = descend(unknowns, coarse, RATE, COARSE_STEPS)
    fitted = descend(near, fine, optax.piecewise_constant_schedule(RATE, {1000: 0.5}), FINE_STEPS)
    return as_params(model, fitted)


def as_params(model: HandModel, unknowns: Unknowns) -> HandParams:
    """Hand parameters of the unknowns; axes (T, ...), betas (T, S)."""
    return HandParams(
        global_orient=unknowns.global_orient,
        pose=unknowns.pose @ model.pose_components[:N_POSE],
        betas=jnp.broadcast_to(unknowns.betas, (len(unknowns.global_orient), *unknowns.betas.shape)),
        transl=unknowns.transl,
    )


def script_loss(model: HandModel, targets: Targets, unknowns: Unknowns, n_frames: Int[Array, ""]) -> Float[Array, ""]:
    """The loss of the fine steps; frames from `n_frames` on are padding."""
    points, joints = pose_points(model, targets, unknowns)
    frame_mask = jnp.arange(len(joints)) < n_frames
    pose_change = jnp.mean((unknowns.pose[1:] - unknowns.pose[:-1]) ** 2, axis=1)
    acceleration = jnp.sum((joints[2:] - 2 * joints[1:-1] + joints[:-2]) ** 2, axis=-1).mean(axis=1)
    return (
        20.0 * _squared_error(targets, points)
        + 0.05 * _mean(pose_change, frame_mask[1:])
        + _mean(acceleration, frame_mask[2:])
        + 0.001 * jnp.mean(unknowns.betas**2)
        + 0.0001 * _mean(jnp.mean(unknowns.pose**2, axis=1), frame_mask)
    )


def pose_points(
    model: HandModel, targets: Targets, unknowns: Unknowns
) -> tuple[Float[Array, "T 3 M"], Float[Array, "T 16 3"]]:
    """Posed skin points of the targets, and the skeleton's joints; metres."""
    pose = (unknowns.pose @ model.pose_components[:N_POSE]).reshape(-1, 15, 3)
    vectors = jnp.concatenate([unknowns.global_orient[:, None], pose], axis=1)
    rotations = jaxlie.SO3.exp(vectors).as_matrix()
    rest = jnp.broadcast_to(rest_joints(model, unknowns.betas), vectors.shape)
    rotation, position = forward_kinematics(model.parents, rotations, rest)
    offset = position - jnp.einsum("tjab,tjb->tja", rotation, rest)
    shaped = targets.template + jnp.tensordot(unknowns.betas, targets.shapedirs, axes=1)
    if targets.posedirs is not None:
        bend = (rotations[:, 1:] - jnp.eye(3)).reshape(-1, 135)
        shaped = shaped + jnp.einsum("tqcm,tq->tcm", targets.posedirs, bend)
    motion = jnp.concatenate([rotation, offset[..., None]], axis=-1)
    blended = jnp.einsum("tjab,tjm->tabm", motion, targets.weights)
    posed = jnp.sum(blended[:, :, :3] * shaped[:, None], axis=2) + blended[:, :, 3]
    return posed + unknowns.transl[..., None], position + unknowns.transl[:, None]


def _squared_error(targets: Targets, points: Float[Array, "T 3 M"]) -> Float[Array, ""]:
    """Weighted mean over the correspondences of the squared error of a coordinate, m^2."""
    return jnp.sum(targets.weight * jnp.mean((points - targets.position) ** 2, axis=1))


def _mean(values: Float[Array, "T"], frame_mask: Bool[Array, "T"]) -> Float[Array, ""]:
    """Mean over the frames that are not padding."""
    return jnp.sum(jnp.where(frame_mask, values, 0.0)) / jnp.maximum(frame_mask.sum(), 1)
