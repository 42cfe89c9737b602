"""A static refiner like GrabNet's RefineNet (Taheri et al. 2020): a network corrects the hand, given distances.

Each frame by itself, in three iterations. The input is each vertex's distance to the nearest object sample, the
rotations of the 16 joints (two columns of each matrix) and the wrist's position; three residual blocks of width 512,
each of which also reads this input, give a change of rotations and position. The loss is the authors'. Training is
on single frames, with the clips and the noise of the denoisers. Differences:

- It works in the frame of the tracked wrist, so that its output moves with the scene and it need not learn directions
  in space. RefineNet works in the object's frame.
- Distances are negative inside the object. RefineNet's are unsigned and do not distinguish inside from outside.
- Layer norm in place of batch norm, and no dropout: every batch is new, and no statistics have to be stored.
- All vertices have the same weight; GrabNet's weights for MANO's vertices are not free.
- The hand has about 750 vertices (MANO: 778), the object 500 samples near the hand (RefineNet: 2,048 of the whole).
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jaxlie
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from toch_jax.base.errors import bad_input
from toch_jax.base.programs import program
from toch_jax.benchmark.methods.scene import Scene, near_points, nearest, pick, repair_hands
from toch_jax.denoiser.checkpoints import load_network
from toch_jax.denoiser.window import Network
from toch_jax.hand.mesh import decimate
from toch_jax.hand.model import HandModel, HandParams, posed_joints, rest_joints, skin, skin_frames, skin_rotations
from toch_jax.object.model import ObjectModel, samples_from_part
from toch_jax.perturb.training import perturb, sway
from toch_jax.sequence.types import Sequence
from toch_jax.training.batches import draw_samples, draw_scenes
from toch_jax.training.clips import Clips
from toch_jax.training.experiment import Learner, Sums, TrainingRun

_UNIT = 10.0
"""Lengths inside the network are in decimetres."""


@dataclass(frozen=True, kw_only=True)
class RefineConfig:
    """Sizes of the network and weights of its losses; the defaults are GrabNet's, but for `samples`."""

    vertices: int | None = None
    """Number of vertices of the hand; None: of the decimated hand model, which training puts here (`for_hand`)."""
    width: int = 512
    iterations: int = 3
    samples: int = 500
    """Number of the object's samples that are read, near the hand, in training and at inference."""
    distance_loss: float = 35.0
    """Weight of the distances' mean absolute error, per metre, as are the next two."""
    vertex_loss: float = 20.0
    """Weight of the vertices' mean absolute error in each coordinate."""
    edge_loss: float = 10.0
    """Weight of the edge vectors' mean absolute error in each coordinate."""

    def for_hand(self, surface: HandModel) -> "RefineConfig":
        """The configuration with the number of vertices of this decimated hand, unless it has its own."""
        return self if self.vertices is not None else replace(self, vertices=len(surface.v_template))


class ResidualBlock(nnx.Module):
    """Two linear layers with layer norm, beside a linear shortcut."""

    def __init__(self, inputs: int, width: int, *, rngs: nnx.Rngs) -> None:
        self.first = nnx.Linear(inputs, 256, rngs=rngs)
        self.first_norm = nnx.LayerNorm(256, rngs=rngs)
        self.second = nnx.Linear(256, width, rngs=rngs)
        self.second_norm = nnx.LayerNorm(width, rngs=rngs)
        self.beside = nnx.Linear(inputs, width, rngs=rngs)

    def __call__(self, features: Float[Array, "T C"]) -> Float[Array, "T D"]:
        hidden = _leaky(self.first_norm(self.first(features)))
        return _leaky(_leaky(self.beside(features)) + self.second_norm(self.second(hidden)))


