"""Long clips in blocks: that blocks cover a clip, and that they give what the whole clip gives."""

import itertools

import numpy as np
import pytest

from toch_jax.base.arrays import put, take
from toch_jax.denoiser.window import DenoiserConfig
from toch_jax.fit import blocks
from toch_jax.fit.blocks import common_shape, share, spans
from toch_jax.hand.conventions import to_openpose
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import PIECE, HandParams, skin, skin_frames
from toch_jax.metrics.joints import mpjpe_mm
from toch_jax.pipeline import refine
from toch_jax.sequence.file import load_sequence
from toch_jax.sequence.types import Sequence
from toch_jax.solver.costs.motion import GAUSSIAN
from toch_jax.solver.settings import DEFAULT, FitSettings
from toch_jax.warming import example

FRAMES, BLOCK = 128, 96


@pytest.mark.parametrize("step", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("n_frames", [1, 512, 513, 1000, 10_000])
def test_blocks_cover_the_clip_and_begin_where_its_windows_do(n_frames, step):
    found = spans(n_frames, step)
    assert found[0][0] == 0
    assert found[-1][1] == n_frames
    for (start, stop), (after, _) in itertools.pairwise(found):
        assert stop - start == blocks.BLOCK
        assert after % (DenoiserConfig.stride * step) == 0
        # in the middle half of the overlap, both blocks have all of the denoiser's windows
        assert 0.75 * (stop - after) >= DenoiserConfig.stride * step


def test_the_share_of_a_block_rises_from_none_to_all():
    found = share(60, overlap=32)
    assert (found[:8] == 0).all()
    assert (found[24:] == 1).all()
    assert (np.diff(found) >= 0).all()
    np.testing.assert_allclose(found[:32] + found[:32][::-1], 1)
    assert (share(5, overlap=0) == 1).all()


def test_the_common_shape_minimises_the_sum_of_the_blocks_costs():
    """Quadratic costs of the data of three blocks that do not overlap, with the prior in each: the prior once."""
    rng = np.random.default_rng(0)
    tracked = rng.normal(size=4)
    roots, targets = rng.normal(size=(3, 9, 4)) * 10, rng.normal(size=(3, 9))
    by_track, by_people = 1 / DEFAULT.tracked_shape**2, 1 / DEFAULT.shape**2
    prior = (by_track + by_people) * np.eye(4)

    def solution(rows, values):
        return np.linalg.solve(rows.T @ rows + prior, rows.T @ values + by_track * tracked)

    alone = [solution(*each) for each in zip(roots, targets, strict=True)]
    information = [rows.T @ rows + prior for rows in roots]
    together = solution(roots.reshape(-1, 4), targets.reshape(-1))
    np.testing.assert_allclose(common_shape(alone, information, tracked, 1.0, DEFAULT), together)
    assert np.abs(together - alone[0]).max() > 0.01


CONVEX = FitSettings(motion_dof=GAUSSIAN, tracked_dof=GAUSSIAN, depth=1e3, push_back_from=(1.0, 2.0))
"""A fit with one optimum: Gaussian, without the object. With the object the whole clip's own result is one of several,
millimetres apart."""


def refined(clip: Sequence, monkeypatch: pytest.MonkeyPatch, block: int, **options) -> tuple[Sequence, list[str]]:
    monkeypatch.setattr(blocks, "BLOCK", block)
    stages: list[str] = []
    return refine(clip, hand="model", progress=stages.append, **options), stages


def test_blocks_give_what_the_whole_clip_gives(monkeypatch):
    clip = example(FRAMES)
    whole, _ = refined(clip, monkeypatch, FRAMES, denoiser=None, settings=CONVEX)
    found, stages = refined(clip, monkeypatch, BLOCK, denoiser=None, settings=CONVEX)
    assert [stage for stage in stages if stage.startswith("frames")] == [
        "frames 0 to 95 of 128",
        "frames 32 to 127 of 128",
    ]
    apart = np.linalg.norm(np.asarray(found.hands.joints) - np.asarray(whole.hands.joints), axis=-1)
    assert apart.max() < 1e-4
    np.testing.assert_allclose(found.hand_joint_sigma, whole.hand_joint_sigma, rtol=0.05)
    # one hand of one shape
    assert (np.ptp(np.asarray(found.hands.params.betas), axis=1) == 0).all()


@pytest.mark.slow
def test_a_clip_in_blocks_is_as_accurate(example_file, monkeypatch):
    clip = load_sequence(example_file)
    model = load_hand("open", clip.hand_side[0])
    truth = np.asarray(skin_frames(model, take(clip.truth.params, 0))[1])
    whole, found = (refined(clip, monkeypatch, block)[0] for block in (128, BLOCK))
    errors = [mpjpe_mm(to_openpose(truth), np.asarray(each.hands.joints[0])) for each in (whole, found)]
    assert errors[1] < 1.03 * errors[0]
    # no jump where the blocks meet
    jump, usual = (np.abs(np.diff(np.asarray(each.hands.joints), 2, axis=1)).max() for each in (found, whole))
    assert jump < 1.2 * usual


def test_a_long_clip_is_posed_as_its_frames_are():
    model = load_hand("open", "right")
    rng = np.random.default_rng(0)
    frames = PIECE + 3
    params = HandParams(*(put(rng.normal(size=(frames, size)), np.float32) for size in (3, 45, 10, 3)))
    some = np.array([0, PIECE - 1, PIECE, frames - 1])
    for each in (params, params.replace(betas=params.betas[0])):
        expected = take(params, some).replace(betas=each.betas[some] if each.betas.ndim == 2 else each.betas)
        for found, of_some in zip(skin_frames(model, each), skin(model, expected), strict=True):
            np.testing.assert_allclose(np.asarray(found)[some], of_some, atol=1e-5)
