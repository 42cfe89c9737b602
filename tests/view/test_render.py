import dataclasses

import numpy as np
import pytest
import trimesh

from toch_jax.view.render import Camera, Surface, first_hits, render

BALL = trimesh.creation.icosphere(subdivisions=4, radius=0.1)
RED, BLUE = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
CAMERA = Camera(eye=np.array([0.0, -1.0, 0.0]), target=np.zeros(3), up=np.array([0.0, 0.0, 1.0]), view_angle=0.4)


def ball(color: np.ndarray, shift: tuple[float, float, float] = (0, 0, 0), opacity: float = 1.0) -> Surface:
    return Surface(np.asarray(BALL.vertices) + np.array(shift), np.asarray(BALL.faces), color, opacity)


def test_a_ball_covers_its_disc() -> None:
    """A ball of radius r at distance 1 appears as a disc of angular radius asin(r)."""
    observed = first_hits([ball(RED)], [CAMERA], 200, 200)[0] == 0
    radius = np.sqrt(observed.sum() / np.pi) / 100 * np.tan(0.2)
    assert radius == pytest.approx(np.tan(np.arcsin(0.1)), rel=0.01)
    assert not observed[0].any()
    assert observed[100, 100]


def test_right_is_right_and_up_is_up() -> None:
    observed = first_hits([ball(RED, (0.1, 0, 0)), ball(BLUE, (0, 0, 0.1))], [CAMERA], 100, 100)[0]
    assert observed[50, 75] == 0
    assert observed[20, 50] == 1
    assert observed[80, 50] == -1


def test_what_is_in_front_hides_and_glass_does_not() -> None:
    behind = ball(RED, (0, 0.3, 0))
    middle = [
        render([behind, ball(BLUE, opacity=opacity)], CAMERA, 64, 64)[32, 32].astype(int) for opacity in (1.0, 0.5)
    ]
    assert middle[0][2] > middle[0][0] + 50
    assert middle[1][0] > middle[0][0] + 50
    hidden = render([ball(RED), ball(BLUE, (0, 0.3, 0), opacity=0.5)], CAMERA, 64, 64)[32, 32].astype(int)
    alone = render([ball(RED)], CAMERA, 64, 64)[32, 32].astype(int)
    np.testing.assert_array_equal(hidden, alone)


def test_colors_by_vertex_and_white_around() -> None:
    colors = np.where(BALL.vertices[:, :1] > 0, RED, BLUE)
    picture = render([dataclasses.replace(ball(RED), color=colors)], CAMERA, 64, 64).astype(int)
    assert picture[32, 40, 0] > picture[32, 40, 2]
    assert picture[32, 24, 0] < picture[32, 24, 2]
    np.testing.assert_array_equal(picture[0, 0], 255)


def test_a_box_has_flat_faces() -> None:
    box = trimesh.creation.box(extents=(0.2, 0.2, 0.2))
    picture = render([Surface(np.asarray(box.vertices), np.asarray(box.faces), RED * 0.5)], CAMERA, 64, 64)
    face = picture[20:44, 20:44].astype(int)
    assert np.ptp(face[..., 0]) < 30
