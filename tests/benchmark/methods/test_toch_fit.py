import igl
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct
from support.plain import plain_jit
from support.scenes import joints_of, mirrored, scene_of

from toch_jax.benchmark.methods import toch_fit
from toch_jax.benchmark.methods.toch_fit import Targets, Unknowns, pose_points, script_loss, toch_refine
from toch_jax.denoiser.window import Estimate, Window, no_other_hand
from toch_jax.field.contact_field import ContactField, FieldEstimate
from toch_jax.hand.model import skin_frames
from toch_jax.sequence.mirror import mirror
from toch_jax.track.tracked_hand import coarse_hand


class Fake(struct.PyTreeNode):
    """Base of denoisers without training."""

    config = None

    def loss(self, window, target):
        pytest.fail("a repair trains nothing")


class Echo(Fake):
    """Denoiser that returns its input field."""

    def __call__(self, window: Window) -> Estimate:
        field = window.field
        sigma = jnp.ones_like(field.distance)
        return Estimate(
            FieldEstimate(jnp.where(field.mask, 9.0, -9.0), field.distance, field.correspondence, sigma, sigma)
        )


class Clock(Fake):
    """Denoiser whose distances encode the frame's index in its window."""

    def __call__(self, window: Window) -> Estimate:
        there = jnp.broadcast_to(jnp.arange(window.observed.shape[1])[:, None], window.field.mask.shape)
        values = jnp.where(window.observed[..., None], there, -1).astype(jnp.float32)
        return Estimate(FieldEstimate(values, values, window.field.correspondence, values, values))


@pytest.mark.parametrize(("n_frames", "padded"), [(50, 64), (60, 64), (20, 32), (45, 64), (128, 128)])
def test_frames_come_from_the_windows_of_the_paper(n_frames, padded):
    blank = jnp.zeros((1, padded, 4))
    clip = Window(
        field=ContactField(blank > 0, blank, jnp.zeros((1, padded, 4, 3))),
        points=jnp.zeros((1, 1, 4, 3)),
        normals=jnp.zeros((1, 1, 4, 3)),
        own=jnp.ones((1, 4), bool),
        joints=jnp.zeros((1, padded, 21, 3)),
        tracked=jnp.zeros((1, padded, 21, 3)),
        observed=(jnp.arange(padded) < n_frames)[None],
        left=jnp.zeros(1, bool),
        two_handed=jnp.zeros(1, bool),
        other=no_other_hand(1, padded),
    )
    found = np.asarray(toch_fit._denoise(Clock(), clip, jnp.asarray(n_frames)).distance)[:n_frames, 0]
    # the whole first window, then the second half of each following one; the last window ends with the clip
    starts = [*range(0, max(n_frames - 30, 0), 15), max(n_frames - 30, 0)]
    wanted = np.full(n_frames, -1)
    for start in starts:
        for frame in range(start, min(start + 30, n_frames)):
            if wanted[frame] < 0:
                wanted[frame] = frame - start
    np.testing.assert_array_equal(found, wanted)


@pytest.fixture(scope="module", params=["plain", "with pose correctives"])
def problem(request):
    """Surface points of three random hands, and their positions."""
    rng = np.random.default_rng(0)
    surface = coarse_hand("open", "right")
    corrected = request.param != "plain"
    if corrected:
        directions = rng.normal(scale=0.001, size=surface.posedirs.shape)
        surface = surface.replace(posedirs=jnp.asarray(directions, jnp.float32))
    face = rng.integers(0, len(surface.faces), (3, 40))
    weights = rng.dirichlet(np.ones(3), (3, 40))
    corners = np.asarray(surface.faces)[face]

    def blend(values):
        return jnp.asarray(np.einsum("tmc,tmc...->t...m", weights, np.asarray(values)[corners]), jnp.float32)

    unknowns = Unknowns(
        global_orient=jnp.asarray(rng.normal(size=(3, 3)), jnp.float32),
        pose=jnp.asarray(0.3 * rng.normal(size=(3, 24)), jnp.float32),
        transl=jnp.asarray(rng.normal(size=(3, 3)), jnp.float32),
        betas=jnp.asarray(rng.normal(size=10), jnp.float32),
    )
    targets = Targets(
        weights=blend(surface.weights),
        template=blend(surface.v_template),
        shapedirs=jnp.moveaxis(blend(surface.shapedirs), 2, 0),
        posedirs=jnp.moveaxis(blend(surface.posedirs), 2, 1) if corrected else None,
        position=jnp.asarray(rng.normal(size=(3, 3, 40)), jnp.float32),
        weight=jnp.asarray(rng.dirichlet(np.ones(120)).reshape(3, 40), jnp.float32),
    )
    return surface, targets, unknowns, corners, weights