class RefineNet(Network):
    """The refiner of single frames (see the module)."""

    ARCHITECTURE = "refinenet"
    CONFIG = RefineConfig

    def __init__(self, config: RefineConfig, rngs: nnx.Rngs) -> None:
        if config.vertices is None:
            raise bad_input("refinenet", "vertices", "a number, as from `for_hand`", "None")
        super().__init__(config, rngs)
        inputs = config.vertices + 16 * 6 + 3
        small = nnx.initializers.normal(1e-3)
        self.blocks = nnx.List(
            [ResidualBlock(inputs if i == 0 else inputs + config.width, config.width, rngs=rngs) for i in range(3)]
        )
        self.to_rotations = nnx.Linear(config.width, 16 * 6, kernel_init=small, rngs=rngs)
        self.to_position = nnx.Linear(config.width, 3, kernel_init=small, rngs=rngs)

    def __call__(
        self,
        model: HandModel,
        tracked: HandParams,
        points: Float[Array, "T N 3"],
        normals: Float[Array, "T N 3"],
    ) -> HandParams:
        """The refined hand, axes (T, ...), betas (T, S); `tracked`, samples and result share one frame of reference."""
        orient = jaxlie.SO3.exp(tracked.global_orient).as_matrix()
        rest = rest_joints(model, tracked.betas)[:, 0]
        wrist = rest + tracked.transl
        points = jnp.einsum("tab,tna->tnb", orient, points - wrist[:, None])
        normals = jnp.einsum("tab,tna->tnb", orient, normals)

        frames = len(points)
        fingers = jaxlie.SO3.exp(tracked.pose.reshape(frames, 15, 3)).as_matrix()
        rotations = jnp.concatenate([jnp.broadcast_to(jnp.eye(3), (frames, 1, 3, 3)), fingers], axis=1)

        def refined(
            state: tuple[Float[Array, "T 16 3 2"], Float[Array, "T 3"]], _: None
        ) -> tuple[tuple[Float[Array, "T 16 3 2"], Float[Array, "T 3"]], None]:
            columns, position = state
            vertices = skin_rotations(model, _rotations(columns), tracked.betas, position / _UNIT - rest)[0]
            given = jnp.concatenate(
                [_UNIT * distances(vertices, points, normals), columns.reshape(frames, -1), position], axis=1
            )
            features = self.blocks[0](given)
            for block in self.blocks[1:]:
                features = block(jnp.concatenate([features, given], axis=1))
            columns = columns + self.to_rotations(features).reshape(columns.shape)
            return (columns, position + self.to_position(features)), None

        start = (rotations[..., :2], jnp.zeros((frames, 3)))
        (columns, position), _ = jax.lax.scan(refined, start, length=self.config.iterations)
        rotations = _rotations(columns)
        moved = jnp.einsum("tab,tb->ta", orient, position / _UNIT)
        return HandParams(
            global_orient=jaxlie.SO3.from_matrix(orient @ rotations[:, 0]).log(),
            pose=jaxlie.SO3.from_matrix(rotations[:, 1:]).log().reshape(frames, 45),
            betas=tracked.betas,
            transl=tracked.transl + moved,
        )


def refinenet(sequence: Sequence, network: RefineNet, object: ObjectModel | None = None) -> Sequence:
    """The sequence with the hand of each frame refined."""

    def repair(scene: Scene) -> HandParams:
        _, points, normals = near_points(scene, skin_frames(scene.surface, scene.tracked)[1], network.config.samples)
        return _refine(network, scene.surface, scene.tracked, points, normals)

    return repair_hands(sequence, repair, object)


def load_refinenet(path: str | Path) -> RefineNet:
    """The network in a file of `toch train refinenet_open_grasps`. Raises InputError."""
    return load_network(path, (RefineNet,))


@program()
def _refine(
    network: RefineNet,
    model: HandModel,
    tracked: HandParams,
    points: Float[Array, "T N 3"],
    normals: Float[Array, "T N 3"],
) -> HandParams:
    return network(model, tracked, points, normals)


def distances(
    vertices: Float[Array, "T V 3"], points: Float[Array, "T N 3"], normals: Float[Array, "T N 3"]
) -> Float[Array, "T V"]:
    """Distance of each vertex to its nearest sample, metres; negative inside the object."""
    sample = jax.lax.stop_gradient(nearest(vertices, points).sample)
    offset = vertices - pick(points, sample)
    # without the offset the gradient of the root at 0 is NaN
    length = jnp.sqrt(jnp.sum(offset**2, axis=-1) + 1e-12)
    # near an edge of the object a vertex outside may be slightly below the tangent plane of its nearest sample
    inside = jnp.sum(offset * pick(normals, sample), axis=-1) < -0.5 * length
    return jnp.where(inside, -length, length)


def _rotations(columns: Float[Array, "*batch 3 2"]) -> Float[Array, "*batch 3 3"]:
    """Rotation matrices from their first two columns, by Gram-Schmidt."""
    x = columns[..., 0] / jnp.linalg.norm(columns[..., 0], axis=-1, keepdims=True)
    y = columns[..., 1] - jnp.sum(x * columns[..., 1], axis=-1, keepdims=True) * x
    y = y / jnp.linalg.norm(y, axis=-1, keepdims=True)
    return jnp.stack([x, y, jnp.cross(x, y)], axis=-1)


def _leaky(values: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    return jax.nn.leaky_relu(values, 0.2)


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
    samples = draw_samples(sample_key, scenes, posed_joints(surface, tracked), scenes.frame_mask, count)

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
