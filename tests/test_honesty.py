"""No method gains anything from the ground truth that lies in the same file."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toch_jax.denoiser.canonical import canonical_scale_offset
from toch_jax.denoiser.checkpoints import create_denoiser
from toch_jax.denoiser.light import LightConfig
from toch_jax.evaluate.joints import mpjpe_mm
from toch_jax.evaluate.score import answer_of
from toch_jax.hand.files import load_hand
from toch_jax.refine import refine
from toch_jax.sequence.file import load_sequence, save_sequence


@pytest.fixture(scope="module")
def files(example_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Some frames of the example, as they are and with garbage for ground truth."""
    short = load_sequence(example_file).frames(20, 36)
    truth = short.truth
    rng = np.random.default_rng(0)
    garbage = truth.replace(
        params=jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), jnp.float32), truth.params)
    )
    folder = tmp_path_factory.mktemp("honesty")
    save_sequence(folder / "true.npz", short)
    save_sequence(folder / "garbage.npz", short.replace(truth=garbage))
    return folder / "true.npz", folder / "garbage.npz"


def test_garbage_for_truth_changes_nothing_but_the_metrics(files: tuple[Path, Path]) -> None:
    scale, offset = canonical_scale_offset(load_hand("open"))
    denoiser = create_denoiser(LightConfig(canonical_scale=scale, canonical_offset=offset), seed=0)
    true, garbage = (load_sequence(path) for path in files)
    one, other = (refine(given, denoiser) for given in (true, garbage))
    for mine, theirs in zip(
        jax.tree.leaves((one.hands, one.hand_joint_sigma)),
        jax.tree.leaves((other.hands, other.hand_joint_sigma)),
        strict=True,
    ):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
    tracked, clean, wrong = (
        answer_of(given).hands[0].joints for given in (true, *(g.replace(hands=g.truth) for g in (true, garbage)))
    )
    assert mpjpe_mm(tracked, wrong) > 10 * mpjpe_mm(tracked, clean)
