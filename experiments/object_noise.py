"""Compare ours with filters of hand and object where the object was tracked too; real and generated grasps.

    toch benchmark object_noise -o runs/object_noise            # --quick for a taste

Needs no training. The last two noises show what an exact object, and an exact clip, lose.
"""

from toch_jax.benchmark.experiment import Benchmark, Dataset
from toch_jax.benchmark.methods.filters import FILTERS
from toch_jax.benchmark.methods.object_filters import OBJECT_FILTERS
from toch_jax.benchmark.methods.registry import FilterThenOurs, Fit, Input, Ours

NOISES = (
    "T(0.01)+object(0.005,0.05)",
    "object(0.002,0.02)",
    "T(0.01)+object_drift(0.01)",
    "T(0.01)+object_ray(0.01,0.006)+object(0,0.05)",
    "T(0.01)+object(0.002,0.02)+object_missing(0.2)",
    "T(0.01)+object(0.002,0.02)+object_outliers(0.1,0.03,0.3)",
    "T(0.01)",
    "T(0)",
)

benchmark = Benchmark(
    datasets=(Dataset("myodm", NOISES), Dataset("open_grasps", NOISES, clips=8)),
    methods=(
        Input(),
        # of the hand alone: the best in all other tables
        *(filter for filter in FILTERS if "kalman" in filter.name),
        *OBJECT_FILTERS,
        Fit(),
        FilterThenOurs(),
        Ours(),
    ),
    quick_noises=(NOISES[0], NOISES[3]),
)
