"""Training batches: scenes drawn, perturbed, turned into contact fields and augmented; new in each step, not stored."""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import jaxlie
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from toch_jax.base.device import batched_map
from toch_jax.denoiser.window import DenoiserConfig, OtherHand, Target, Window, map_frames, near_samples, rotate, scale
from toch_jax.field.contact_field import ContactField, contact_field
from toch_jax.hand.mesh import close_surface, closed_faces
from toch_jax.hand.model import HandModel, HandParams, posed_joints, skin
from toch_jax.object.model import ObjectModel, ObjectMotion, ObjectSamples, relative_to, samples_from_part
from toch_jax.perturb.training import NoiseConfig, lose_frames, perturb, shake_object, sway
from toch_jax.sequence.mirror import mirror_points
from toch_jax.track.part_frame import move_hand_back
from toch_jax.track.smoothing import smooth_track
from toch_jax.training.clips import Clips

_WINDOWS = 8
"""Number of windows whose samples or fields are computed at once, except on a CPU."""


@dataclass(frozen=True)
class BatchConfig:
    """Sizes of a batch, and settings of its augmentation."""

    batch: int = 8
    """Number of windows."""
    window: int = 32
    """Length of a window, frames."""
    samples: int = 384
    """Number of samples of the object's surface, drawn for every window."""
    reach: float = 0.1
    """Largest distance along a sample's normal at which the field contains the hand; metres."""
    growth: float = 0.1
    """Largest relative change of a scene's size, up or down."""


class Scenes(struct.PyTreeNode):
    """B windows of clean hands, and the objects they handle."""

    clean: HandParams
    """Axes (B, W, ...)."""
    frame_mask: Bool[Array, "B W"]
    """False in padding."""
    objects: ObjectModel
    """Axes (B, ...), without meshes."""
    part: Int[Array, "B"]
    """Index of the object part that the hand handles."""
    motion: ObjectMotion
    """Axes (B, P, W, ...), in the frame of that part."""
    left: Bool[Array, "B"]
    two_handed: Bool[Array, "B"]
    other: HandParams
    """The other hand, axes (B, W, ...), as in Clips."""
    other_known: Bool[Array, "B W"]
    """False in padding and where there is no other hand."""


@functools.partial(jax.jit, static_argnames=("config",))
def draw_scenes(key: jax.Array, clips: Clips, config: BatchConfig) -> Scenes:
    """Draws windows at random, with replacement."""
    picks = jax.random.randint(key, (config.batch,), 0, clips.n_windows)
    steps = jnp.arange(config.window)
    # a short clip's last frame is repeated as padding
    frames = clips.start[picks][:, None] + jnp.minimum(steps, clips.length[picks][:, None] - 1)
    inside = steps < clips.length[picks][:, None]
    return Scenes(
        clean=jax.tree.map(lambda leaf: leaf[frames], clips.params),
        frame_mask=clips.observed[frames] & inside,
        objects=jax.vmap(clips.shapes.object)(clips.object[picks]),
        part=clips.part[picks],
        motion=jax.tree.map(lambda leaf: jnp.moveaxis(leaf[:, frames], 0, 1), clips.motion),
        left=clips.left[picks],
        two_handed=clips.two_handed[picks],
        other=jax.tree.map(lambda leaf: leaf[frames], clips.other),
        other_known=clips.other_observed[frames] & inside,
    )


@functools.partial(jax.jit, static_argnames=("config", "noise", "denoiser"))
def track(
    key: jax.Array,
    scenes: Scenes,
    surface: HandModel,
    config: BatchConfig,
    noise: NoiseConfig,
    denoiser: DenoiserConfig,
) -> tuple[Window, Target]:
    """Network input from the perturbed scenes, and target from the clean ones.

    `surface` is the hand whose skin the rays are cast against. The input field is of the tracked hand, or of the
    smoothed hand, as the denoiser's configuration states. Input is in the frame of the handled part as it was tracked,
    the target in that of the true part: the network is to find the hand as it truly is on the object.
    """
    noise_key, lose_key, sample_key, sway_key, other_key, object_key = jax.random.split(key, 6)
    scenes = scenes.replace(clean=sway(sway_key, noise, surface, scenes.clean))
    seen = shake_object(object_key, noise, scenes.motion, _middles(scenes.objects.samples, scenes.motion))
    own = jax.vmap(lambda motion, part: (motion.rotation[part], motion.translation[part]))(seen, scenes.part)
    seen = jax.vmap(relative_to)(seen, scenes.part)
    noisy = perturb(noise_key, noise, surface, scenes.clean)
    noisy = jax.vmap(move_hand_back, in_axes=(None, 0, 0, 0))(surface, noisy, *own)
    observed = lose_frames(lose_key, noise, scenes.frame_mask)

    given = noisy
    if denoiser.smoothed:
        smooth = functools.partial(_smoothed, surface, denoiser.frame_rate)
        given = jax.vmap(smooth)(noisy, observed, scenes.frame_mask)
    # frames of the given hand, then of the clean one: axes (B, 2 W, ...)
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b], axis=1), given, scenes.clean)
    vertices, joints = skin(surface, both)
    before, truth = jnp.split(joints, 2, axis=1)
    tracked = posed_joints(surface, noisy)
    samples = draw_samples(sample_key, scenes.replace(motion=seen), before, observed, config.samples)
    objects = scenes.objects.replace(samples=samples)
    points, normals = jax.vmap(samples_from_part)(samples, seen)
    motions = jax.tree.map(lambda a, b: jnp.concatenate([a, b], axis=2), seen, scenes.motion)
    fields = _fields(objects, motions, vertices, surface, config.reach)
    noisy_field, clean_field = (
        jax.tree.map(lambda leaf, half=half: leaf[:, half], fields)
        for half in (slice(None, config.window), slice(config.window, None))
    )
    window = Window(
        field=noisy_field,
        points=points,
        normals=normals,
        own=samples.part == scenes.part[:, None],
        joints=before,
        tracked=tracked,
        observed=observed,
        left=scenes.left,
        two_handed=scenes.two_handed,
        other=_other_hand(other_key, scenes, surface, noise, *own),
    )
    return window, Target(clean_field, truth, scenes.frame_mask)


