import dataclasses

import numpy as np
import pytest
import trimesh

from toch_jax.metrics.hands import hands_depth_mm
from toch_jax.sequence.derived import PosedHand

BALL = trimesh.creation.icosphere(subdivisions=4, radius=0.05)
WAY = np.array([0.6, 0.0, 0.8])


def ball(along: list[float]) -> PosedHand:
    vertices = np.float32(BALL.vertices + np.array(along)[:, None, None] * WAY)
    return PosedHand(vertices[:, :21], vertices, np.asarray(BALL.faces), np.ones(len(along), dtype=bool))


def test_two_balls() -> None:
    """Depth is the overlap of the radii, in either order of the hands."""
    one, other = ball([0, 0, 0]), ball([0.2, 0.09, -0.07])
    for hands in ([one, other], [other, one]):
        np.testing.assert_allclose(hands_depth_mm(hands), [0, 10, 30], atol=0.2)


def test_of_three_the_deepest_pair_counts() -> None:
    np.testing.assert_allclose(hands_depth_mm([ball([0.0]), ball([0.09]), ball([0.17])]), [20], atol=0.2)


def test_frames_without_two_hands_say_nothing() -> None:
    one = ball([0.0, 0.0])
    lost = dataclasses.replace(ball([0.09, 0.09]), observed=np.array([True, False]))
    found = hands_depth_mm([one, lost])
    assert found[0] == pytest.approx(10, abs=0.2)
    assert np.isnan(found[1])
    assert np.isnan(hands_depth_mm([one])).all()
    cloud = dataclasses.replace(one, faces=None)
    assert np.isnan(hands_depth_mm([cloud, cloud])).all()
    # a point cloud has no inside, but its points may be inside a mesh
    np.testing.assert_allclose(hands_depth_mm([cloud, ball([0.09, 0.09])]), 10, atol=0.2)
