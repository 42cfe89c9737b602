"""The scale of a mesh by the touch of several digits."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
import trimesh

from toch_jax.base.arrays import put
from toch_jax.base.errors import InputError
from toch_jax.object.build import build_object
from toch_jax.sequence.file import load_sequence
from toch_jax.sequence.types import Sequence
from toch_jax.track.object_scale import PRIOR, SCALES, _evidence, _touch, with_scale_from_contact


@pytest.fixture(scope="module")
def clip(example_file) -> Sequence:
    """A true hand that holds an object with three digits and more."""
    clip = load_sequence(example_file)
    return clip.replace(hands=clip.truth, truth=None, hand_valid=jnp.ones_like(clip.hand_valid), notes=())


def scaled(clip: Sequence, factor: float) -> Sequence:
    vertices = np.asarray(clip.object_vertices)
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    return clip.replace(object_vertices=put(middle + factor * (vertices - middle), np.float32))


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_wrong_scale_is_found(clip: Sequence, factor: float) -> None:
    found = with_scale_from_contact(scaled(clip, factor))
    size, true = (np.ptp(np.asarray(each.object_vertices), axis=0) for each in (found, clip))
    np.testing.assert_allclose(size / true, 1, atol=0.025)
    middle, middle_before = (
        (np.asarray(each.object_vertices).min(axis=0) + np.asarray(each.object_vertices).max(axis=0)) / 2
        for each in (found, clip)
    )
    np.testing.assert_allclose(middle, middle_before, atol=1e-6)
    (note,) = found.notes
    assert note.startswith("object: its mesh was scaled by ")


def test_a_hand_that_never_touches_tells_nothing(clip: Sequence) -> None:
    hands = clip.hands.replace(params=clip.hands.params.replace(transl=clip.hands.params.transl + 0.3))
    given = scaled(clip, 0.9).replace(hands=hands)
    found = with_scale_from_contact(given)
    np.testing.assert_array_equal(found.object_vertices, given.object_vertices)
    assert found.notes == ("object: its scale is unknown, as touch does not show it: the mesh was not scaled",)


def test_parts_that_move_have_no_common_scale(clip: Sequence) -> None:
    part = put((np.arange(len(clip.object_vertices)) % 2).astype(np.int32))
    with pytest.raises(InputError, match=r"scale: expected a rigid object, found one of 2 parts"):
        with_scale_from_contact(clip.replace(object_vertex_part=part))


def test_distances_to_a_scaled_ball() -> None:
    """Beside the closed form: a ball of radius r grows to s r."""
    radius, middle = 0.04, np.array([0.01, 0.0, -0.02])
    ball = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    grid = build_object(ball.vertices + middle, np.asarray(ball.faces), n_samples=100).grid
    directions = np.random.default_rng(0).normal(size=(6, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    skin = [middle + (radius + 0.005) * directions[:, None], middle + (radius + 0.01) * directions[::-1, None]]
    for scale in (0.9, 1.0, 1.2):
        distance, gradient = _touch(grid, skin, scale, middle)
        np.testing.assert_allclose(distance[:, 0], radius + 0.005 - scale * radius, atol=3e-4)
        np.testing.assert_allclose(distance[:, 1], radius + 0.01 - scale * radius, atol=3e-4)
        np.testing.assert_allclose(gradient[:, 0], directions, atol=0.03)


def test_an_offset_explains_what_opposite_digits_do_not() -> None:
    """A hand 3 mm to one side: two opposite digits are off by +3 and -3 mm, which costs the offset only."""
    gradient = np.array([[[1.0, 0, 0], [-1.0, 0, 0]]])
    at_rest, aside, thick = (
        _evidence(np.array([each]), gradient, error=0.005)[0] for each in ([0.0, 0.0], [0.003, -0.003], [0.003, 0.003])
    )
    assert at_rest > aside > thick
    assert at_rest - aside == pytest.approx(0.5 * (0.003 / 0.005) ** 2, abs=0.1)


def test_prior_is_over_the_whole_grid() -> None:
    """The grid of scales holds two standard deviations of the prior on both sides."""
    assert math.log(SCALES[0]) < -2 * PRIOR < 2 * PRIOR < math.log(SCALES[-1])
