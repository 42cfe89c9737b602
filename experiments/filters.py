"""Compare ours with the input, all filters and the fit without a network, on real grasps; needs no training.

The table in README.md is from this run.
"""

from toch_jax.benchmark.experiment import Benchmark, Dataset
from toch_jax.benchmark.methods.filters import FILTERS
from toch_jax.benchmark.methods.registry import Fit, Input, Ours

NOISES = (
    *("T(0.01)", "T(0.02)", "R(0.3)", "R(0.5)", "B(0.01,0.3)"),
    *("missing(0.2,0.01)", "beta(0.01,0.3,0.05)", "drift(0.01)", "bias(0.01)"),
)

benchmark = Benchmark(
    datasets=(Dataset("myodm", NOISES),),
    methods=(Input(), *FILTERS, Fit(), Ours()),
)
