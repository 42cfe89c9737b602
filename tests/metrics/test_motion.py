import numpy as np
import pytest

from toch_jax.metrics import motion

FPS = 30.0
TIME = np.arange(40)[:, None, None] / FPS
GRAVITY = np.array([0.0, 0.0, -9.81])
FALL = 0.5 * GRAVITY * TIME**2 + np.array([1.0, 2.0, 3.0]) * TIME + np.zeros((1, 5, 3))
STILL = np.zeros_like(FALL)


def test_a_falling_stone_accelerates_by_g() -> None:
    assert motion.acceleration_m_s2(FALL, FPS) == pytest.approx(9.81, rel=1e-6)
    assert motion.jitter_m_s3(FALL, FPS) == pytest.approx(0.0, abs=1e-6)


def test_jerk_of_a_cubic() -> None:
    cubic = np.array([2.0, 0.0, 0.0]) * TIME**3 + np.zeros((1, 5, 3))
    assert motion.jitter_m_s3(cubic, FPS) == pytest.approx(12.0, rel=1e-6)


def test_acceleration_error_in_both_units() -> None:
    assert motion.acceleration_error_m_s2(FALL, STILL, FPS) == pytest.approx(9.81, rel=1e-6)
    assert motion.acceleration_error_mm_frame2(FALL, STILL) == pytest.approx(9810 / FPS**2, rel=1e-6)
    assert motion.acceleration_error_m_s2(FALL, STILL, FPS, root=0) == pytest.approx(0.0, abs=1e-6)


def test_only_runs_of_valid_frames_count() -> None:
    broken = FALL.copy()
    broken[20] = 100.0
    observed = np.ones(40, dtype=bool)
    observed[20] = False
    assert motion.acceleration_m_s2(broken, FPS) > 1000
    assert motion.acceleration_m_s2(broken, FPS, observed) == pytest.approx(9.81, rel=1e-6)


@pytest.mark.parametrize("frames", [1, 2])
def test_too_short_a_clip_has_no_acceleration(frames: int) -> None:
    assert np.isnan(motion.acceleration_m_s2(FALL[:frames], FPS))
    assert np.isnan(motion.acceleration_error_mm_frame2(FALL[:frames], STILL[:frames], np.ones(frames, dtype=bool)))


def test_slip_counts_where_the_skin_touches_in_both_frames() -> None:
    """One point slips 3 mm per frame, another 4 mm; the other loses contact for one frame and moves meanwhile."""
    steps = np.arange(4)[:, None, None]
    skin = np.concatenate([steps * np.array([[0.003, 0.0, 0.0]]), steps * np.array([[0.0, 0.004, 0.0]])], axis=1)
    touching = np.ones((4, 2), dtype=bool)
    assert motion.hand_object_motion_mm2(skin, touching) == pytest.approx((9 + 16) / 2)
    skin[1, 1], touching[1, 1] = 5.0, False
    assert motion.hand_object_motion_mm2(skin, touching) == pytest.approx((3 * 9 + 16) / 4)
    assert np.isnan(motion.hand_object_motion_mm2(skin, np.zeros((4, 2), dtype=bool)))
