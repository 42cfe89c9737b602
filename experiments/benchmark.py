"""T, R and both, on real grasps of objects that no training has seen."""

from toch_jax.benchmark import Benchmark

benchmark = Benchmark(dataset="myodm", noises=("T(0.01)", "T(0.02)", "R(0.3)", "B(0.01,0.3)"))
