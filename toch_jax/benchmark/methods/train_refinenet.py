"""Training of the RefineNet-like refiner on single frames, with the clips and the noise of the denoisers."""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from toch_jax.benchmark.methods.refinenet import RefineConfig, RefineNet, distances
from toch_jax.hand.mesh import decimate
from toch_jax.hand.model import HandModel, HandParams, skin
from toch_jax.object.model import samples_from_part
from toch_jax.perturb.training import perturb, sway
from toch_jax.training.batches import draw_samples, draw_scenes
from toch_jax.training.clips import Clips
from toch_jax.training.experiment import Learner, Sums, TrainingRun


@dataclass(frozen=True, kw_only=True)
class RefineTraining(TrainingRun):
    """All settings of the training of a refiner.

    Of a window the frames are refined one by one; they share its noise levels and samples of the object, of which
    `refiner.samples` are drawn, not `batch.samples`.
    """

    refiner: RefineConfig = field(default_factory=RefineConfig)

    def learner(self, hand: HandModel) -> Learner:
        surface = decimate(hand, self.data.hand_faces)
        network = RefineNet(self.refiner.for_hand(surface), nnx.Rngs(self.seed))
        edges = edges_of(surface)

        @jax.jit
        def draw(key: jax.Array, clips: Clips) -> Frames:
            return draw_frames(key, clips, surface, self)

        @jax.jit
        def errors(network: RefineNet, frames: Frames) -> Sums:
            return refine_errors(network, surface, frames)

        return Learner(network, draw, lambda network, frames, _: refine_loss(network, surface, edges, frames), errors)


class Frames(NamedTuple):
    """T single frames; metres, in the frame of the object part that the hand handles."""

    tracked: HandParams
    """Axes (T, ...)."""
    clean: HandParams
    points: Float[Array, "T K 3"]
    """The object's samples near the tracked hand."""
    normals: Float[Array, "T K 3"]


def draw_frames(key: jax.Array, clips: Clips, surface: HandModel, training: RefineTraining) -> Frames:
    """Draw a batch: T is the number of windows times their length."""
    draw_key, sway_key, noise_key, sample_key = jax.random.split(key, 4)
    scenes = draw_scenes(draw_key, clips, training.batch)
    clean = sway(sway_key, training.noise, surface, scenes.clean)
    tracked = perturb(noise_key, training.noise, surface, clean)
    count = min(training.refiner.samples, scenes.objects.samples.points.shape[1])
    samples = draw_samples(sample_key, scenes, skin(surface, tracked)[1], scenes.frame_mask, count)

    def framewise(values: Float[Array, "B #W K 3"]) -> Float[Array, "T K 3"]:
        return jnp.broadcast_to(values, (*clean.transl.shape[:2], count, 3)).reshape(-1, count, 3)

    points, normals = map(framewise, jax.vmap(samples_from_part)(samples, scenes.motion))
    tracked, clean = jax.tree.map(lambda leaf: leaf.reshape(-1, leaf.shape[-1]), (tracked, clean))
    return Frames(tracked, clean, points, normals)


def refine_loss(
    network: RefineNet, surface: HandModel, edges: Int[Array, "2 E"], frames: Frames
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """GrabNet's loss and its terms: mean absolute errors (metres) of distances, vertices and edges."""
    config = network.config
    refined, true = _vertices(network, surface, frames)

    def along(vertices: Float[Array, "T V 3"]) -> Float[Array, "T E 3"]:
        return vertices[:, edges[0]] - vertices[:, edges[1]]

    off = _distances(refined, frames) - _distances(true, frames)
    terms = {
        "distances": jnp.abs(off).mean(),
        "vertices": jnp.abs(refined - true).mean(),
        "edges": jnp.abs(along(refined) - along(true)).mean(),
    }
    total = config.distance_loss * terms["distances"] + config.vertex_loss * terms["vertices"]
    return total + config.edge_loss * terms["edges"], terms


def refine_errors(network: RefineNet, surface: HandModel, frames: Frames) -> Sums:
    """Errors of the vertices before and after the network, and of their distances to the object after it."""
    refined, true = _vertices(network, surface, frames)
    before, _ = skin(surface, frames.tracked)
    found = {
        "vertices_before_mm": jnp.linalg.norm(before - true, axis=-1),
        "vertices_mm": jnp.linalg.norm(refined - true, axis=-1),
        "distance_mm": jnp.abs(_distances(refined, frames) - _distances(true, frames)),
    }
    return {name: (1000.0 * values.sum(), jnp.asarray(float(values.size))) for name, values in found.items()}


def edges_of(surface: HandModel) -> Int[Array, "2 E"]:
    """Indices of the two vertices of each edge."""
    faces = np.asarray(surface.faces)
    both = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return jnp.asarray(np.unique(np.sort(both, axis=1), axis=0).T)


def _vertices(
    network: RefineNet, surface: HandModel, frames: Frames
) -> tuple[Float[Array, "T V 3"], Float[Array, "T V 3"]]:
    """Vertices of the refined and of the clean hand."""
    refined = network(surface, frames.tracked, frames.points, frames.normals)
    return skin(surface, refined)[0], skin(surface, frames.clean)[0]


def _distances(vertices: Float[Array, "T V 3"], frames: Frames) -> Float[Array, "T V"]:
    return distances(vertices, frames.points, frames.normals)
