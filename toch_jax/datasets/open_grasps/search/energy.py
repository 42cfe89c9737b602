"""Grasp search: a batch of hands is optimised with Adam on the object's signed distance grid, in the object's frame."""

import jax
import jax.numpy as jnp
import jaxlie
import optax
from flax import struct
from jaxtyping import Array, Float, Int

from toch_jax.datasets.open_grasps.search.hands import (
    NORMAL_STEP,
    Grasp,
    HandSamples,
    ShapedHand,
    ball_centres,
    pose_hand,
    pose_joints,
    shape_hand,
)
from toch_jax.object.distance import signed_distance_gradient
from toch_jax.object.model import DistanceGrid


class GraspGoal(struct.PyTreeNode):
    """What a grasp should be; leading axes as in Grasp."""

    digits: Float[Array, "*batch 5"]
    """Whether each digit, thumb to pinky, should touch: 0 or 1."""
    palm: Float[Array, "*batch"]
    """Weight of contact of the palm and the inner side of the digits: 0 for a grasp with the fingertips alone."""
    bend: Float[Array, "*batch 15 3"]
    """Reference posture, radians."""
    stiffness: Float[Array, "*batch"]
    """Weight of the reference posture: 1 for a template, more for variations of a found grasp."""


# Scales of the energy's terms. They and the weights were chosen by eye: the grasps had to look like people's.
MM = 1e-3
"""Unit of distance in the energy, metres."""
SOFTNESS = 0.4 * MM
"""Soft tissue deforms: penetration up to this depth is not penalised."""
PAD_DEPTH = 0.2 * MM
"""Wanted penetration of a pad in contact."""
PAD_FOCUS = 3 * MM
"""A pad's points count by exp(-distance / PAD_FOCUS): those nearest to the object most."""
TOUCH_RANGE = 8.0
"""Distance of a pad (mm) beyond which its cost is linear, so that far pads do not dominate."""
PALM_RANGE = 10 * MM
"""Distance at which the attraction of palm and inner side has fallen to 1/e."""
LEVER = 30 * MM
"""Unit of the lever arms in the balance of torques."""
POSTURE_SPREAD = 0.30
"""Deviation from the reference posture, radians, of cost 1."""
TENDON_RATIO, TENDON_SPREAD = 0.67, 0.15
"""One tendon couples a finger's end joint to its middle joint: ratio of flexions; deviation (rad) of cost 1."""

# Weights.
FACING = 6.0
"""Pads whose skin does not face the surface."""
PENETRATION = 0.4
BALL_PENETRATION = 1.0
OVERLAP = 0.3
"""Balls of different digits in each other."""
PALM = 12.0
BALANCE, PALM_BALANCE = 6.0, 0.5
"""Forces and torques that do not balance; part of the weight that palm contact removes, as the palm takes up forces."""
POSTURE = 0.15
TENDON = 0.1

# Adam.
BETAS = (0.8, 0.95)
"""Shorter memories than usual: a search has only some 100 steps."""
STEP_SIZE = {"rotation": 0.05, "shift": 0.004, "bend": 0.05}
"""First step of each unknown, radians and metres: Adam's steps do not depend on the scale of the gradient."""
LAST_STEP = 0.05
"""The last step as a fraction of the first; between, the steps fall as a cosine."""


@jax.jit
def self_overlap(samples: HandSamples, grasp: Grasp) -> Float[Array, "*batch"]:
    """Largest overlap of the soft-tissue balls of two digits, metres; negative if no two overlap."""
    return jnp.max(_overlaps(samples, ball_centres(samples, pose_joints(samples, grasp))), axis=(-1, -2))


def _overlaps(samples: HandSamples, balls: Float[Array, "*batch L 3"]) -> Float[Array, "*batch L L"]:
    """Overlap of each two soft-tissue balls, metres; negative if they are apart."""
    squared = sum((balls[..., :, None, axis] - balls[..., None, :, axis]) ** 2 for axis in range(3))
    # the small number keeps the gradient of a ball's distance to itself finite
    return samples.ball_gap - jnp.sqrt(squared + 1e-10)


def distance_to(grid: DistanceGrid, points: Float[Array, "n 3"]) -> tuple[Float[Array, "n"], Float[Array, "n 3"]]:
    """Signed distance (m), linearised in the points, and normals without gradients.

    Linearised because the second derivatives of the grid are noise.
    """
    fixed = jax.lax.stop_gradient(points)
    distance, gradient = signed_distance_gradient(grid, 0, fixed)
    normal = jax.lax.stop_gradient(gradient)
    return jax.lax.stop_gradient(distance) + jnp.sum(normal * (points - fixed), axis=-1), normal


