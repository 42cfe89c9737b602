"""Compare all methods under all noises, on real grasps (MyoDM) and generated ones of objects unseen in training.

The oracles read the ground truth and are upper bounds for ours. `ours:myodm` is ours with weights trained on MyoDM's
training objects (experiments/myodm.py). Two hands: experiments/two_hands.py.
"""

from toch_jax.benchmark.experiment import Benchmark, Dataset
from toch_jax.benchmark.methods.filters import FILTERS
from toch_jax.benchmark.methods.registry import ContactOpt, Fit, Input, OracleField, OracleMask, Ours, RefineNet, Toch

NOISES = (
    *("T(0.01)", "T(0.02)", "B(0.01,0.3)", "R(0.3)", "R(0.5)"),
    *("bias(0.01)", "drift(0.01)", "beta(0.01,0.3,0.05)", "missing(0.2,0.01)"),
)

FEW = ("T(0.01)", "R(0.3)")
"""For the methods that need not be run at all noise levels."""

benchmark = Benchmark(
    datasets=(Dataset("myodm", NOISES), Dataset("open_grasps", NOISES, clips=4, hands=1)),
    methods=(
        Input(),
        *FILTERS,
        Fit(),
        Toch("runs/toch_open_grasps/denoiser.npz"),
        RefineNet("runs/refinenet_open_grasps/denoiser.npz"),
        # the slowest
        ContactOpt(noises=("T(0.01)",)),
        Ours(),
        Ours("runs/myodm/denoiser.npz", name="ours:myodm", noises=FEW),
        OracleField(noises=FEW),
        OracleMask(noises=FEW),
    ),
)
