"""Every method under every noise, on real grasps of objects that no training has seen, and on generated ones."""

from toch_jax.benchmark import Benchmark

benchmark = Benchmark(
    noises={
        "myodm": (
            *("T(0.01)", "T(0.02)", "R(0.3)", "R(0.5)", "B(0.01,0.3)", "G(0.1)"),
            *("bias(0.01)", "drift(0.01)", "beta(0.01,0.3,0.05)"),
            *("missing(0.2,0.01)", "finger(0.3)", "burst(0.05,0.1)"),
        ),
        "open_grasps": ("T(0.01)", "R(0.3)", "B(0.01,0.3)", "drift(0.01)"),
    },
    clips={"open_grasps": 6},
    checkpoints={"toch": "runs/toch_open_grasps/denoiser.npz", "refinenet": "runs/refinenet_open_grasps/refinenet.npz"},
)
