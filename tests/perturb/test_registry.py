import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import beta, kstest
from support.plain import plain, plain_jit

from toch_jax.base.errors import InputError
from toch_jax.hand.model import HandModel, HandParams
from toch_jax.perturb.registry import REGISTRY, parse_perturbation

T = 3000
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def params() -> HandParams:
    rng = np.random.default_rng(0)
    shapes = {"global_orient": 3, "pose": 45, "betas": 10, "transl": 3}
    return HandParams(**{name: jnp.asarray(0.5 * rng.normal(size=(T, n)), jnp.float32) for name, n in shapes.items()})


def _offsets(text: str, model: HandModel, params: HandParams) -> dict[str, np.ndarray]:
    """Noise added to translation and pose, and the rotation angles of the wrist; asserts that no frame is lost."""
    found, valid = plain_jit(parse_perturbation(text), KEY, model, params)
    assert valid.all()
    np.testing.assert_array_equal(found.betas, params.betas)
    rotation = Rotation.from_rotvec(params.global_orient).inv() * Rotation.from_rotvec(found.global_orient)
    return {
        "transl": np.asarray(found.transl - params.transl),
        "pose": np.asarray(found.pose - params.pose),
        "rotation": rotation.as_rotvec(),
    }


def _draws(text: str, model: HandModel, params: HandParams) -> np.ndarray:
    """2,000 draws of the noise on the translation, metres."""
    perturb = parse_perturbation(text)
    draw = jax.vmap(lambda key: perturb(key, model, params)[0].transl - params.transl)
    return np.asarray(plain_jit(draw, jax.random.split(KEY, 2000)))


@pytest.mark.parametrize("text", ["T(0.01)", "T(0.02)", "B(0.01,0.3)"])
def test_translation_noise_moves_joints_as_reported(text: str, random_hand: HandModel, params: HandParams) -> None:
    """All joints move alike: 15.96 mm on average for a sigma of 10 mm, which is TOCH's reported input error."""
    sigma = float(text[2:6])
    offset = _offsets(text, random_hand, params)["transl"]
    np.testing.assert_allclose(np.linalg.norm(offset, axis=-1).mean(), 2 * sigma * np.sqrt(2 / np.pi), rtol=0.02)
    assert np.abs(offset.mean(axis=0)).max() < 4 * sigma / np.sqrt(T)
    assert abs(np.corrcoef(offset[1:, 0], offset[:-1, 0])[0, 1]) < 0.08


@pytest.mark.parametrize("text", ["R(0.3)", "B(0.01,0.3)"])
def test_pose_noise_fills_24_directions(text: str, random_hand: HandModel, params: HandParams) -> None:
    offset = _offsets(text, random_hand, params)
    along = offset["pose"] @ np.asarray(random_hand.pose_components).T
    np.testing.assert_allclose(along[:, :24].std(axis=0), 0.3, rtol=0.06)
    assert np.abs(along[:, 24:]).max() < 1e-5
    assert np.abs(offset["rotation"]).max() < 2e-6


def test_the_wrist_turns_where_asked(random_hand: HandModel, params: HandParams) -> None:
    for text in ("R(0.3,0.05)", "B(0.01,0.3,0.05)"):
        np.testing.assert_allclose(_offsets(text, random_hand, params)["rotation"].std(axis=0), 0.05, rtol=0.05)


def test_angle_noise(random_hand: HandModel, params: HandParams) -> None:
    offset = _offsets("A(0.1)", random_hand, params)
    np.testing.assert_allclose(offset["pose"].std(axis=0), 0.1, rtol=0.06)
    assert (offset["transl"] == 0).all()


def test_bias_is_constant_and_new_for_each_key(random_hand: HandModel, params: HandParams) -> None:
    assert np.ptp(_offsets("bias(0.01)", random_hand, params)["transl"], axis=0).max() < 1e-6
    short = jax.tree.map(lambda leaf: leaf[:1], params)
    draw = _draws("bias(0.01)", random_hand, short)
    np.testing.assert_allclose(draw.std(axis=0), 0.01, rtol=0.06)


