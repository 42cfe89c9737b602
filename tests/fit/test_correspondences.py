import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.grasps import N_FRAMES, grasp, joints_of, per_frame, silent_joints, still
from support.plain import plain_jit

from toch_jax.field.contact_field import FieldEstimate
from toch_jax.fit.correspondences import field_term
from toch_jax.fit.fit import fitted_alone, solve_hand
from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.object.model import ObjectModel
from toch_jax.solver.costs.points import SurfaceTerm
from toch_jax.solver.kinematics import pose_bones, state_from_params, surface_points
from toch_jax.solver.settings import DEFAULT
from toch_jax.track.tracked_hand import make_track

N_SAMPLES = 150
SETTINGS = DEFAULT.replace(field_effective_samples=20.0)
"""Settings with a field strength suited to an exact field."""


@pytest.fixture(scope="module")
def truth() -> HandParams:
    return grasp()


@pytest.fixture(scope="module")
def term(hand: HandModel, truth: HandParams) -> SurfaceTerm:
    """Surface term of the true field, for samples whose normals meet random points of the skin.

    Samples beyond the settings' number have a wrong distance and a low contact probability.
    """
    rng = np.random.default_rng(0)
    faces = np.asarray(hand.faces)[rng.integers(0, len(hand.faces), N_SAMPLES)]
    place = rng.dirichlet(np.ones(3), N_SAMPLES)
    skin = np.einsum("nc,tnca->tna", place, np.asarray(skin_frames(hand, per_frame(truth))[0])[:, faces])
    normal = rng.normal(size=skin.shape)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    distance = rng.uniform(-0.005, 0.02, skin.shape[:2])
    canonical = np.broadcast_to(np.einsum("nc,nca->na", place, np.asarray(hand.v_template)[faces]), skin.shape)
    unsure = np.arange(N_SAMPLES) >= DEFAULT.correspondences
    estimate = FieldEstimate(
        mask_logit=jnp.broadcast_to(jnp.asarray(np.where(unsure, -8.0, 8.0), jnp.float32), distance.shape),
        distance=jnp.asarray(distance + 0.1 * unsure, jnp.float32),
        correspondence=jnp.asarray(canonical, jnp.float32),
        distance_sigma=jnp.full(distance.shape, 0.001),
        correspondence_sigma=jnp.full(distance.shape, 0.002),
    )
    points = jnp.asarray(skin - distance[..., None] * normal, jnp.float32)
    return field_term(hand, estimate, points, jnp.asarray(normal, jnp.float32), SETTINGS.field_effective_samples, 128)


def test_places_of_the_true_hand_are_at_their_targets(hand: HandModel, truth: HandParams, term: SurfaceTerm) -> None:
    def places(hand: HandModel, truth: HandParams, term: SurfaceTerm) -> jax.Array:
        bones = pose_bones(hand, state_from_params(hand, truth))
        return surface_points(hand, bones, term.face, term.barycentric).position

    reached = plain_jit(places, hand, truth, term)
    np.testing.assert_allclose(np.asarray(reached), np.asarray(term.target), atol=2e-5)


def test_a_frame_counts_for_so_many_samples(term: SurfaceTerm) -> None:
    assert term.face.shape == (N_FRAMES, DEFAULT.correspondences)
    np.testing.assert_allclose(
        np.asarray(term.weight_along).sum(axis=1) * 0.001**2, SETTINGS.field_effective_samples, rtol=1e-3
    )
    np.testing.assert_allclose(np.asarray(term.weight_along / term.weight_across), 4.0, rtol=1e-3)


def test_a_true_field_undoes_a_bias(hand: HandModel, ball: ObjectModel, truth: HandParams, term: SurfaceTerm) -> None:
    """A constant offset of the hand and of a finger, which no filter can remove; the object itself is far away."""
    biased = truth.replace(
        transl=truth.transl + jnp.array([0.01, -0.005, 0.01]), pose=truth.pose.at[:, jnp.array([2, 5, 11])].add(0.25)
    )
    far = still(N_FRAMES)
    far = far.replace(translation=far.translation + 1.0)
    track = make_track(hand, biased, np.ones(N_FRAMES, bool), far, 30.0)
    solved = solve_hand(hand, track, ball.grid, term, silent_joints(N_FRAMES), SETTINGS)
    found = fitted_alone(solved, SETTINGS).params
    wanted = joints_of(hand, truth)
    before = np.linalg.norm(joints_of(hand, biased) - wanted, axis=-1).mean()
    after = np.linalg.norm(joints_of(hand, found) - wanted, axis=-1).mean()
    assert before > 0.01
    assert after < 0.002


def test_the_cap_of_an_open_wrist_pulls_nothing(cut_hand: HandModel) -> None:
    """Correspondences on the cap that closes the wrist belong to no face of the open mesh."""
    ring = np.asarray(cut_hand.v_template)[np.asarray(cut_hand.wrist_ring)]
    tip = np.asarray(cut_hand.v_template)[np.asarray(cut_hand.tips)[1]]
    canonical = np.stack([ring.mean(axis=0), tip, 0.9 * ring.mean(axis=0) + 0.1 * ring[0]])[None].astype(np.float32)
    estimate = FieldEstimate(
        mask_logit=jnp.full((1, 3), 8.0),
        distance=jnp.zeros((1, 3)),
        correspondence=jnp.asarray(canonical),
        distance_sigma=jnp.full((1, 3), 0.001),
        correspondence_sigma=jnp.full((1, 3), 0.002),
    )
    term = field_term(cut_hand, estimate, jnp.zeros((1, 3, 3)), jnp.ones((1, 3, 3)), 3.0, 3)
    at_tip = np.isclose(np.einsum("mc,mca->ma", term.barycentric[0], _corners(cut_hand, term.face[0])), tip).all(axis=1)
    assert at_tip.sum() == 1
    for weight in (term.weight_along, term.weight_across):
        np.testing.assert_array_equal(np.asarray(weight)[0] > 0, at_tip)


def _corners(hand: HandModel, face: jax.Array) -> np.ndarray:
    """Corners of faces of the unposed hand, (M, 3, 3)."""
    assert int(face.max()) < len(hand.faces)
    return np.asarray(hand.v_template)[np.asarray(hand.faces)[np.asarray(face)]]
