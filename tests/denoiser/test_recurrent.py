from pathlib import Path

import jax.numpy as jnp
import numpy as np
from flax import nnx

from toch_jax.denoiser.recurrent import BidirectionalGRU, torch_linear

GOLDEN = Path(__file__).parents[1] / "golden" / "gru.npz"


def test_equals_onnx_runtime() -> None:
    golden = np.load(GOLDEN)
    gru = BidirectionalGRU(3, 4, rngs=nnx.Rngs(0))
    for index, one in enumerate((gru.forward, gru.backward)):
        one.of_input.kernel.set_value(jnp.asarray(golden["of_input"][index].T))
        one.of_input.bias.set_value(jnp.asarray(golden["input_bias"][index]))
        one.of_state.kernel.set_value(jnp.asarray(golden["of_state"][index].T))
        one.of_state.bias.set_value(jnp.asarray(golden["state_bias"][index]))
    np.testing.assert_allclose(gru(jnp.asarray(golden["frames"])), golden["output"], atol=2e-6)


def test_linear_is_drawn_within_torchs_bounds() -> None:
    layer = torch_linear(50, 200, nnx.Rngs(0), beside=50)
    kernel = np.asarray(layer.kernel.get_value())
    assert 0.098 < np.abs(kernel).max() <= 0.1
    np.testing.assert_allclose(kernel.std(), 0.1 / np.sqrt(3), rtol=0.05)