def test_drift_has_its_size_and_memory(random_hand: HandModel, params: HandParams) -> None:
    short = jax.tree.map(lambda leaf: leaf[:40], params)
    draw = _draws("drift(0.01)", random_hand, short)
    np.testing.assert_allclose(draw.std(axis=(0, 2)), 0.01, rtol=0.06)  # the same in all frames
    for lag in (1, 10):
        found = np.mean(draw[:, lag:] * draw[:, :-lag]) / 0.01**2
        np.testing.assert_allclose(found, 0.95**lag, atol=0.04)


def test_missing_frames_come_in_gaps_that_repeat_the_last_one(random_hand: HandModel, params: HandParams) -> None:
    found, valid = plain_jit(parse_perturbation("missing(0.2)"), KEY, random_hand, params)
    lost = ~np.asarray(valid)
    assert abs(lost.mean() - 0.2) < 0.05
    gaps = np.count_nonzero(lost[1:] & ~lost[:-1]) + lost[0]
    assert abs(lost.sum() / gaps - 5) < 1
    source = np.maximum.accumulate(np.where(lost, 0, np.arange(T)))
    np.testing.assert_array_equal(found.transl[5:], np.asarray(params.transl)[source][5:])
    np.testing.assert_array_equal(found.pose[valid], params.pose[valid])


def test_noise_on_the_frames_that_are_not_missing(random_hand: HandModel, params: HandParams) -> None:
    found, valid = plain_jit(parse_perturbation("missing(0.2,0.01)"), KEY, random_hand, params)
    observed = np.asarray(valid)
    np.testing.assert_allclose(np.asarray(found.transl - params.transl)[observed].std(axis=0), 0.01, rtol=0.06)
    lost = np.flatnonzero(~observed)[1:]
    np.testing.assert_array_equal(found.transl[lost], found.transl[lost - 1])


def test_global_rotation_turns_the_wrist_alone(random_hand: HandModel, params: HandParams) -> None:
    offset = _offsets("G(0.2)", random_hand, params)
    np.testing.assert_allclose(offset["rotation"].std(axis=0), 0.2, rtol=0.06)
    assert (offset["transl"] == 0).all()
    assert (offset["pose"] == 0).all()


def test_beta_bias_has_betas_moments(random_hand: HandModel, params: HandParams) -> None:
    offset = _offsets("beta(0.01,0.3,0.05)", random_hand, params)
    along = offset["pose"] @ np.asarray(random_hand.pose_components).T
    expected = beta(8, 2)
    for found, size in ((along[:, :24], 0.3), (offset["rotation"], 0.05)):
        np.testing.assert_allclose(found.mean(axis=0), expected.mean() * size, rtol=0.02)
        np.testing.assert_allclose(found.std(axis=0), expected.std() * size, rtol=0.06)
        assert kstest(found[:, 0] / size, expected.cdf).pvalue > 1e-3
    assert np.abs(along[:, 24:]).max() < 1e-5
    np.testing.assert_allclose(offset["transl"].std(axis=0), 0.01, rtol=0.06)
    assert np.abs(offset["transl"].mean(axis=0)).max() < 4 * 0.01 / np.sqrt(T)


