import dataclasses
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import trimesh
from matplotlib.image import imread

from toch_jax.metrics.clip import sequence_parts
from toch_jax.sequence.derived import PosedHand
from toch_jax.sequence.types import Sequence
from toch_jax.view import figure
from toch_jax.view.picture import OBJECT_LABEL, draw_picture, film
from toch_jax.view.scene import (
    CONTACT_COLOR,
    DEEP_COLOR,
    HAND_COLOR,
    distances_at,
    hand_surface,
    object_surface,
    skin_colors,
)

HandAt = Callable[[float], PosedHand]


def test_the_picture_shows_how_the_hand_moved(tmp_path: Path, sequence: Sequence, hand_at: HandAt) -> None:
    rows = {"before": [hand_at(0.04)], "same": [hand_at(0.04)], "after": [hand_at(0.06)]}
    draw_picture(tmp_path / "picture.png", sequence, rows, n_frames=3)
    assert min(imread(tmp_path / "picture.png").shape[:2]) > 400
    images = {name: np.stack(row) for name, row in film(sequence, sequence_parts(sequence), rows, [0, 3], 100).items()}
    np.testing.assert_array_equal(images["before"], images["same"])
    assert (np.abs(images["before"].astype(int) - images["after"]).max(axis=-1) > 25).mean() > 0.01


def test_a_scan_of_many_faces_looks_the_same_in_little_memory(sequence: Sequence, hand_at: HandAt) -> None:
    """The box with 12,288 faces and with 196,608, which would take 60 MB in each image."""
    box = trimesh.creation.box(extents=(0.1, 0.06, 0.08))
    scans = []
    for times in range(1, 8):
        box = box.subdivide()
        if times in (5, 7):
            scans.append(
                sequence.replace(
                    object_vertices=jnp.asarray(box.vertices),
                    object_faces=jnp.asarray(box.faces),
                    object_vertex_part=jnp.zeros(len(box.vertices), jnp.int32),
                )
            )
    rows, parts = {"after": [hand_at(0.06)]}, sequence_parts(sequence)
    few = film(scans[0], parts, rows, list(range(8)), 100)["after"]
    tracemalloc.start()
    many = film(scans[1], parts, rows, list(range(8)), 100)["after"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
    for image, other in zip(few, many, strict=True):
        assert np.abs(image.astype(int) - other).mean() < 1


@pytest.mark.parametrize("frames", [1, 2, 8])
def test_joints_alone_and_short_clips(tmp_path: Path, sequence: Sequence, hand_at: HandAt, frames: int) -> None:
    cut = sequence.replace(object_motion=jax.tree.map(lambda leaf: leaf[:, :frames], sequence.object_motion))
    joints = hand_at(0.04).joints
    assert joints is not None
    hand = PosedHand(joints[:frames], None, None, np.ones(frames, dtype=bool))
    draw_picture(tmp_path / "joints.png", cut, {"before": [hand], "after": [hand]}, n_frames=2)
    assert imread(tmp_path / "joints.png").std() > 0.01


def test_skin_is_painted_by_its_distance(sequence: Sequence, hand_at: HandAt) -> None:
    """The box reaches 30 mm to the side: a capsule of radius 20 mm is 10 mm deep when its axis is at 40 mm."""
    parts = sequence_parts(sequence)
    distances = distances_at(sequence, parts, hand_at(0.04), [3])[0]
    assert distances.min() == pytest.approx(-0.01, abs=2e-4)
    colors = hand_surface(hand_at(0.04), 3, distances).color
    np.testing.assert_allclose(colors[distances.argmin()], DEEP_COLOR, atol=0.02)
    np.testing.assert_allclose(colors[distances.argmax()], HAND_COLOR)
    beside = distances_at(sequence, parts, hand_at(0.051), [3])[0]
    assert beside.min() == pytest.approx(0.001, abs=2e-4)
    np.testing.assert_allclose(hand_surface(hand_at(0.051), 3, beside).color[beside.argmin()], CONTACT_COLOR)


def test_redder_with_depth() -> None:
    colors = skin_colors(np.array([-0.0025, -0.005, -0.008, -0.02]))
    towards = np.linalg.norm(colors - DEEP_COLOR, axis=1)
    assert (np.diff(towards) < 0).all()
    assert towards[-1] == 0


def test_repaired_hands_have_no_gap_where_tracked_ones_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sequence: Sequence, hand_at: HandAt
) -> None:
    drawn: dict[str, np.ndarray] = {}
    monkeypatch.setattr(figure, "_curve", lambda axes, label, curves, *rest: drawn.update(curves))
    lost = dataclasses.replace(hand_at(0.04), observed=np.arange(8) != 4)
    draw_picture(tmp_path / "gap.png", sequence, {"before": [lost], "after": [lost]}, n_frames=2)
    assert np.isnan(drawn["before"][3:6]).all()
    assert np.isfinite(drawn["after"][1:-1]).all()


def test_the_object_s_curve_is_drawn_where_its_motion_was_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sequence: Sequence, hand_at: HandAt
) -> None:
    drawn: dict[str, dict[str, np.ndarray]] = {}
    monkeypatch.setattr(figure, "_curve", lambda axes, label, curves, *rest: drawn.update({label: curves}))
    motion = sequence.object_motion
    shaken = motion.replace(translation=motion.translation.at[:, 3, 0].add(0.01))
    before, after = (dataclasses.replace(hand_at(0.06), object_motion=each) for each in (shaken, motion))
    draw_picture(tmp_path / "same.png", sequence, {"before": [after], "after": [after]}, n_frames=2)
    assert OBJECT_LABEL not in drawn
    draw_picture(tmp_path / "shaken.png", sequence, {"before": [before], "after": [after]}, n_frames=2)
    extra = drawn[OBJECT_LABEL]["before"] - drawn[OBJECT_LABEL]["after"]
    np.testing.assert_allclose(extra[[2, 3, 4]], np.array([1, 2, 1]) * 0.01 * sequence.fps**2, rtol=0.2)


def test_the_object_and_both_rows_are_inside_the_images(sequence: Sequence, hand_at: HandAt) -> None:
    """The whole box is visible: with the hand far aside, no pixel of it is at the image's border."""
    images = film(
        sequence, sequence_parts(sequence), {"before": [hand_at(0.06)], "after": [hand_at(0.05)]}, [0, 7], 120
    )
    tiles = np.stack([tile for row in images.values() for tile in row])
    border = np.concatenate([tiles[:, [0, -1]].ravel(), tiles[:, :, [0, -1]].ravel()])
    assert (border == 255).all()
    inner = (tiles < 255).any(axis=(0, 3))
    assert inner[5].any()
    assert inner[:, 5].any()


def test_the_object_is_drawn_where_it_is(sequence: Sequence) -> None:
    middle = object_surface(sequence, 7).vertices.mean(axis=0)
    np.testing.assert_allclose(middle, [0.2, 0, 0], atol=1e-6)
