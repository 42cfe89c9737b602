from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
import trimesh

from toch_jax.metrics.clip import measure, metrics_table, spread
from toch_jax.object.model import motion_from_axis_angle
from toch_jax.sequence.derived import PosedHand
from toch_jax.sequence.types import Hands, Sequence

BALL = trimesh.creation.icosphere(subdivisions=4, radius=0.05)
FRAMES = 6


def balls(apart: list[float], n_parts: int = 1) -> tuple[Sequence, PosedHand]:
    """A ball as hand beside a ball as object, with the given distances of centres; a second part is far away."""
    frames = len(apart)
    turned = np.tile(np.float32([0.3, 0.2, 0.1]), (n_parts, frames, 1))
    moved = np.stack([np.tile(np.float32([1, 2, 3 + part]), (frames, 1)) for part in range(n_parts)])
    motion = motion_from_axis_angle(turned, moved)
    object_vertices = np.tile(np.float32(BALL.vertices), (n_parts, 1))
    sequence = Sequence(
        fps=10.0,
        hand_side=("right",),
        hand_model=None,
        hands=Hands(None, jnp.zeros((1, frames, 21, 3)), None, None),
        hand_valid=jnp.ones((1, frames), dtype=bool),
        object_vertices=jnp.asarray(object_vertices),
        object_faces=jnp.asarray(np.concatenate([BALL.faces + part * len(BALL.vertices) for part in range(n_parts)])),
        object_vertex_part=jnp.asarray(np.repeat(np.arange(n_parts), len(BALL.vertices))),
        object_motion=motion,
        truth=None,
        hand_joint_sigma=None,
    )
    side = np.float32([0.6, 0.0, 0.8])
    vertices = np.float32(BALL.vertices) + moved[-1, :, None] + np.float32(apart)[:, None, None] * side
    return sequence, PosedHand(vertices[:, :21], vertices, np.asarray(BALL.faces), np.ones(frames, dtype=bool))


@pytest.mark.parametrize("n_parts", [1, 2])
def test_two_balls(n_parts: int) -> None:
    sequence, hand = balls([0.3, 0.09, 0.06, 0.2], n_parts)
    lens = [np.pi * (0.2 + d) * (0.1 - d) ** 2 / 12 * 1e6 for d in (0.09, 0.06)]
    measured = measure(sequence, [hand])
    assert measured["contact_frames"] == 2
    assert measured["frames"] == 4
    assert measured["penetration_depth_mean"] == pytest.approx(25, abs=0.3)
    assert measured["penetration_depth_max"] == pytest.approx(40, abs=0.3)
    assert measured["intersection_volume"] == pytest.approx(np.mean(lens), rel=0.02)
    assert measured["volume_exact"] == 1
    assert np.isnan(measured["mpjpe"])


def test_frames_that_are_not_valid_do_not_count() -> None:
    sequence, hand = balls([0.09, 0.06, 0.09])
    blind = PosedHand(hand.joints, hand.vertices, hand.faces, np.array([True, False, True]))
    assert measure(sequence, [blind])["penetration_depth_max"] == pytest.approx(10, abs=0.2)
    assert measure(sequence, [blind])["frames"] == 2


def test_volumes_of_a_long_clip_are_taken_on_some_frames() -> None:
    some = spread(np.arange(70), 64)
    assert len(np.unique(some)) == 64
    assert (some[0], some[-1]) == (0, 69)
    np.testing.assert_array_equal(spread(np.arange(3), 64), np.arange(3))
    # the balls overlap more in the frames that are left out
    apart = np.full(70, 0.06)
    apart[some] = 0.09
    (long, hand), (short, same) = balls(list(apart)), balls([0.09])
    found, wanted = (measure(*clip)["intersection_volume"] for clip in ((long, [hand]), (short, [same])))
    assert found == pytest.approx(wanted, rel=1e-3)


def test_points_without_a_mesh_have_depth_but_no_volume() -> None:
    sequence, hand = balls([0.06, 0.06])
    cloud = PosedHand(None, hand.vertices, None, hand.observed)
    measured = measure(sequence, [cloud])
    assert measured["penetration_depth_mean"] == pytest.approx(40, abs=0.3)
    assert np.isnan(measured["intersection_volume"])
    assert np.isnan(measured["acceleration"])


def test_acceleration_of_the_object_beside_the_hands() -> None:
    """A ball that moves by a t^2 / 2 has the acceleration a; a frame that was lost takes the three about it out."""
    sequence, hand = balls([0.2] * FRAMES)
    assert measure(sequence, [hand])["object_acceleration"] == pytest.approx(0, abs=1e-3)
    fall = jnp.asarray(np.arange(FRAMES) ** 2 / 2 * 0.02, jnp.float32)
    motion = sequence.object_motion
    falling = motion.replace(translation=motion.translation.at[..., 0].add(fall))
    repaired = replace(hand, object_motion=falling)
    assert measure(sequence, [repaired])["object_acceleration"] == pytest.approx(0.02 * 10.0**2, rel=1e-3)
    lost = sequence.replace(object_motion=falling, object_valid=jnp.arange(FRAMES)[None] % 3 != 2)
    assert np.isnan(measure(lost, [hand])["object_acceleration"])


def test_truth_and_table() -> None:
    sequence, before = balls([0.06] * FRAMES)
    _, after = balls([0.09] * FRAMES)
    hands = {"before": before, "after": after, "truth": after}
    scores = {name: measure(sequence, [hand], [after]) for name, hand in hands.items()}
    assert scores["before"]["mpjpe"] == pytest.approx(30, rel=1e-4)
    assert scores["after"]["mpvpe"] == 0
    table = metrics_table(scores).splitlines()
    assert len({len(line) for line in table}) == 1
    rows = {line[:30].strip(): line.split()[-3:] for line in table}
    assert table[0].split() == ["before", "after", "truth"]
    assert rows["joint error, MPJPE (mm)"] == ["30.00", "0.00", "0.00"]
    assert rows["frames in contact"][-1] == "6"
    blind = metrics_table({name: measure(sequence, [hand]) for name, hand in hands.items()})
    assert "MPJPE" not in blind
