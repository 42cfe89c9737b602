"""Write gru.npz: a bidirectional GRU with random weights, run by ONNX Runtime (pip install onnx onnxruntime).

ONNX's GRU with linear_before_reset = 1 is torch's, but with its gates in the order update, reset, new.
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

INPUTS, HIDDEN, BATCH, FRAMES = 3, 4, 2, 6


def main() -> None:
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(BATCH, FRAMES, INPUTS)).astype(np.float32)
    # axes (direction, gate * hidden, in), torch's gate order: reset, update, new
    kernels = {
        "of_input": rng.normal(size=(2, 3 * HIDDEN, INPUTS)).astype(np.float32),
        "of_state": rng.normal(size=(2, 3 * HIDDEN, HIDDEN)).astype(np.float32),
        "input_bias": rng.normal(size=(2, 3 * HIDDEN)).astype(np.float32),
        "state_bias": rng.normal(size=(2, 3 * HIDDEN)).astype(np.float32),
    }

    def reordered(array: np.ndarray) -> np.ndarray:
        reset, update, new = np.split(array, 3, axis=1)
        return np.concatenate([update, reset, new], axis=1)

    constants = {
        "W": reordered(kernels["of_input"]),
        "R": reordered(kernels["of_state"]),
        "B": np.concatenate([reordered(kernels["input_bias"]), reordered(kernels["state_bias"])], axis=1),
    }
    node = helper.make_node(
        "GRU", ["X", "W", "R", "B"], ["Y"], hidden_size=HIDDEN, direction="bidirectional", linear_before_reset=1
    )
    graph = helper.make_graph(
        [node],
        "gru",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [FRAMES, BATCH, INPUTS])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [FRAMES, 2, BATCH, HIDDEN])],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (states,) = session.run(None, {"X": frames.swapaxes(0, 1)})
    output = states.transpose(2, 0, 1, 3).reshape(BATCH, FRAMES, 2 * HIDDEN)
    np.savez(Path(__file__).with_name("gru.npz"), frames=frames, output=output, **kernels)


if __name__ == "__main__":
    main()
