"""A tracked hand smoothed, before anything is known of the object: the fit's motion and tracker terms, made linear.

A frame's own field tells little of a hand that jumps by centimetres. Of a smoothed hand it shows what no filter can
see: that the fingers float or sink for frames on end.
"""

import jax
import jax.numpy as jnp
import jaxlie
from jaxtyping import Array, Bool, Float

from toch_jax.fit.build import smooth_term
from toch_jax.fit.noise import estimate_noise
from toch_jax.fit.settings import DEFAULT, FitSettings
from toch_jax.fit.state import state_from_params
from toch_jax.hand.model import HandModel, HandParams


@jax.jit
def smooth_track(
    model: HandModel,
    tracked: HandParams,
    seen: Bool[Array, "T"],
    inside: Bool[Array, "T"],
    fps: float | Float[Array, ""],
    settings: FitSettings = DEFAULT,
) -> HandParams:
    """The likeliest smooth trajectory of one hand; axes (T, ...), betas (S,) untouched.

    Only `seen` frames are observations; lost ones are filled in. Frames not `inside` are padding and come back as they
    are. How much is smoothed follows from the track's own noise (`estimate_noise`).
    """
    noise = estimate_noise(state_from_params(model, tracked), seen, settings.tracked_assumed)
    motion = smooth_term(settings, fps, robust=False)
    turn = _same_side(jaxlie.SO3.exp(tracked.global_orient).wxyz)
    values = jnp.concatenate([turn, tracked.pose, tracked.transl], axis=1)
    # of the 17 groups: half a turn's angle is what a quaternion moves by
    of_value = jnp.asarray([0] * 4 + [1] * 45 + [16] * 3)
    unit = jnp.asarray([4.0] * 4 + [1.0] * 48)
    sureness = 1 / (noise.by_group() ** 2 + settings.tracked_floor.by_group() ** 2)
    smoothed = smooth_paths(
        values,
        seen[:, None] * (unit * sureness[of_value]),
        inside,
        unit * motion.velocity_weight[of_value],
        unit * motion.acceleration_weight[of_value],
    )
    return tracked.replace(
        global_orient=jaxlie.SO3(smoothed[:, :4] / jnp.linalg.norm(smoothed[:, :4], axis=1, keepdims=True)).log(),
        pose=smoothed[:, 4:49],
        transl=smoothed[:, 49:],
    )


def _same_side(turns: Float[Array, "T 4"]) -> Float[Array, "T 4"]:
    """Of each quaternion and its opposite (the same rotation) the one nearer to the frame before."""
    flip = jnp.where(jnp.sum(turns[1:] * turns[:-1], axis=1) < 0, -1.0, 1.0)
    return turns.at[1:].multiply(jnp.cumprod(flip)[:, None])


def smooth_paths(
    values: Float[Array, "T K"],
    weight: Float[Array, "T K"],
    inside: Bool[Array, "T"],
    velocity: Float[Array, "K"],
    acceleration: Float[Array, "K"],
) -> Float[Array, "T K"]:
    """The x of least weight (x - values)^2 + velocity (first differences)^2 + acceleration (second differences)^2.

    Each of the K columns by itself: a pentadiagonal system, factored down the frames and solved up again. Frames not
    `inside` are tied to nothing and keep their values.
    """
    n_frames = len(values)
    first = (inside[1:] & inside[:-1])[:, None] * velocity
    second = (inside[2:] & inside[1:-1] & inside[:-2])[:, None] * acceleration
    # with next to no weight a track that was never seen still has an answer
    weight = jnp.where(inside[:, None], jnp.maximum(weight, 1e-3), 1.0)
    # the matrix's diagonal, and its entries one and two frames apart
    zero = jnp.zeros_like(values)
    diagonal = weight + zero.at[1:].add(first).at[:-1].add(first)
    diagonal = diagonal.at[2:].add(second).at[1:-1].add(4 * second).at[:-2].add(second)
    near = zero.at[1:].add(-first).at[2:].add(-2 * second).at[1:-1].add(-2 * second)
    far = zero.at[2:].add(second)

    Carry = tuple[Array, Array, Array, Array, Array]

    def down(carry: Carry, row: tuple[Array, Array, Array, Array]) -> tuple[Carry, tuple[Array, Array, Array]]:
        pivot, pivot2, lower, right, right2 = carry
        diagonal, near, far, value = row
        here2 = far / pivot2
        here = (near - here2 * pivot2 * lower) / pivot
        value = value - here * right - here2 * right2
        new = diagonal - here**2 * pivot - here2**2 * pivot2
        return (new, pivot, here, value, right), (here, here2, value / new)

    one, none = jnp.ones(values.shape[1]), jnp.zeros(values.shape[1])
    _, (lower, lower2, scaled) = jax.lax.scan(
        down, (one, one, none, none, none), (diagonal, near, far, weight * values)
    )

    def up(after: tuple[Array, Array], row: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], Array]:
        lower, lower2, scaled = row
        here = scaled - lower * after[0] - lower2 * after[1]
        return (here, after[0]), here

    def shifted(rows: Float[Array, "T K"], by: int) -> Float[Array, "T K"]:
        return jnp.concatenate([rows[by:], jnp.zeros((min(by, n_frames), rows.shape[1]))])[:n_frames]

    rows = (shifted(lower, 1), shifted(lower2, 2), scaled)
    return jax.lax.scan(up, (none, none), rows, reverse=True)[1]