def energy(
    samples: HandSamples, grid: DistanceGrid, shaped: ShapedHand, grasp: Grasp, goal: GraspGoal
) -> Float[Array, ""]:
    """Cost of one hand's grasp, dimensionless; 0 is best."""
    points, joints = pose_hand(samples, grasp, shaped)
    n_skin = samples.pads[0, 0]
    balls = ball_centres(samples, joints)
    distance, normal = distance_to(grid, jnp.concatenate([points, balls]))
    ball_distance, distance = distance[len(points) :], distance[: len(points)]

    pad = distance[samples.pads]
    near = jax.nn.softmax(jax.lax.stop_gradient(-pad / PAD_FOCUS), axis=-1)
    touch = jnp.sum(near * optax.losses.huber_loss((pad + PAD_DEPTH) / MM, delta=TOUCH_RANGE), axis=-1)
    outward = (points[samples.above_pads] - points[samples.pads]) / NORMAL_STEP
    facing = jnp.sum(near * (1 + jnp.sum(outward * normal[samples.pads], axis=-1)), axis=-1)

    on_skin = jnp.arange(distance.shape[0]) < n_skin + samples.pads.size
    penetration = jnp.sum(jnp.where(on_skin, jax.nn.relu(-distance - SOFTNESS) / MM, 0.0) ** 2)
    inner = distance[samples.palm_points] / PALM_RANGE
    palm = jnp.mean(1 - jnp.exp(-jax.nn.relu(inner)))

    # A thin wall may lie between the skin's points, but not inside the soft-tissue balls without a cost.
    ball_penetration = jnp.sum((jax.nn.relu(samples.ball_radius - 2 * SOFTNESS - ball_distance) / MM) ** 2)
    overlap = 0.5 * jnp.sum((jax.nn.relu(_overlaps(samples, balls)) / MM) ** 2)

    # Force and torque along the normals must balance: the thumb's against the mean of the fingers'.
    push = jnp.sum(near[..., None] * normal[samples.pads], axis=-2)
    centre = jnp.sum(near[..., None] * points[samples.pads], axis=-2)
    share = goal.digits / jnp.maximum(jnp.sum(goal.digits[1:]), 1.0)
    share = share.at[0].set(goal.digits[0])
    force = share @ push
    middle = share @ centre / jnp.sum(share)
    torque = share @ jnp.cross((centre - middle) / LEVER, push)
    balance = jnp.sum(force**2) + jnp.sum(torque**2)

    posture = jnp.sum(((grasp.bend - goal.bend) / POSTURE_SPREAD) ** 2)
    flexion = grasp.bend[:12, 0].reshape(4, 3)
    tendon = jnp.sum(((flexion[:, 2] - TENDON_RATIO * flexion[:, 1]) / TENDON_SPREAD) ** 2)
    return (
        jnp.sum(goal.digits * (touch + FACING * facing**2))
        + PENETRATION * penetration
        + BALL_PENETRATION * ball_penetration
        + OVERLAP * overlap
        + PALM * goal.palm * palm
        + BALANCE * (1 - PALM_BALANCE * goal.palm) * balance
        + POSTURE * goal.stiffness * posture
        + TENDON * tendon
    )


@jax.jit
def close_hands(
    samples: HandSamples,
    grid: DistanceGrid,
    start: Grasp,
    goal: GraspGoal,
    limits: Float[Array, "2 15 3"],
    steps: int | Int[Array, ""],
) -> tuple[Grasp, Float[Array, "B"]]:
    """The hands after `steps` steps of Adam, and their energies. Compiled once for all objects and any `steps`.

    `limits` are the lower and upper limits of `bend`, radians.
    """

    shaped = shape_hand(samples, start.betas)

    def apply(change: dict[str, Array]) -> Grasp:
        return start.replace(
            rotation=start.rotation @ jaxlie.SO3.exp(change["rotation"]).as_matrix(),
            wrist=start.wrist + change["shift"],
            bend=start.bend + change["bend"],
        )

    def total(change: dict[str, Array]) -> tuple[Array, Array]:
        each = jax.vmap(energy, in_axes=(None, None, 0, 0, 0))(samples, grid, shaped, apply(change), goal)
        return jnp.sum(each), each

    adam = optax.scale_by_adam(b1=BETAS[0], b2=BETAS[1])
    zero = {
        "rotation": jnp.zeros_like(start.wrist),
        "shift": jnp.zeros_like(start.wrist),
        "bend": jnp.zeros_like(start.bend),
    }

    def step(count: Int[Array, ""], state: tuple) -> tuple:
        change, memory = state
        slope = jax.grad(lambda c: total(c)[0])(change)
        update, memory = adam.update(slope, memory)
        rate = LAST_STEP + (1 - LAST_STEP) * 0.5 * (1 + jnp.cos(jnp.pi * count / steps))
        change = {key: change[key] - rate * STEP_SIZE[key] * update[key] for key in change}
        change["bend"] = jnp.clip(start.bend + change["bend"], limits[0], limits[1]) - start.bend
        return change, memory

    change, _ = jax.lax.fori_loop(0, steps, step, (zero, adam.init(zero)))
    return apply(change), total(change)[1]
