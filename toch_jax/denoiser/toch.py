"""TOCH's own network and losses (Zhou et al., ECCV 2022; layer sizes as in the authors' code, kzhou23/toch).

Products with features that are the same for all samples of a frame, or for all frames of a sample, are computed once
and added: the same function of the same weights with less computation. Layers and their initial weights are PyTorch's.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float

from toch_jax.denoiser.coordinates import from_canonical, to_canonical
from toch_jax.denoiser.window import DenoiserConfig, Estimate, Network, Target, Window, blank_lost, weighted_mean
from toch_jax.field.contact_field import FieldEstimate

_DISTANCE_UNIT = 10.0
"""The network's units of distance (decimetres) per metre."""


@dataclass(frozen=True, kw_only=True)
class TochConfig(DenoiserConfig):
    """Configuration of the paper's network; sizes and weights of the losses are the authors'."""

    latent: int = 64
    encoder_widths: tuple[int, int, int, int] = (32, 64, 128, 256)
    decoder_widths: tuple[int, int, int, int] = (128, 64, 32, 16)
    encoder_state: int = 256
    decoder_state: int = 128
    distance_sigma: float = 0.005
    """Standard deviation of all distances, metres. The network does not estimate its uncertainty: this and the next are
    about its errors in validation."""
    correspondence_sigma: float = 0.01
    """Standard deviation of each coordinate of all correspondences, metres."""
    mask_weight: float = 6.0
    """Weight in the loss of samples whose true mask is true, relative to the others."""
    mask_loss: float = 1.0
    """Weight of the mask's cross entropy (nats)."""
    correspondence_loss: float = 20.0
    """Weight of the correspondences' mean squared error, canonical coordinates."""
    distance_loss: float = 5.0
    """Weight of the distances' mean squared error, dm2."""
    smoothed: bool = False
    """The paper has no smoothing: the network reads the field of the hand as tracked."""


