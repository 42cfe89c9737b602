"""Grasp search: a batch of hands is optimised with Adam on the object's signed distance grid, in the object's frame."""

import jax
import jax.numpy as jnp
import jaxlie
import optax
from flax import struct
from jaxtyping import Array, Float, Int

from toch_jax.datasets.open_grasps.probe import NORMAL_STEP, HandProbe, finger_rotations
from toch_jax.hand.model import rest_joints, skin_rotations
from toch_jax.object.model import DistanceGrid
from toch_jax.object.sdf import signed_distance_gradient


class Grasp(struct.PyTreeNode):
    """A hand in the object's frame, with any leading axes."""

    rotation: Float[Array, "*batch 3 3"]
    """Rotation of the wrist, hand to object."""
    wrist: Float[Array, "*batch 3"]
    """Position of the wrist joint, metres."""
    bend: Float[Array, "*batch 15 3"]
    """Flexion, spread and twist of the finger joints, radians."""
    betas: Float[Array, "*batch S"]


class Aim(struct.PyTreeNode):
    """Target of the search; leading axes as in Grasp."""

    digits: Float[Array, "*batch 5"]
    """Whether each digit, thumb to pinky, should touch: 0 or 1."""
    palm: Float[Array, "*batch"]
    """Weight of contact of the palm and the inner side of the digits: 0 for a grasp with the fingertips alone."""
    bend: Float[Array, "*batch 15 3"]
    """Reference posture, radians."""
    stiffness: Float[Array, "*batch"]
    """Weight of the reference posture: 1 for a template, more for variations of a found grasp."""


# The unit of distance in the energy. Its weights were tuned by visual inspection of the grasps.
MM = 1e-3
# Soft tissue deforms: penetration up to this depth is not penalised.
SOFTNESS = 0.4 * MM
# Target penetration of a pad in contact.
PAD_DEPTH = 0.2 * MM
TOUCH_RANGE = 8.0
POSTURE_SPREAD = 0.30


def pose_hand(probe: HandProbe, grasp: Grasp) -> tuple[Float[Array, "*batch K 3"], Float[Array, "*batch 21 3"]]:
    """Points and joints of the probe in the object's frame, metres."""
    rotations = jnp.concatenate([grasp.rotation[..., None, :, :], finger_rotations(probe.axes, grasp.bend)], axis=-3)
    root = rest_joints(probe.model, grasp.betas)[..., 0, :]
    return skin_rotations(probe.model, rotations, grasp.betas, grasp.wrist - root)


def ball_centres(probe: HandProbe, joints: Float[Array, "*batch 21 3"]) -> Float[Array, "*batch L 3"]:
    """Centres of the balls that approximate the hand's soft tissue, in the joints' frame."""
    ends = joints[..., probe.ball_ends, :]
    return ends[..., 0, :] + probe.ball_place[:, None] * (ends[..., 1, :] - ends[..., 0, :])


@jax.jit
def self_overlap(probe: HandProbe, grasp: Grasp) -> Float[Array, "*batch"]:
    """Largest overlap of the soft-tissue balls of two digits, metres; negative if no two overlap."""
    return jnp.max(_overlaps(probe, ball_centres(probe, pose_hand(probe, grasp)[1])), axis=(-1, -2))


def _overlaps(probe: HandProbe, balls: Float[Array, "*batch L 3"]) -> Float[Array, "*batch L L"]:
    between = balls[..., :, None, :] - balls[..., None, :, :]
    return probe.ball_gap - jnp.sqrt(jnp.sum(between**2, axis=-1) + 1e-10)


def distance_to(target: DistanceGrid, points: Float[Array, "n 3"]) -> tuple[Float[Array, "n"], Float[Array, "n 3"]]:
    """Signed distance (m), linearised in the points, and normals without gradients.

    Linearised because the second derivatives of the grid are noise.
    """
    here = jax.lax.stop_gradient(points)
    distance, slope = signed_distance_gradient(target, 0, here)
    normal = jax.lax.stop_gradient(slope)
    return jax.lax.stop_gradient(distance) + jnp.sum(normal * (points - here), axis=-1), normal


