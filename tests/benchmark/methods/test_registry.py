"""The methods' names and weights; oracles, which use the ground truth, come nearer to it than methods that do not."""

from pathlib import Path

import jax
import numpy as np
import pytest

from toch_jax.base.errors import InputError
from toch_jax.benchmark.methods import registry
from toch_jax.benchmark.methods.filters import FILTERS
from toch_jax.benchmark.methods.method import Learnt
from toch_jax.benchmark.methods.registry import (
    SHIPPED,
    UNTRAINED,
    ContactOpt,
    OracleField,
    OracleMask,
    Ours,
    RefineNet,
    Toch,
    fit_clean_field,
    fit_true_mask,
)
from toch_jax.denoiser.checkpoints import load_denoiser
from toch_jax.denoiser.window import Denoiser
from toch_jax.hand.conventions import to_openpose
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import skin_frames
from toch_jax.metrics.joints import mpjpe_mm
from toch_jax.pipeline import refine
from toch_jax.sequence.file import load_sequence
from toch_jax.sequence.mirror import mirror
from toch_jax.sequence.types import Sequence


def test_names_in_results() -> None:
    """Runs of before are resumed by these names."""
    assert [method.name for method in UNTRAINED] == ["input", *(filter.name for filter in FILTERS), "fit", "ours"]
    others = [method.name for method in (Toch(), RefineNet(), ContactOpt(), OracleField(), OracleMask())]
    assert others == ["toch", "refinenet", "contactopt", "oracle:field", "oracle:mask"]
    assert Ours("other.npz", name="ours:other").name == "ours:other"


def test_ours_with_other_weights_beside_the_shipped_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    monkeypatch.setattr(registry, "load_denoiser", lambda path: read.append(path))
    for ours in (Ours(), Ours(__file__, name="ours:other"), OracleMask()):
        ours.load()
    assert read == [SHIPPED, Path(__file__), SHIPPED]


@pytest.mark.parametrize("method", [Toch, RefineNet])
def test_weights_that_are_not_there(method: type[Learnt], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"weights of {method.name}: expected .* found none$"):
        method().load()
    with pytest.raises(InputError, match=f"weights of {method.name}: expected .* found .*no.npz$"):
        method(str(tmp_path / "no.npz")).load()


def test_weights_of_another_network() -> None:
    with pytest.raises(InputError, match=r"default\.npz: architecture: expected toch, found "):
        Toch(str(SHIPPED)).load()


@pytest.fixture(scope="module")
def tracked(example_file) -> Sequence:
    """Frames of the example in which the hand holds the object."""
    return load_sequence(example_file).frames(28, 44)


@pytest.fixture(scope="module")
def denoiser() -> Denoiser:
    return load_denoiser()


def error(repaired: Sequence, tracked: Sequence) -> float:
    params = jax.tree.map(lambda leaf: leaf[0], tracked.truth.params)
    truth = to_openpose(np.asarray(skin_frames(load_hand("open", tracked.hand_side[0]), params)[1]))
    return mpjpe_mm(np.asarray(repaired.hands.joints[0]), truth)


@pytest.mark.slow
def test_the_clean_field_says_where_the_hand_is(tracked: Sequence, denoiser: Denoiser) -> None:
    """Fitting the clean field leaves an error of at most 2 mm; the denoiser's field leaves more than 3 mm."""
    assert error(fit_clean_field(tracked), tracked) < 2.0
    assert error(refine(tracked, denoiser), tracked) > 3.0


@pytest.mark.slow
def test_the_clean_field_of_a_left_hand(tracked: Sequence) -> None:
    left = mirror(tracked)
    assert error(fit_clean_field(left), left) < 2.0


@pytest.mark.slow
def test_the_true_mask_is_the_truth_s(tracked: Sequence, denoiser: Denoiser) -> None:
    """With the true mask the error is about that of the repair; with the truth moved away, the result changes."""
    told = fit_true_mask(denoiser, tracked)
    away = jax.tree.map(lambda leaf: leaf, tracked.truth)
    away = away.replace(params=away.params.replace(transl=away.params.transl + 0.5))
    misled = fit_true_mask(denoiser, tracked.replace(truth=away))
    assert error(told, tracked) < error(refine(tracked, denoiser), tracked) + 1.0
    assert np.abs(np.asarray(told.hands.joints) - np.asarray(misled.hands.joints)).max() > 1e-4