def test_points_are_those_of_the_skinned_hand(problem):
    surface, targets, unknowns, corners, weights = problem
    params = toch_fit.as_params(surface, unknowns)
    vertices, joints = skin_frames(surface, params)
    wanted = np.einsum("tmc,tmcx->tmx", weights, np.asarray(vertices)[np.arange(3)[:, None, None], corners])
    points, skeleton = plain_jit(pose_points, surface, targets, unknowns)
    off = np.linalg.norm(np.asarray(points).swapaxes(1, 2) - wanted, axis=-1)
    assert off.mean() < 2e-4
    assert off.max() < 2e-3
    np.testing.assert_allclose(np.asarray(skeleton), np.asarray(joints)[:, :16], atol=1e-5)


def test_loss_is_the_scripts(problem):
    surface, targets, unknowns, _, _ = problem
    points, joints = (np.asarray(each, np.float64) for each in plain_jit(pose_points, surface, targets, unknowns))
    pose, betas = np.asarray(unknowns.pose, np.float64), np.asarray(unknowns.betas, np.float64)
    off = np.sum(np.asarray(targets.weight)[:, None] * (points - np.asarray(targets.position)) ** 2) / 3
    bend = joints[2] - 2 * joints[1] + joints[0]
    wanted = (
        20 * off
        + 0.05 * np.mean(np.diff(pose, axis=0) ** 2)
        + np.mean(np.sum(bend**2, axis=-1))
        + 0.001 * np.mean(betas**2)
        + 0.0001 * np.mean(pose**2)
    )
    found = plain_jit(script_loss, surface, targets, unknowns, jnp.asarray(3))
    np.testing.assert_allclose(float(found), wanted, rtol=1e-4)


@pytest.mark.slow
def test_few_correspondences_stand_for_all(held):
    scene = scene_of(held)
    field, points, normals = toch_fit.clean_field(scene, Echo())
    targets = toch_fit.correspondences(jax.random.key(0), scene, field, points, normals)
    hits = np.asarray(field.mask_logit > 0).sum(axis=1)
    assert hits.min() > 10
    np.testing.assert_allclose(np.asarray(targets.weight).sum(axis=1), hits / hits.sum(), rtol=1e-5)
    # the correspondences of the tracked hand's own field lie on its skin, up to the error of the representation
    vertices, faces = (
        np.asarray(skin_frames(scene.surface, scene.tracked)[0], np.float64),
        np.asarray(scene.surface.faces),
    )
    positions = np.asarray(targets.position, np.float64).swapaxes(1, 2)
    for frame, weight in enumerate(np.asarray(targets.weight)):
        own = np.ascontiguousarray(positions[frame][weight > 0])
        squared = igl.point_mesh_squared_distance(own, vertices[frame], faces.astype(np.int64))[0]
        assert np.sqrt(squared).max() < 0.003


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_perfect_field_gives_the_hand_back(held, held_object, side):
    sequence, object = (held, held_object) if side == held.hand_side[0] else (mirror(held), mirrored(held_object))
    again = toch_refine(sequence, Echo(), object)
    error = 1000 * np.linalg.norm(np.asarray(again.hands.joints[0]) - joints_of(sequence), axis=-1).mean(axis=-1)
    assert np.median(error) < 8


def test_where_no_sample_answers_the_tracked_hand_stays(held, held_object):
    away = held.hands.params.transl.at[0, :4, 2].add(1.0)
    there = held.replace(hands=held.hands.replace(params=held.hands.params.replace(transl=away)))
    out = np.asarray(toch_refine(there, Echo(), held_object).hands.joints[0])
    np.testing.assert_allclose(out[:4], joints_of(there)[:4], atol=2e-5)
    assert np.abs(out[4:] - joints_of(there)[4:]).max() > 1e-4