def energy(probe: HandProbe, target: DistanceGrid, grasp: Grasp, aim: Aim) -> Float[Array, ""]:
    """Cost of one hand's grasp, dimensionless; 0 is best."""
    points, joints = pose_hand(probe, grasp)
    n_skin = probe.pads[0, 0]
    balls = ball_centres(probe, joints)
    distance, normal = distance_to(target, jnp.concatenate([points, balls]))
    to_flesh, distance = distance[len(points) :], distance[: len(points)]

    pad = distance[probe.pads]
    near = jax.nn.softmax(jax.lax.stop_gradient(-pad / (3 * MM)), axis=-1)
    touch = jnp.sum(near * optax.losses.huber_loss((pad + PAD_DEPTH) / MM, delta=TOUCH_RANGE), axis=-1)
    outward = (points[probe.above_pads] - points[probe.pads]) / NORMAL_STEP
    facing = jnp.sum(near * (1 + jnp.sum(outward * normal[probe.pads], axis=-1)), axis=-1)

    on_skin = jnp.arange(distance.shape[0]) < n_skin + probe.pads.size
    sunk = jnp.sum(jnp.where(on_skin, jax.nn.relu(-distance - SOFTNESS) / MM, 0.0) ** 2)
    inner = distance[probe.palm_points] / (10 * MM)
    closing = jnp.mean(1 - jnp.exp(-jax.nn.relu(inner)))

    # A thin wall may lie between the skin's points, but not inside the soft-tissue balls without a cost.
    pierced = jnp.sum((jax.nn.relu(probe.ball_radius - 2 * SOFTNESS - to_flesh) / MM) ** 2)
    crossed = 0.5 * jnp.sum((jax.nn.relu(_overlaps(probe, balls)) / MM) ** 2)

    # Force and torque along the normals must balance: the thumb's against the mean of the fingers'.
    push = jnp.sum(near[..., None] * normal[probe.pads], axis=-2)
    place = jnp.sum(near[..., None] * points[probe.pads], axis=-2)
    share = aim.digits / jnp.maximum(jnp.sum(aim.digits[1:]), 1.0)
    share = share.at[0].set(aim.digits[0])
    force = share @ push
    middle = share @ place / jnp.sum(share)
    torque = share @ jnp.cross((place - middle) / (30 * MM), push)
    balance = jnp.sum(force**2) + jnp.sum(torque**2)

    off = (grasp.bend - aim.bend) / POSTURE_SPREAD
    posture = jnp.sum(off**2)
    flexion = grasp.bend[:12, 0].reshape(4, 3)
    tendon = jnp.sum(((flexion[:, 2] - 0.67 * flexion[:, 1]) / 0.15) ** 2)
    return (
        jnp.sum(aim.digits * (touch + 6.0 * facing**2))
        + 0.4 * sunk
        + 1.0 * pierced
        + 0.3 * crossed
        + 12.0 * aim.palm * closing
        + 6.0 * (1 - 0.5 * aim.palm) * balance
        + 0.15 * aim.stiffness * posture
        + 0.1 * tendon
    )


@jax.jit
def close_hands(
    probe: HandProbe,
    target: DistanceGrid,
    start: Grasp,
    aim: Aim,
    limits: Float[Array, "2 15 3"],
    steps: int | Int[Array, ""],
) -> tuple[Grasp, Float[Array, "B"]]:
    """The hands after `steps` steps of Adam, and their energies. Compiled once for all objects and any `steps`.

    `limits` are the lower and upper limits of `bend`, radians.
    """

    def unpack(change: dict[str, Array]) -> Grasp:
        turn = jaxlie.SO3.exp(change["turn"]).as_matrix()
        return start.replace(
            rotation=start.rotation @ turn, wrist=start.wrist + change["shift"], bend=start.bend + change["bend"]
        )

    def total(change: dict[str, Array]) -> tuple[Array, Array]:
        each = jax.vmap(energy, in_axes=(None, None, 0, 0))(probe, target, unpack(change), aim)
        return jnp.sum(each), each

    adam = optax.scale_by_adam(b1=0.8, b2=0.95)
    pace = {"turn": 0.05, "shift": 0.004, "bend": 0.05}
    # Adam's steps do not depend on the scale of the gradient, so each unknown has its own step size.
    zero = {
        "turn": jnp.zeros_like(start.wrist),
        "shift": jnp.zeros_like(start.wrist),
        "bend": jnp.zeros_like(start.bend),
    }

    def step(count: Int[Array, ""], state: tuple) -> tuple:
        change, memory = state
        slope = jax.grad(lambda c: total(c)[0])(change)
        update, memory = adam.update(slope, memory)
        rate = 0.05 + 0.95 * 0.5 * (1 + jnp.cos(jnp.pi * count / steps))
        change = {key: change[key] - rate * pace[key] * update[key] for key in change}
        change["bend"] = jnp.clip(start.bend + change["bend"], limits[0], limits[1]) - start.bend
        return change, memory

    change, _ = jax.lax.fori_loop(0, steps, step, (zero, adam.init(zero)))
    return unpack(change), total(change)[1]
