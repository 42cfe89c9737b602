from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest
from matplotlib.image import imread

from toch_jax.evaluate.clip import sequence_parts
from toch_jax.evaluate.pose import PosedHand
from toch_jax.sequence.types import Sequence
from toch_jax.view.picture import draw_picture
from toch_jax.view.surfaces import DEEP_COLOR, HAND_COLOR, depths_at, hand_surface, object_surface

HandAt = Callable[[float], PosedHand]


def test_the_picture_shows_how_the_hand_moved(tmp_path: Path, sequence: Sequence, hand_at: HandAt) -> None:
    still, moved = tmp_path / "still.png", tmp_path / "moved.png"
    draw_picture(still, sequence, {"before": [hand_at(0.04)], "after": [hand_at(0.04)]}, n_frames=3)
    draw_picture(moved, sequence, {"before": [hand_at(0.04)], "after": [hand_at(0.06)]}, n_frames=3)
    pictures = [imread(path) for path in (still, moved)]
    assert pictures[0].shape == pictures[1].shape
    assert min(pictures[0].shape[:2]) > 400
    assert (np.abs(pictures[0] - pictures[1]).max(axis=-1) > 0.1).mean() > 0.01


@pytest.mark.parametrize("frames", [1, 2, 8])
def test_joints_alone_and_short_clips(tmp_path: Path, sequence: Sequence, hand_at: HandAt, frames: int) -> None:
    cut = sequence.replace(object_motion=jax.tree.map(lambda leaf: leaf[:, :frames], sequence.object_motion))
    joints = hand_at(0.04).joints
    assert joints is not None
    hand = PosedHand(joints[:frames], None, None, np.ones(frames, dtype=bool))
    draw_picture(tmp_path / "joints.png", cut, {"before": [hand], "after": [hand]}, n_frames=2)
    assert imread(tmp_path / "joints.png").std() > 0.01


def test_skin_inside_the_object_is_red(sequence: Sequence, hand_at: HandAt) -> None:
    """The box reaches 30 mm to the side: a capsule of radius 20 mm is 10 mm deep when its axis is at 40 mm."""
    parts = sequence_parts(sequence)
    deep = depths_at(sequence, parts, hand_at(0.04), [3])[0]
    assert deep.max() == pytest.approx(0.01, abs=2e-4)
    colors = hand_surface(hand_at(0.04), 3, deep).color
    np.testing.assert_allclose(colors[deep.argmax()], DEEP_COLOR, atol=0.02)
    np.testing.assert_allclose(colors[deep.argmin()], HAND_COLOR)
    assert depths_at(sequence, parts, hand_at(0.06), [3]).max() == 0


def test_the_object_is_drawn_where_it_is(sequence: Sequence) -> None:
    middle = object_surface(sequence, 7).vertices.mean(axis=0)
    np.testing.assert_allclose(middle, [0.2, 0, 0], atol=1e-6)
