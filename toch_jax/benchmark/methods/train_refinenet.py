"""Training of the RefineNet-like refiner on single frames, with the clips and the noise of the denoisers."""

import json
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float, Int
from tqdm import tqdm

from toch_jax.base.errors import bad_input
from toch_jax.base.files import read_arrays, write_arrays
from toch_jax.benchmark.methods.refinenet import N_SAMPLES, RefineConfig, RefineNet, distances
from toch_jax.denoiser.window import near_samples
from toch_jax.hand.model import HandModel, HandParams, skin
from toch_jax.object.motion import samples_from_part
from toch_jax.perturb.training import NoiseConfig, perturb, sway
from toch_jax.training.batches import BatchConfig, draw_scenes
from toch_jax.training.clips import Clips

FORMAT = "toch-refinenet 1"


@dataclass(frozen=True)
class RefineTraining:
    """All settings of a training run; optimiser and weight decay are GrabNet's."""

    steps: int = 2000
    batch: int = 32
    """Number of windows of two frames; noise is drawn for each window."""
    width: int = 512
    learning_rate: float = 5e-4
    weight_decay: float = 5e-4
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    seed: int = 0


def train_refinenet(training: RefineTraining, clips: Clips, surface: HandModel) -> RefineNet:
    """Trains a network on windows of two frames from `clips`; `surface`: the right hand with a closed, coarse mesh."""
    config = RefineConfig(vertices=surface.v_template.shape[0], width=training.width)
    network = RefineNet(config, nnx.Rngs(training.seed))
    rate = optax.cosine_decay_schedule(training.learning_rate, training.steps)
    rule = optax.chain(
        optax.clip_by_global_norm(1.0), optax.add_decayed_weights(training.weight_decay), optax.adam(rate)
    )
    key = jax.random.fold_in(jax.random.key(training.seed), 1)

    @jax.jit
    def update(
        network: RefineNet, memory: optax.OptState, pairs: Pairs, surface: HandModel
    ) -> tuple[RefineNet, optax.OptState, dict[str, Float[Array, ""]]]:
        (_, terms), gradient = jax.value_and_grad(refine_loss, has_aux=True)(network, surface, edges, pairs)
        change, memory = rule.update(gradient, memory, network)
        return optax.apply_updates(network, change), memory, terms

    memory, edges = rule.init(network), edges_of(surface)
    progress = tqdm(range(training.steps), desc="refinenet")
    for step in progress:
        pairs = draw_pairs(jax.random.fold_in(key, step), clips, surface, training)
        network, memory, terms = update(network, memory, pairs, surface)
        if step % 20 == 0:
            progress.set_postfix({name: f"{float(value):.2f}" for name, value in terms.items()})
    return network


Pairs = tuple[HandParams, HandParams, Float[Array, "T K 3"], Float[Array, "T K 3"]]
"""Tracked hands, clean hands, and points (metres) and normals of the object samples near the tracked ones."""


@partial(jax.jit, static_argnames="training")
def draw_pairs(key: jax.Array, clips: Clips, surface: HandModel, training: RefineTraining) -> Pairs:
    """Draws a batch of T = 2 x `training.batch` frames."""
    draw_key, sway_key, noise_key, sample_key = jax.random.split(key, 4)
    scenes = draw_scenes(draw_key, clips, BatchConfig(batch=training.batch, window=2))
    clean = sway(sway_key, training.noise, surface, scenes.clean)
    tracked = perturb(noise_key, training.noise, surface, clean)
    joints = skin(surface, tracked)[1]
    points, normals = jax.vmap(samples_from_part)(scenes.objects.samples, scenes.motion)
    count = min(N_SAMPLES, points.shape[2])
    chosen = jax.vmap(near_samples, in_axes=(0, 0, 0, 0, None))(
        jax.random.split(sample_key, training.batch), points, joints, scenes.known, count
    )[:, None, :, None]

    def each_frame(values: Float[Array, "B #W N 3"]) -> Float[Array, "T K 3"]:
        near = jnp.take_along_axis(values, chosen, axis=2)
        return jnp.broadcast_to(near, (training.batch, 2, count, 3)).reshape(-1, count, 3)

    tracked, clean = jax.tree.map(lambda leaf: leaf.reshape(-1, leaf.shape[-1]), (tracked, clean))
    return tracked, clean, each_frame(points), each_frame(normals)


def refine_loss(
    network: RefineNet, surface: HandModel, edges: Int[Array, "2 E"], pairs: Pairs
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """GrabNet's loss, and mean errors in millimetres: of the vertices before and after, and of the distances."""
    tracked, clean, points, normals = pairs
    refined, _ = skin(surface, network(surface, tracked, points, normals))
    true, _ = skin(surface, clean)
    before, _ = skin(surface, tracked)

    def along(vertices: Float[Array, "T V 3"]) -> Float[Array, "T E 3"]:
        return vertices[:, edges[0]] - vertices[:, edges[1]]

    off = jnp.abs(distances(refined, points, normals) - distances(true, points, normals)).mean()
    total = 35.0 * off + 20.0 * jnp.abs(refined - true).mean()
    total = total + 10.0 * jnp.abs(along(refined) - along(true)).mean()

    def millimetres(vertices: Float[Array, "T V 3"]) -> Float[Array, ""]:
        return 1000.0 * jnp.linalg.norm(vertices - true, axis=-1).mean()

    return total, {"before_mm": millimetres(before), "after_mm": millimetres(refined), "distance_mm": 1000.0 * off}


def edges_of(surface: HandModel) -> Int[Array, "2 E"]:
    """Indices of the two vertices of each edge."""
    faces = np.asarray(surface.faces)
    both = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return jnp.asarray(np.unique(np.sort(both, axis=1), axis=0).T)


def save_refinenet(network: RefineNet, path: str | Path) -> None:
    """Writes configuration and weights to one .npz file of arrays without pickles."""
    arrays = {name: np.asarray(leaf.get_value()) for name, leaf in _named(network).items()}
    header = {"format": np.asarray(FORMAT), "config": np.asarray(json.dumps(asdict(network.config)))}
    write_arrays(path, header | arrays)


def load_refinenet(path: str | Path) -> RefineNet:
    """The network from a file of `save_refinenet`; raises InputError for any other file."""
    arrays = read_arrays(path, "refinenet")
    if str(arrays.pop("format", "nothing")) != FORMAT:
        raise bad_input(path, "format", FORMAT, "another")
    network = RefineNet(RefineConfig(**json.loads(str(arrays.pop("config")))), nnx.Rngs(0))
    named = _named(network)
    for name in sorted(named.keys() | arrays.keys()):
        wanted = named[name].get_value().shape if name in named else "nothing"
        found = arrays[name].shape if name in arrays else "nothing"
        if wanted != found:
            raise bad_input(path, name, str(wanted), str(found))
        named[name].set_value(jnp.asarray(arrays[name]))
    return network


def _named(network: RefineNet) -> dict[str, nnx.Variable]:
    return {"/".join(map(str, path)): leaf for path, leaf in nnx.to_flat_state(nnx.state(network, nnx.Param))}
