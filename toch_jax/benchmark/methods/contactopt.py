"""A static contact optimiser like ContactOpt (Grady et al. 2021): each frame alone, no smoothness, no network.

250 steps of Adam (AMSGrad, rate 0.01) change the tracked hand's rotation, translation (times 0.3) and 15 pose
coefficients. They minimise the absolute difference between the capsule contact of hand and object and its target
(missing contact weighs three times, the hand's contact 2.5 times the object's), plus 320 a metre for depth beyond 2 mm.
These are ContactOpt's settings for estimates from images. Differences and their reasons:

- ContactOpt's target contact comes from DeepContact: a network on the points of hand and object with ten classes of
  contact, trained on thermal images of real grasps. Its weights are for MANO only. Here `contact_target` replaces it,
  with the same ten classes: skin that faces the object within a tracker's error is to be in contact.
  This limits the method: with the true hand's contact, joint errors of 15 mm (T(0.01), validation clips) fall to 7 mm;
  with this target they do not change, and the depth falls from 4.5 to 1.3 mm.
- One start, the tracked hand. ContactOpt's eight starts, perturbed by 2 cm, take eight times as long.
- Nearest neighbours are updated every fifth step, among 1,000 samples near the hand: for speed.
- The hand has about 750 vertices; MANO has 778.
- A frame without target contact is left as it is; the authors leave such grasps out of their data.
"""

import jax
import jax.numpy as jnp
import jaxlie
import optax
from flax import struct
from jaxtyping import Array, Float, Int

from toch_jax.base.programs import program
from toch_jax.benchmark.methods.scene import Nearest, Scene, near_points, nearest, pick, repair_hands
from toch_jax.hand.model import HandModel, HandParams, skin, skin_frames
from toch_jax.object.model import ObjectModel
from toch_jax.sequence.types import Sequence

TOP, BOTTOM, RADIUS = 0.0005, -0.001, 0.001
"""Ends of a capsule's axis along the sample's outward normal, and its radius; metres (DiffContact)."""
ALLOWED_DEPTH = 0.002
"""Penetration depth (metres) without penalty, since soft tissue deforms."""
N_SAMPLES = 1000
N_CLASSES = 10
N_POSE = 15
STEPS, REFRESH = 250, 5
RATE = 0.01
TRANSLATION_SCALE = 0.3
MISSING = 2.0
"""Additional weight of missing contact, relative to excess contact."""
HAND_WEIGHT, DEPTH_WEIGHT = 2.5, 320.0
NEAR, FAR = 0.01, 0.02
"""Distances (metres) of skin facing the object: up to NEAR its target contact is in the highest of the ten classes,
from FAR on in the lowest. Chosen on validation clips."""


class Targets(struct.PyTreeNode):
    """Target contact (0 to 1) of hand vertices and object samples."""

    hand: Float[Array, "T V"]
    object: Float[Array, "T N"]


class Step(struct.PyTreeNode):
    """Change of the tracked hand: rotation vector, pose coefficients and translation before TRANSLATION_SCALE."""

    rotation: Float[Array, "T 3"]
    pose: Float[Array, "T 15"]
    translation: Float[Array, "T 3"]


def contactopt(sequence: Sequence, object: ObjectModel | None = None) -> Sequence:
    """The sequence with the hand of each frame moved into contact and out of the object."""

    def repair(scene: Scene) -> HandParams:
        vertices, joints = skin_frames(scene.surface, scene.tracked)
        _, points, normals = near_points(scene, joints, N_SAMPLES)
        targets = contact_target(scene.surface, vertices, points, normals)
        return optimise(scene.surface, scene.tracked, points, normals, targets)

    return repair_hands(sequence, repair, object)


@program()
def contact_target(
    model: HandModel,
    vertices: Float[Array, "T V 3"],
    points: Float[Array, "T N 3"],
    normals: Float[Array, "T N 3"],
) -> Targets:
    """Target contact from the position of the tracked hand; the values are the centres of the ten classes."""
    near = nearest(vertices, points)
    facing = vertex_normals(model, vertices)

    def target(offset: Float[Array, "T K 3"], skin: Float[Array, "T K 3"], surface: Float[Array, "T K 3"]) -> Array:
        outside = jnp.sum(offset * surface, axis=-1) > 0
        distance = jnp.where(outside, jnp.linalg.norm(offset, axis=-1), 0.0)
        share = jnp.clip((FAR - distance) / (FAR - NEAR), 0.0, 1.0) * (jnp.sum(skin * surface, axis=-1) < -0.5)
        return (jnp.clip(jnp.floor(share * N_CLASSES), 0, N_CLASSES - 1) + 0.5) / N_CLASSES

    sample = pick(points, near.sample)
    return Targets(
        hand=target(vertices - sample, facing, pick(normals, near.sample)),
        object=target(pick(vertices, near.vertex) - points, pick(facing, near.vertex), normals),
    )


