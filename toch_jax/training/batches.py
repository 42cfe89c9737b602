"""A batch: scenes drawn, tracked badly, both fields taken, the whole moved about; afresh each time, nothing stored."""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import jaxlie
from flax import struct
from jaxtyping import Array, Bool, Float

from toch_jax.denoiser.apply import FRAME_RATE
from toch_jax.denoiser.window import Target, Window, near_samples, rotate, scale
from toch_jax.field.contact_field import field_of_lines
from toch_jax.field.types import ContactField
from toch_jax.fit.smooth import smooth_track
from toch_jax.hand.mesh import close_surface, closed_faces
from toch_jax.hand.model import HandModel, HandParams, skin
from toch_jax.training.clips import Clips, Samples
from toch_jax.training.noise import NoiseConfig, lose_frames, perturb, sway


@dataclass(frozen=True)
class BatchConfig:
    """The shape of a batch, and how scenes are varied."""

    batch: int = 8
    window: int = 32
    """Frames."""
    samples: int = 384
    """Of the object's surface, drawn anew for every window."""
    reach: float = 0.1
    """Farther along the normal than this the hand is not seen; metres."""
    growth: float = 0.1
    """Scenes are grown or shrunk by up to this part."""


class Scenes(struct.PyTreeNode):
    """B windows of clean hands, and the objects they handle."""

    clean: HandParams
    """Axes (B, W, ...)."""
    known: Bool[Array, "B W"]
    """False in padding."""
    samples: Samples
    """Axes (B, K, ...)."""


@functools.partial(jax.jit, static_argnames=("config",))
def draw_scenes(key: jax.Array, clips: Clips, config: BatchConfig) -> Scenes:
    """Windows drawn at random, with replacement."""
    picks = jax.random.randint(key, (config.batch,), 0, clips.n_windows)
    steps = jnp.arange(config.window)
    # a short clip's last frame is repeated as padding
    frames = clips.start[picks][:, None] + jnp.minimum(steps, clips.length[picks][:, None] - 1)
    return Scenes(
        clean=jax.tree.map(lambda leaf: leaf[frames], clips.params),
        known=clips.valid[frames] & (steps < clips.length[picks][:, None]),
        samples=jax.tree.map(lambda leaf: leaf[clips.object[picks]], clips.samples),
    )


@functools.partial(jax.jit, static_argnames=("config", "noise", "smoothed"))
def track(
    key: jax.Array, scenes: Scenes, surface: HandModel, config: BatchConfig, noise: NoiseConfig, smoothed: bool
) -> tuple[Window, Target]:
    """The scenes as a bad tracker sees them, and as they are; `surface` is the hand whose skin the lines meet.

    The fields are of the tracked hand, or of that hand `smoothed`, as the network wants it.
    """
    noise_key, lose_key, sample_key, sway_key = jax.random.split(key, 4)
    scenes = scenes.replace(clean=sway(sway_key, noise, surface, scenes.clean))
    noisy = perturb(noise_key, noise, surface, scenes.clean)
    valid = lose_frames(lose_key, noise, scenes.known)

    given = jax.vmap(_smoothed, in_axes=(None, 0, 0, 0))(surface, noisy, valid, scenes.known) if smoothed else noisy
    # the given hand's frames, then the clean one's: axes (B, 2 W, ...)
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b], axis=1), given, scenes.clean)
    vertices, joints = skin(surface, both)
    before, truth = jnp.split(joints, 2, axis=1)
    tracked = skin(surface, noisy)[1]
    keys = jax.random.split(sample_key, config.batch)
    chosen = jax.vmap(near_samples, in_axes=(0, 0, 0, 0, None))(
        keys, scenes.samples.points, before, valid, config.samples
    )
    samples = jax.vmap(lambda each, chosen: jax.tree.map(lambda leaf: leaf[chosen], each))(scenes.samples, chosen)
    fields = _fields(samples, vertices, surface, config.reach)
    noisy_field, clean_field = (
        jax.tree.map(lambda leaf, half=half: leaf[:, half], fields)
        for half in (slice(None, config.window), slice(config.window, None))
    )
    window = Window(noisy_field, samples.points, samples.normals, before, tracked, valid)
    return window, Target(clean_field, truth, scenes.known)


def _smoothed(model: HandModel, tracked: HandParams, valid: Bool[Array, "W"], known: Bool[Array, "W"]) -> HandParams:
    """As the road smooths before it takes a field; betas (W, S), all the same."""
    smooth = smooth_track(model, tracked.replace(betas=tracked.betas[0]), valid, known, FRAME_RATE).params
    return smooth.replace(betas=tracked.betas)


def vary(key: jax.Array, window: Window, target: Target, config: BatchConfig) -> tuple[Window, Target]:
    """Scenes turned any way about the object, grown or shrunk, and half of them played backwards."""
    turn_key, grow_key, flip_key = jax.random.split(key, 3)
    batch = window.points.shape[0]
    rotation = jax.vmap(jaxlie.SO3.sample_uniform)(jax.random.split(turn_key, batch)).as_matrix()
    factor = 1.0 + config.growth * jax.random.uniform(grow_key, (batch,), minval=-1.0)
    centre = window.points.mean(axis=1)
    truth = window.replace(field=target.field, joints=target.joints)
    window, truth = (scale(rotate(each, rotation, centre), factor) for each in (window, truth))
    target = target.replace(field=truth.field, joints=truth.joints)
    backwards = jax.random.bernoulli(flip_key, 0.5, (batch,))

    def played(leaf: Array) -> Array:
        return jnp.where(backwards.reshape(batch, *(1,) * (leaf.ndim - 1)), leaf[:, ::-1], leaf)

    timed = (window.field, window.joints, window.tracked, window.valid)
    field, joints, tracked, valid = jax.tree.map(played, timed)
    return window.replace(field=field, joints=joints, tracked=tracked, valid=valid), jax.tree.map(played, target)


def _fields(samples: Samples, vertices: Float[Array, "B T V 3"], surface: HandModel, reach: float) -> ContactField:
    """Fields of T hands on each window's samples; axes (B, T, N)."""
    vertices, faces = close_surface(surface, vertices), closed_faces(surface)
    canonical = close_surface(surface, surface.v_template)

    def of_window(each: tuple[Samples, Float[Array, "T V 3"]]) -> ContactField:
        lines, hands = each
        return field_of_lines(
            lines.points[None],
            lines.normals[None],
            lines.clearance_out,
            lines.clearance_in,
            hands,
            faces,
            canonical,
            reach,
        )

    return jax.lax.map(of_window, (samples, vertices))
