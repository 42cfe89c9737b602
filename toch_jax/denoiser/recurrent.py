"""Bidirectional GRU with PyTorch's equations (both biases); inputs of all frames are multiplied in one product."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float


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
