"""Write hinged.npz: scissors in two hands, a generated test clip with noise and a tenth of its frames lost.

Not run by the tests; needs `toch prepare open_grasps`:

    python tests/golden/make_hinged.py
"""

from pathlib import Path

from toch_jax.benchmark.run import perturb_clip
from toch_jax.datasets.prepared import read_sequences
from toch_jax.perturb.registry import parse_perturbation
from toch_jax.sequence.file import save_sequence

CLIP, FRAMES = "scissors_0_parts_open_1", 64


def main() -> None:
    clean = dict(read_sequences("open_grasps", "test"))[CLIP]
    noisy = perturb_clip(CLIP, clean.frames(0, FRAMES), parse_perturbation("missing(0.1,0.01)"), seed=0)
    save_sequence(Path(__file__).with_name("hinged.npz"), noisy.replace(truth=None))


if __name__ == "__main__":
    main()
