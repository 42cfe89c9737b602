"""Ours beside the tracked input, every filter and the fit alone, on real grasps: nothing has to be trained first."""

from toch_jax.benchmark import Benchmark
from toch_jax.methods import METHODS

benchmark = Benchmark(
    noises={"myodm": ("T(0.01)", "T(0.02)", "R(0.3)", "R(0.5)", "B(0.01,0.3)", "bias(0.01)", "drift(0.01)")},
    methods=tuple(name for name in METHODS if name not in ("toch", "refinenet", "contactopt")),
)