def energy(
    model: HandModel,
    params: HandParams,
    points: Float[Array, "T N 3"],
    normals: Float[Array, "T N 3"],
    targets: Targets,
    near: Nearest,
) -> Float[Array, "T"]:
    """The optimiser's objective in each frame."""
    vertices = skin(model, params)[0]
    hand, object = contacts(vertices, points, normals, near)

    def difference(target: Float[Array, "T K"], found: Float[Array, "T K"]) -> Float[Array, "T"]:
        missing = target - found
        return jnp.mean(jnp.abs(missing + MISSING * jnp.maximum(missing, 0.0)), axis=1)

    penetration = depth(vertices, points, normals, near).mean(axis=1)
    return (
        HAND_WEIGHT * difference(targets.hand, hand) + difference(targets.object, object) + DEPTH_WEIGHT * penetration
    )


@program()
def optimise(
    model: HandModel,
    tracked: HandParams,
    points: Float[Array, "T N 3"],
    normals: Float[Array, "T N 3"],
    targets: Targets,
) -> HandParams:
    """The hand after all STEPS; frames without target contact do not change."""
    rule = optax.amsgrad(RATE)
    frames = len(points)
    start = Step(rotation=jnp.zeros((frames, 3)), pose=jnp.zeros((frames, N_POSE)), translation=jnp.zeros((frames, 3)))
    free = (targets.hand > 0.5).any(axis=1, keepdims=True)

    def round_of_steps(state: tuple[Step, optax.OptState], _: None) -> tuple[tuple[Step, optax.OptState], None]:
        near = nearest(skin(model, _moved(model, tracked, state[0]))[0], points)

        def loss(step: Step) -> Float[Array, ""]:
            return energy(model, _moved(model, tracked, step), points, normals, targets, near).sum()

        def one(_: Int[Array, ""], state: tuple[Step, optax.OptState]) -> tuple[Step, optax.OptState]:
            step, memory = state
            change, memory = rule.update(jax.grad(loss)(step), memory)
            change = jax.tree.map(lambda leaf: jnp.where(free, leaf, 0.0), change)
            return optax.apply_updates(step, change), memory

        return jax.lax.fori_loop(0, REFRESH, one, state), None

    (step, _), _ = jax.lax.scan(round_of_steps, (start, rule.init(start)), length=STEPS // REFRESH)
    return _moved(model, tracked, step)


def _moved(model: HandModel, tracked: HandParams, step: Step) -> HandParams:
    orient = jaxlie.SO3.exp(tracked.global_orient) @ jaxlie.SO3.exp(step.rotation)
    return tracked.replace(
        global_orient=orient.log(),
        pose=tracked.pose + step.pose @ model.pose_components[:N_POSE],
        transl=tracked.transl + TRANSLATION_SCALE * step.translation,
    )


def vertex_normals(model: HandModel, vertices: Float[Array, "T V 3"]) -> Float[Array, "T V 3"]:
    """Unit normals of the skin, outward."""
    corners = vertices[:, model.faces]
    cross = jnp.cross(corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0])
    summed = jnp.zeros_like(vertices).at[:, model.faces].add(cross[:, :, None])
    return summed / (jnp.linalg.norm(summed, axis=-1, keepdims=True) + 1e-12)


def capsule_contact(
    queries: Float[Array, "*batch 3"], points: Float[Array, "*batch 3"], normals: Float[Array, "*batch 3"]
) -> Float[Array, "*batch"]:
    """Contact of each query with the capsule at its point: 1 inside, outside RADIUS / distance to the axis."""
    from_bottom = queries - points - BOTTOM * normals
    along = jnp.clip(jnp.sum(from_bottom * normals, axis=-1, keepdims=True), 0.0, TOP - BOTTOM)
    # without the offset the gradient of the root at 0 is NaN
    away = jnp.sqrt(jnp.sum((from_bottom - along * normals) ** 2, axis=-1) + 1e-14)
    return jnp.minimum(1.0 / (away / RADIUS + 1e-4), 1.0)


def contacts(
    vertices: Float[Array, "T V 3"], points: Float[Array, "T N 3"], normals: Float[Array, "T N 3"], near: Nearest
) -> tuple[Float[Array, "T V"], Float[Array, "T N"]]:
    """Contact (0 to 1) of each hand vertex and of each object sample with its nearest neighbour."""
    hand = capsule_contact(vertices, pick(points, near.sample), pick(normals, near.sample))
    return hand, capsule_contact(pick(vertices, near.vertex), points, normals)


def depth(
    vertices: Float[Array, "T V 3"], points: Float[Array, "T N 3"], normals: Float[Array, "T N 3"], near: Nearest
) -> Float[Array, "T V"]:
    """Depth (metres) of each vertex below the tangent plane of its nearest sample, less ALLOWED_DEPTH; at least 0."""
    along = jnp.sum((vertices - pick(points, near.sample)) * pick(normals, near.sample), axis=-1)
    return jnp.maximum(-along - ALLOWED_DEPTH, 0.0)