def test_a_lost_finger_takes_the_mean_pose_for_one_run(random_hand: HandModel, params: HandParams) -> None:
    short = jax.tree.map(lambda leaf: leaf[:40], params)
    lose = plain(jax.vmap(lambda key: parse_perturbation("finger(0.25)")(key, random_hand, short)))
    found, valid = lose(jax.random.split(KEY, 200))
    assert valid.all()
    changed = np.asarray(found.pose != short.pose)
    starts, fingers = [], []
    for each, pose in zip(changed, np.asarray(found.pose), strict=True):
        frames, coordinates = np.flatnonzero(each.any(axis=1)), np.flatnonzero(each.any(axis=0))
        np.testing.assert_array_equal(frames, frames[0] + np.arange(10))
        np.testing.assert_array_equal(coordinates, coordinates[0] + np.arange(9))
        block = np.ix_(frames, coordinates)
        np.testing.assert_array_equal(pose[block], np.tile(random_hand.pose_mean[coordinates], (10, 1)))
        starts.append(frames[0])
        fingers.append(coordinates[0] // 9)
    assert (min(starts), max(starts)) == (0, 30)
    assert set(fingers) == {0, 1, 2, 3, 4}


def test_bursts_of_outliers(random_hand: HandModel, params: HandParams) -> None:
    offset = _offsets("burst(0.1,0.2)", random_hand, params)["transl"]
    off = (offset != 0).any(axis=1)
    assert abs(off.mean() - 0.2) < 0.05
    bursts = np.count_nonzero(off[1:] & ~off[:-1]) + off[0]
    assert abs(off.sum() / bursts - 5) < 1
    np.testing.assert_allclose(offset[off].std(axis=0), 0.1, rtol=0.12)


def test_one_frame_always_stays(random_hand: HandModel, params: HandParams) -> None:
    short = jax.tree.map(lambda leaf: leaf[:3], params)
    lose = plain(jax.vmap(lambda key: parse_perturbation("missing(0.95)")(key, random_hand, short)))
    found, valid = lose(jax.random.split(KEY, 300))
    assert valid.any(axis=1).all()
    assert (valid.sum(axis=1) < 3).any()
    last = np.argmax(np.asarray(valid), axis=1)  # the first observed frame also fills those before it
    np.testing.assert_array_equal(found.transl[:, 0], np.asarray(short.transl)[last])


@pytest.mark.slow
def test_the_same_key_the_same_noise(random_hand: HandModel, params: HandParams) -> None:
    for kind in REGISTRY.keys() - {"scale"}:
        n_sizes = {"B": 2, "burst": 2, "beta": 3}.get(kind, 1)
        perturb = plain(parse_perturbation(f"{kind}({','.join(['0.1'] * n_sizes)})"))
        one, again, other = (jax.tree.leaves(perturb(k, random_hand, params)) for k in (KEY, KEY, jax.random.key(1)))
        assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True)), kind
        assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True)), kind


@pytest.mark.parametrize(
    "text",
    [
        *("T(0.01)", "R(0.3)", "R(0.3,0.05)", "A(0.1)", "G(0.1)", "B(0.01,0.3)", "beta(0.01,0.3,0.05)", "bias(0.01)"),
        *("drift(0.01)", "missing(0.2)", "missing(0.2,0.01)", "finger(0.5)", "burst(0.1,0.1)"),
        *("scale(1.1)", "shape(0.5)", "flip(0.02)", "ray(0.04,0.005)", "focal(1.1)", "tracker(0.04,0.005)"),
        *("object(0.005)", "object_drift(0.01)", "object_missing(0.2)", "T(0.01)+object(0.005,0.05)"),
    ],
)
def test_names_come_back(text: str) -> None:
    assert parse_perturbation(text).name == text
    assert parse_perturbation(f" {text.replace(',', ', ')} ") == parse_perturbation(text)


@pytest.mark.parametrize(
    "text",
    [
        *("T", "T()", "T(a)", "T(1,2)", "B(0.1)", "X(0.1)", "T(-1)", "T(inf)", "missing(1)", "burst(0.1,1)"),
        *("T(1)T(1)", "T(1)+", "object()", "object_missing(1)", "flip(1)", "ray(0.04)", "focal()"),
    ],
)
def test_refuses_other_names(text: str) -> None:
    with pytest.raises(InputError, match=r"^perturbation: .*expected .*found [^\n]*$"):
        parse_perturbation(text)
