import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.plain import plain_jit
from support.windows import FIELD_NET, assert_close, estimated, random_window, untrained

from toch_jax.denoiser.apply import denoise_clip, frame_step
from toch_jax.denoiser.field_net import FieldNet
from toch_jax.denoiser.window import Estimate, Window, map_frames

N_FRAMES = 12


@pytest.fixture(scope="module")
def clip() -> Window:
    return random_window(0, 1, N_FRAMES)


def denoised(model: FieldNet, clip: Window, **how: int) -> Estimate:
    return plain_jit(lambda model, clip: denoise_clip(model, clip, **how), model, clip)


def picked(clip: Window, frames: slice) -> Window:
    return map_frames(lambda leaf: leaf[:, frames], clip)


def test_a_clip_of_one_window_is_that_window(clip: Window) -> None:
    model = untrained(FIELD_NET)
    assert_close(denoised(model, clip, window=N_FRAMES), estimated(model, clip), 1e-5)


def test_the_ends_belong_to_one_window_and_the_middle_to_two(clip: Window) -> None:
    model = untrained(FIELD_NET)
    whole = denoised(model, clip, window=8, stride=4)
    first, last = estimated(model, picked(clip, slice(0, 8))), estimated(model, picked(clip, slice(4, 12)))
    assert_close(jax.tree.map(lambda leaf: leaf[:, :4], whole), jax.tree.map(lambda leaf: leaf[:, :4], first), 1e-5)
    middle = zip(*(jax.tree.leaves(each) for each in (whole, first, last)), strict=True)
    for blend, a, b in middle:
        low, high = np.minimum(a[:, 4:8], b[:, :4]), np.maximum(a[:, 4:8], b[:, :4])
        assert (blend[:, 4:8] >= low - 1e-5).all()
        assert (blend[:, 4:8] <= high + 1e-5).all()


@pytest.mark.slow
def test_a_quick_clip_is_read_in_turns(clip: Window) -> None:
    """At twice the frame rate, even and odd frames are two clips at the usual rate."""
    model = untrained(FIELD_NET)
    whole = denoised(model, clip, step=2, window=N_FRAMES // 2)
    for phase in (0, 1):
        alone = estimated(model, picked(clip, slice(phase, None, 2)))
        assert_close(jax.tree.map(lambda leaf, phase=phase: leaf[:, phase::2], whole), alone, 1e-5)


def test_frame_steps() -> None:
    assert [frame_step(fps) for fps in (10.0, 25.0, 30.0, 59.94, 60.0, 120.0)] == [1, 1, 1, 2, 2, 4]
    assert jnp.isfinite(denoised(untrained(FIELD_NET), random_window(1, 1, 5), step=4, window=4).joints.joints).all()
