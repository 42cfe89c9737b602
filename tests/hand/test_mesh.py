def test_far_points_are_far() -> None:
    points = np.random.default_rng(2).normal(size=(200, 3))
    chosen = farthest_points(points, 12)
    among = np.linalg.norm(points[chosen][:, None] - points[chosen], axis=-1) + 1e9 * np.eye(12)
    # no point is farther from all chosen ones than these are from each other
    assert np.linalg.norm(points[:, None] - points[chosen], axis=-1).min(axis=1).max() <= among.min() + 1e-9
    assert len(farthest_points(points[:5], 12)) == 5
