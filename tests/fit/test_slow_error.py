"""The wandering offset against every path written out, and on a grasp that is put wrongly."""

import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toch_jax.fit.slow_error import _blurred, _spreading, _wander, read_step
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandParams
from toch_jax.object.motion import relative_to
from toch_jax.refine import sequence_object, without_slow_error
from toch_jax.sequence.file import load_sequence
from toch_jax.sequence.part_frame import hand_to_part

AXIS = jnp.asarray([-0.01, 0.0, 0.01])
SPREAD, KEPT = 0.01, 0.8


def test_forward_and_backward_against_all_paths() -> None:
    log_likely = np.random.default_rng(0).normal(size=(3, 3, 3, 3)).astype(np.float32)
    chance, evidence = _wander(jnp.asarray(log_likely), AXIS, SPREAD, jnp.asarray(KEPT))
    axis = np.asarray(AXIS, float)
    apart = np.exp(-0.5 * (axis[:, None] - KEPT * axis) ** 2 / (SPREAD**2 * (1 - KEPT**2)))
    onward, alone = apart / apart.sum(axis=0), np.exp(-0.5 * (axis / SPREAD) ** 2)
    alone /= alone.sum()
    places = list(itertools.product(range(3), repeat=3))
    total, expected = 0.0, np.zeros((3, 3, 3, 3))
    for path in itertools.product(places, repeat=3):
        weight = np.prod([alone[each] for each in path[0]]) * np.exp(sum(log_likely[t][p] for t, p in enumerate(path)))
        for before, after in itertools.pairwise(path):
            weight *= np.prod([onward[b, a] for a, b in zip(before, after, strict=True)])
        total += weight
        for t, place in enumerate(path):
            expected[t][place] += weight
    np.testing.assert_allclose(np.asarray(chance), expected / total, atol=1e-5)
    np.testing.assert_allclose(float(evidence), np.log(total), rtol=1e-4)


def test_blurring() -> None:
    """By nothing: nothing. By much: every place is as likely as the next."""
    log_likely = jnp.asarray(np.random.default_rng(1).normal(size=(2, 3, 3, 3)), jnp.float32)
    np.testing.assert_allclose(np.asarray(_blurred(log_likely, AXIS, jnp.asarray(0.0))), log_likely, atol=1e-5)
    assert np.ptp(np.asarray(_blurred(log_likely, AXIS, jnp.asarray(1.0)))[0]) < 0.01
    np.testing.assert_allclose(np.asarray(_spreading(AXIS, 0.5, jnp.asarray(0.004))).sum(axis=0), 1, rtol=1e-6)


def test_what_is_read() -> None:
    assert [read_step(fps) for fps in (5.0, 15.0, 30.0, 60.0, 120.0)] == [1, 1, 2, 4, 8]


@pytest.fixture(scope="module")
def found(example_file: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Offset and variance found for the example's true hand, and for the same put 12 mm wrong."""
    sequence = load_sequence(example_file)
    assert sequence.truth is not None
    model = load_hand("open", sequence.hand_side[0])
    params: HandParams = jax.tree.map(lambda leaf: leaf[0], sequence.truth.params)
    held = hand_to_part(model, params, sequence, 0).replace(betas=params.betas[0])
    wrong = held.replace(transl=held.transl + WRONG)
    motion, object = relative_to(sequence.object_motion, 0), sequence_object(sequence).without_mesh()
    seen = jnp.ones(sequence.n_frames, bool)
    results = {}
    for name, hand in (("right", held), ("wrong", wrong)):
        moved, variance = without_slow_error(model, hand, seen, sequence.fps, object, motion)
        results[name] = np.asarray(moved.transl - hand.transl), np.asarray(variance)
    return results


WRONG = jnp.asarray([0.008, -0.006, 0.0066])


def test_a_right_hand_stays(found: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    offset, variance = found["right"]
    assert np.linalg.norm(offset, axis=1).max() < 0.001
    assert np.sqrt(variance.max()) < 0.002


def test_a_hand_put_wrongly_comes_back(found: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    offset, variance = found["wrong"]
    holding = slice(len(offset) // 3, 2 * len(offset) // 3)
    left = offset[holding] + np.asarray(WRONG)
    assert np.linalg.norm(left, axis=1).mean() < 0.5 * np.linalg.norm(WRONG)
    # and is as sure of its place as it ought to be, within a factor of two
    spread = np.sqrt(variance[holding].mean())
    assert np.sqrt((left**2).mean()) < 2 * spread
