"""Compare ours with the filters, hand by hand: two hands, rigid and hinged objects unseen in training."""

from toch_jax.benchmark.experiment import Benchmark, Dataset
from toch_jax.benchmark.methods.filters import FILTERS
from toch_jax.benchmark.methods.registry import Fit, Input, Ours

benchmark = Benchmark(
    datasets=(Dataset("open_grasps", ("T(0.01)", "R(0.3)", "B(0.01,0.3)"), clips=8, hands=2),),
    methods=(Input(), *FILTERS, Fit(), Ours()),
)