def _uniform(bound: float) -> nnx.Initializer:
    def draw(key: jax.Array, shape: tuple[int, ...], dtype: type = jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return draw


def torch_linear(inputs: int, outputs: int, rngs: nnx.Rngs, *, beside: int = 0, use_bias: bool = True) -> nnx.Linear:
    """Linear layer initialised as in PyTorch: weights and biases uniform within +-1/sqrt(fan in).

    `beside` is the number of inputs of another layer whose output is added: both act as one layer on concatenated
    inputs.
    """
    draw = _uniform((inputs + beside) ** -0.5)
    return nnx.Linear(inputs, outputs, use_bias=use_bias, kernel_init=draw, bias_init=draw, rngs=rngs)


class GRU(nnx.Module):
    """torch.nn.GRU of one layer and one direction; gates in the order reset, update, new."""

    def __init__(self, inputs: int, hidden: int, *, reverse: bool, rngs: nnx.Rngs) -> None:
        draw = _uniform(hidden**-0.5)
        self.hidden = hidden
        self.reverse = reverse
        self.of_input = nnx.Linear(inputs, 3 * hidden, kernel_init=draw, bias_init=draw, rngs=rngs)
        self.of_state = nnx.Linear(hidden, 3 * hidden, kernel_init=draw, bias_init=draw, rngs=rngs)

    def __call__(self, frames: Float[Array, "B W C"]) -> Float[Array, "B W hidden"]:
        gates = jnp.moveaxis(self.of_input(frames), 1, 0)

        def step(state: jax.Array, gate: jax.Array) -> tuple[jax.Array, jax.Array]:
            reset_in, update_in, new_in = jnp.split(gate, 3, axis=-1)
            reset_state, update_state, new_state = jnp.split(self.of_state(state), 3, axis=-1)
            reset = jax.nn.sigmoid(reset_in + reset_state)
            update = jax.nn.sigmoid(update_in + update_state)
            new = jnp.tanh(new_in + reset * new_state)
            state = (1.0 - update) * new + update * state
            return state, state

        start = jnp.zeros((frames.shape[0], self.hidden), frames.dtype)
        return jnp.moveaxis(jax.lax.scan(step, start, gates, reverse=self.reverse)[1], 0, 1)


class BidirectionalGRU(nnx.Module):
    """GRUs of both directions, outputs concatenated: (B, W, C) to (B, W, 2 hidden)."""

    def __init__(self, inputs: int, hidden: int, *, rngs: nnx.Rngs) -> None:
        self.forward = GRU(inputs, hidden, reverse=False, rngs=rngs)
        self.backward = GRU(inputs, hidden, reverse=True, rngs=rngs)

    def __call__(self, frames: Float[Array, "B W C"]) -> Float[Array, "B W D"]:
        return jnp.concatenate([self.forward(frames), self.backward(frames)], axis=-1)


def _normalise(features: Float[Array, "*batch C"]) -> Float[Array, "*batch C"]:
    """Layer norm without scale and shift, with the unbiased variance, as PyTorch's `var`."""
    centred = features - features.mean(axis=-1, keepdims=True)
    return centred / jnp.sqrt(features.var(axis=-1, keepdims=True, ddof=1) + 1e-5)


class PointBlock(nnx.Module):
    """Three pointwise layers; the frame's maximum joined to each sample's first-layer features; one residual layer."""

    def __init__(self, inputs: int, width: int, *, rngs: nnx.Rngs, beside: int = 0) -> None:
        self.first = torch_linear(inputs, width, rngs, beside=beside)
        self.second = torch_linear(width, width, rngs)
        self.third = torch_linear(width, width, rngs)
        self.of_shared = torch_linear(width, 2 * width, rngs, beside=width, use_bias=False)
        self.of_local = torch_linear(width, 2 * width, rngs, beside=width)

    def __call__(self, hidden: Float[Array, "B W N C"]) -> Float[Array, "B W N D"]:
        """2 x width features from the output of `first` before its ReLU; the caller may compute that from parts."""
        local = jax.nn.relu(hidden)
        shared = jnp.max(self.third(jax.nn.relu(self.second(local))), axis=2, keepdims=True)
        mixed = self.of_shared(shared) + self.of_local(local)
        both = jnp.concatenate([jnp.broadcast_to(shared, local.shape), local], axis=-1)
        return jax.nn.relu(_normalise(both + mixed))


class PoolBlock(nnx.Module):
    """Last block of the encoder: three pointwise layers, then the maximum over the frame's samples."""

    def __init__(self, inputs: int, width: int, *, rngs: nnx.Rngs) -> None:
        self.first = torch_linear(inputs, width, rngs)
        self.second = torch_linear(width, width, rngs)
        self.third = torch_linear(width, width, rngs)

    def __call__(self, features: Float[Array, "B W N C"]) -> Float[Array, "B W D"]:
        hidden = self.third(jax.nn.relu(self.second(jax.nn.relu(self.first(features)))))
        return jax.nn.relu(_normalise(jnp.max(hidden, axis=2)))


class TochDenoiser(Network):
    """Temporal point autoencoder: 1,506,693 parameters with default sizes.

    It reads one hand, and samples at rest: of samples that move it uses the positions in the first frame.
    """

    ARCHITECTURE = "toch"
    CONFIG = TochConfig

    def __init__(self, config: TochConfig, rngs: nnx.Rngs) -> None:
        super().__init__(config, rngs)
        one, two, three, four = config.encoder_widths
        self.encoder = nnx.List(
            [PointBlock(11, one, rngs=rngs), PointBlock(2 * one, two, rngs=rngs), PointBlock(2 * two, three, rngs=rngs)]
        )
        self.pool = PoolBlock(2 * three, four, rngs=rngs)
        self.encoder_rnn = BidirectionalGRU(four, config.encoder_state, rngs=rngs)
        self.to_latent = torch_linear(2 * config.encoder_state, config.latent, rngs)
        self.decoder_rnn = BidirectionalGRU(config.latent, config.decoder_state, rngs=rngs)
        one, two, three, four = config.decoder_widths
        self.of_states = torch_linear(2 * config.decoder_state, one, rngs, beside=6, use_bias=False)
        self.decoder = nnx.List(
            [
                PointBlock(6, one, rngs=rngs, beside=2 * config.decoder_state),
                PointBlock(2 * one, two, rngs=rngs),
                PointBlock(2 * two, three, rngs=rngs),
                PointBlock(2 * three + 1, four, rngs=rngs),
            ]
        )
        self.to_mask = torch_linear(2 * three, 1, rngs)
        self.to_correspondence = torch_linear(2 * four, 3, rngs)
        self.to_distance = torch_linear(2 * four, 1, rngs)

    def __call__(self, window: Window) -> Estimate:
        """Estimate of the clean field at the window's own samples."""
        points, normals = _unit_points(window.points[:, 0]), window.normals[:, 0]
        mask_logit, correspondence, distance = self.decode(self.encode(window, points), points, normals)
        return Estimate(
            FieldEstimate(
                mask_logit=mask_logit,
                distance=distance / _DISTANCE_UNIT,
                correspondence=from_canonical(correspondence, *self.config.canonical),
                distance_sigma=jnp.full_like(distance, self.config.distance_sigma),
                correspondence_sigma=jnp.full_like(distance, self.config.correspondence_sigma),
            )
        )

    def encode(self, window: Window, points: Float[Array, "B N 3"]) -> Float[Array, "B W L"]:
        """One latent code for each frame; `points` are the window's, normalised by `_unit_points`."""
        window = blank_lost(window)
        field = window.field
        frames = (*field.mask.shape, 3)
        features = jnp.concatenate(
            [
                jnp.broadcast_to(points[:, None], frames),
                field.mask[..., None].astype(jnp.float32),
                to_canonical(field.correspondence, field.mask, *self.config.canonical),
                _DISTANCE_UNIT * field.distance[..., None],
                jnp.broadcast_to(window.normals[:, :1], frames),
            ],
            axis=-1,
        )
        for block in self.encoder:
            features = block(block.first(features))
        return self.to_latent(self.encoder_rnn(self.pool(features)))

    def decode(
        self, latent: Float[Array, "B W L"], points: Float[Array, "B N 3"], normals: Float[Array, "B N 3"]
    ) -> tuple[Float[Array, "B W N"], Float[Array, "B W N 3"], Float[Array, "B W N"]]:
        """Mask logit, canonical point and distance, in the network's units, at any samples (unit points, normals)."""
        of_frame = self.of_states(self.decoder_rnn(latent))
        of_sample = self.decoder[0].first(jnp.concatenate([points, normals], axis=-1))
        features = self.decoder[0](of_frame[:, :, None] + of_sample[:, None])
        for block in self.decoder[1:3]:
            features = block(block.first(features))
        mask_logit = self.to_mask(features)
        last = self.decoder[3]
        features = last(last.first(jnp.concatenate([features, jax.nn.sigmoid(mask_logit)], axis=-1)))
        return mask_logit[..., 0], self.to_correspondence(features), self.to_distance(features)[..., 0]

    def loss(self, window: Window, target: Target) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        """The authors' loss and its terms: half of the samples are read, the field is estimated at the other half."""
        config = self.config
        half = window.own.shape[1] // 2
        read = window.replace(
            field=jax.tree.map(lambda leaf: leaf[:, :, :half], window.field),
            points=window.points[:, :, :half],
            normals=window.normals[:, :, :half],
            own=window.own[:, :half],
        )
        points, normals = _unit_points(window.points[:, 0]), window.normals[:, 0]
        truth = jax.tree.map(lambda leaf: leaf[:, :, half:], target.field)
        mask_logit, correspondence, distance = self.decode(
            self.encode(read, points[:, :half]), points[:, half:], normals[:, half:]
        )

        frame_mask = jnp.broadcast_to(target.frame_mask[..., None], truth.mask.shape).astype(jnp.float32)
        hit = truth.mask * frame_mask
        cross_entropy = optax.sigmoid_binary_cross_entropy(mask_logit, truth.mask.astype(jnp.float32))
        mask_loss = weighted_mean(cross_entropy * jnp.where(truth.mask, config.mask_weight, 1.0), frame_mask)
        correspondence_error = correspondence - to_canonical(truth.correspondence, truth.mask, *config.canonical)
        correspondence_loss = weighted_mean(jnp.mean(correspondence_error**2, axis=-1), hit)
        # nearer samples have larger weights; the weights of a frame sum to its number of hits
        near = jnp.exp(-jnp.abs(_DISTANCE_UNIT * truth.distance)) * hit
        near = near / jnp.maximum(near.sum(-1, keepdims=True), 1e-9) * hit.sum(-1, keepdims=True)
        distance_loss = weighted_mean(near * (distance - _DISTANCE_UNIT * truth.distance) ** 2, hit)
        total = config.mask_loss * mask_loss + config.correspondence_loss * correspondence_loss
        total = total + config.distance_loss * distance_loss
        return total, {"mask": mask_loss, "correspondence": correspondence_loss, "distance": distance_loss}


def _unit_points(points: Float[Array, "B N 3"]) -> Float[Array, "B N 3"]:
    """Samples centred at their mean and scaled so that the farthest is at distance 1."""
    centred = points - points.mean(axis=1, keepdims=True)
    return centred / jnp.max(jnp.linalg.norm(centred, axis=-1), axis=-1)[:, None, None]
