"""Compare ours with the filters, hand by hand: two hands, rigid and hinged objects unseen in training."""

from toch_jax.benchmark.experiment import Benchmark
from toch_jax.benchmark.methods.filters import FILTERS

benchmark = Benchmark(
    noises={"open_grasps": ("T(0.01)", "R(0.3)", "B(0.01,0.3)")},
    methods=("input", *FILTERS, "fit", "ours"),
    hands={"open_grasps": 2},
    clips={"open_grasps": 8},
)