def draw_samples(
    key: jax.Array, scenes: Scenes, joints: Float[Array, "B W 21 3"], observed: Bool[Array, "B W"], count: int
) -> ObjectSamples:
    """`count` samples of each scene's object near the hand (`near_samples`), axes (B, count, ...)."""
    keys = jax.random.split(key, len(joints))
    points, _ = jax.vmap(samples_from_part)(scenes.objects.samples, scenes.motion)

    def near(each: tuple[jax.Array, jax.Array, jax.Array, jax.Array]) -> jax.Array:
        return near_samples(*each, count)

    chosen = batched_map(near, (keys, points, joints, observed), _WINDOWS)
    return jax.vmap(ObjectSamples.take)(scenes.objects.samples, chosen)


def _middles(samples: ObjectSamples, motion: ObjectMotion) -> Float[Array, "B P 3"]:
    """The middle of the box around each part's samples, in the part's frame, metres; 0 for parts without samples."""
    of_part = samples.part[:, None] == jnp.arange(motion.rotation.shape[1])[:, None]
    points, inside = samples.points[:, None], of_part[..., None]
    ends = jnp.where(inside, points, jnp.inf).min(axis=2), jnp.where(inside, points, -jnp.inf).max(axis=2)
    return jnp.where(of_part.any(axis=2)[..., None], (ends[0] + ends[1]) / 2, 0.0)


def _other_hand(
    key: jax.Array,
    scenes: Scenes,
    surface: HandModel,
    noise: NoiseConfig,
    rotation: Float[Array, "B W 3 3"],
    translation: Float[Array, "B W 3"],
) -> OtherHand:
    """The other hand, with independent noise of the same distribution, mirrored into the frame of the first hand.

    `rotation` and `translation` are the tracked pose of the handled part in that of the true one (metres).
    """
    noise_key, lose_key, sway_key = jax.random.split(key, 3)
    tracked = perturb(noise_key, noise, surface, sway(sway_key, noise, surface, scenes.other))
    joints = mirror_points(posed_joints(surface, tracked)) - translation[:, :, None]
    seen = jnp.einsum("btca,btjc->btja", rotation, joints)
    return OtherHand(joints=seen, observed=lose_frames(lose_key, noise, scenes.other_known))


def _smoothed(
    model: HandModel, fps: float, tracked: HandParams, observed: Bool[Array, "W"], frame_mask: Bool[Array, "W"]
) -> HandParams:
    """The tracked hand smoothed as in the pipeline before its field is computed; betas (W, S), all the same."""
    smooth = smooth_track(model, tracked.replace(betas=tracked.betas[0]), observed, frame_mask, fps).params
    return smooth.replace(betas=tracked.betas)


def vary(key: jax.Array, window: Window, target: Target, config: BatchConfig) -> tuple[Window, Target]:
    """Scenes with a random rotation and size, half of them reversed in time."""
    rotation_key, growth_key, reversal_key = jax.random.split(key, 3)
    batch = window.points.shape[0]
    rotation = jax.vmap(jaxlie.SO3.sample_uniform)(jax.random.split(rotation_key, batch)).as_matrix()
    factor = 1.0 + config.growth * jax.random.uniform(growth_key, (batch,), minval=-1.0)
    centre = window.points[:, 0].mean(axis=1)
    truth = window.replace(field=target.field, joints=target.joints)
    window, truth = (scale(rotate(each, rotation, centre), factor) for each in (window, truth))
    target = target.replace(field=truth.field, joints=truth.joints)
    backwards = jax.random.bernoulli(reversal_key, 0.5, (batch,))

    def played(leaf: Array) -> Array:
        return jnp.where(backwards.reshape(batch, *(1,) * (leaf.ndim - 1)), leaf[:, ::-1], leaf)

    return map_frames(played, window), jax.tree.map(played, target)


def _fields(
    objects: ObjectModel, motion: ObjectMotion, vertices: Float[Array, "B T V 3"], surface: HandModel, reach: float
) -> ContactField:
    """Contact fields on each window's samples, in each frame of `motion`; axes (B, T, N)."""
    vertices, faces = close_surface(surface, vertices), closed_faces(surface)
    canonical = close_surface(surface, surface.v_template)

    def of_window(each: tuple[ObjectModel, ObjectMotion, Float[Array, "T V 3"]]) -> ContactField:
        object, motion, hands = each
        return contact_field(hands, faces, canonical, object, motion, reach)

    return batched_map(of_window, (objects, motion, vertices), _WINDOWS)
