"""Compare all methods under all noises, on real grasps (MyoDM) and generated ones of objects unseen in training.

The oracles read the ground truth and are upper bounds for ours. `ours:myodm` is ours with weights trained on MyoDM's
training objects (experiments/myodm.py). Two hands: experiments/two_hands.py.
"""

from toch_jax.benchmark.experiment import Benchmark
from toch_jax.benchmark.methods.registry import METHODS, ORACLES

NOISES = (
    *("T(0.01)", "T(0.02)", "B(0.01,0.3)", "R(0.3)", "R(0.5)"),
    *("bias(0.01)", "drift(0.01)", "beta(0.01,0.3,0.05)", "missing(0.2,0.01)"),
)

benchmark = Benchmark(
    noises={"myodm": NOISES, "open_grasps": NOISES},
    methods=(*METHODS, "ours:myodm", *ORACLES),
    # the slowest method, and those that need not be run at all noise levels
    only={"contactopt": ("T(0.01)",)} | {name: ("T(0.01)", "R(0.3)") for name in ("ours:myodm", *ORACLES)},
    clips={"open_grasps": 4},
    hands={"open_grasps": 1},
    checkpoints={
        "toch": "runs/toch_open_grasps/denoiser.npz",
        "refinenet": "runs/refinenet_open_grasps/refinenet.npz",
        "ours:myodm": "runs/myodm/denoiser.npz",
    },
)
