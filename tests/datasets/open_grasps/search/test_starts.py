"""Where the search begins: postures within limits, pairs of opposite points."""

import numpy as np
import trimesh

from toch_jax.datasets.open_grasps.search.starts import KINDS, LIMITS, opposite_points, template
from toch_jax.object.build import build_object


def test_templates_stay_within_the_joints_limits() -> None:
    for kind in KINDS.values():
        bend = template(kind, np.linspace(-0.2, 1, 5))
        assert (bend >= LIMITS[0]).all()
        assert (bend <= LIMITS[1]).all()


def test_opposite_points_of_a_box_lie_on_opposite_faces() -> None:
    mesh = trimesh.creation.box(extents=(0.04, 0.06, 0.2))
    target = build_object(mesh.vertices, mesh.faces, n_samples=400, sdf_resolution=16)
    one, two = opposite_points(target, 200, np.random.default_rng(0))
    width = np.linalg.norm(one - two, axis=1)
    # 0.2 m is too wide for a hand; pairs along each of the other axes are within 32 degrees (cos > 0.85) of it
    across = [np.abs(np.abs(one - two)[:, axis] - size) < 1e-5 for axis, size in ((0, 0.04), (1, 0.06))]
    assert (across[0] | across[1]).all()
    assert across[0].any()
    assert across[1].any()
    assert (width < 0.06 / 0.85 + 1e-5).all()
