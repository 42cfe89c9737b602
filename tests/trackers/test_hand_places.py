"""Where hands are whose files have other conventions of the wrist and the shape than smplx, by formulas in NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.mano_files import pose_hand
from support.tracker_clip import clip, hand_arrays, write_hand

from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandParams, skin_frames
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.to_sequence import hand_arguments
from toch_jax.trackers.tracked import ManoTrack, Tracked


@pytest.fixture(autouse=True)
def mano(tmp_path, monkeypatch):
    """The open hand stands for MANO's files."""
    monkeypatch.setenv("TOCH_MANO", str(write_hand(tmp_path)))


def posed(side: str, track: ManoTrack, **choices) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Vertices and joints of the track's only hand."""
    found, said = hand_arguments("file", Tracked(format="test", sides=(side,), mano=track), Reading(**choices))
    params = {key: found[f"hand_{key}"][0] for key in ("global_orient", "pose", "transl", "betas")}
    params["betas"] = np.broadcast_to(params["betas"], (len(params["pose"]), params["betas"].shape[-1]))
    hand = HandParams(**{key: jnp.asarray(value, jnp.float32) for key, value in params.items()})
    return *map(np.asarray, skin_frames(load_hand("mano", side), hand)), said


def template(side: str, betas: np.ndarray, fault: bool = False) -> np.ndarray:
    arrays = hand_arrays(side)
    flip = np.array([-1, 1, 1])[:, None] if fault else 1
    return arrays["v_template"] + (arrays["shapedirs"] * flip)[..., : len(betas)] @ betas


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("in_each_frame", [False, True])
def test_a_hand_turned_about_the_origin(side, in_each_frame):
    """EasyMocap: the hand is posed upright, then every vertex becomes R v + t."""
    true, arrays = clip(side), hand_arrays(side)
    upright = pose_hand(arrays, template(side, true.betas), np.zeros_like(true.orient), true.pose, np.zeros((28, 3)))
    turned = np.einsum("tab,tvb->tva", Rotation.from_rotvec(true.orient).as_matrix(), upright) + true.transl[:, None]
    betas = np.tile(true.betas, (28, 1)) if in_each_frame else true.betas
    track = ManoTrack(true.orient[None], true.pose[None], true.transl[None], betas[None], turns_about_origin=True)
    vertices, _, _ = posed(side, track)
    np.testing.assert_allclose(vertices, turned, atol=2e-6)
    about_wrist, _, _ = posed(side, track, hand_translation="origin")
    np.testing.assert_allclose(about_wrist, true.vertices, atol=2e-6)


@pytest.mark.parametrize("kind", ["smplx", "wrist", "origin"])
def test_betas_of_a_faulty_left_hand(kind):
    """The wrist stays where it was, and the hand is near to that of MANO_LEFT.pkl as it is."""
    true, arrays = clip("left"), hand_arrays("left")
    betas = np.array([1.5, -1, 0.5, *true.betas[3:]])
    shaped = template("left", betas, fault=True)
    wrist = arrays["J_regressor"][0] @ shaped
    zero = np.zeros_like(true.transl)
    given = pose_hand(arrays, shaped, true.orient, true.pose, zero) - wrist
    turned = np.einsum("tab,b->ta", Rotation.from_rotvec(true.orient).as_matrix(), wrist)
    at = {"smplx": true.transl + wrist, "wrist": true.transl, "origin": true.transl + turned}[kind]
    convention = {"places_wrist": kind == "wrist", "turns_about_origin": kind == "origin"}
    track = ManoTrack(
        true.orient[None], true.pose[None], true.transl[None], betas[None], has_left_fault=True, **convention
    )
    vertices, joints, said = posed("left", track)
    np.testing.assert_allclose(joints[:, 0], at, atol=2e-6)
    off = np.linalg.norm(vertices - at[:, None] - given, axis=-1).mean()
    as_it_is = pose_hand(arrays, template("left", betas), true.orient, true.pose, zero)
    wrist = arrays["J_regressor"][0] @ template("left", betas)
    assert off < 0.25 * np.linalg.norm(as_it_is - wrist - given, axis=-1).mean()
    assert "faulty" in said[0]


def test_the_right_hand_has_no_fault():
    true = clip("right")
    track = ManoTrack(true.orient[None], true.pose[None], true.transl[None], true.betas[None], has_left_fault=True)
    vertices, _, said = posed("right", track)
    np.testing.assert_allclose(vertices, true.vertices, atol=2e-6)
    assert said == ()


def test_lost_frames_stay_lost():
    true = clip("left")
    orient, transl = true.orient.copy(), true.transl.copy()
    orient[3], transl[3] = np.nan, np.nan
    track = ManoTrack(orient[None], true.pose[None], transl[None], true.betas[None], turns_about_origin=True)
    found, _ = hand_arguments("file", Tracked(format="test", sides=("left",), mano=track), Reading())
    assert np.flatnonzero(np.isnan(found["hand_transl"][0]).any(axis=1)).tolist() == [3]


def test_a_rigid_motion_after_posing():
    """M (R (x - w) + w + t) of the hand's points is the hand with other parameters."""
    true = clip("left")
    turn = Rotation.from_rotvec(np.linspace([0.1, 2, 0], [1, 0.4, -0.2], true.n_frames)).as_matrix()
    moved_by = np.tile(np.eye(4), (true.n_frames, 1, 1))
    moved_by[:, :3, :3], moved_by[:, :3, 3] = turn, np.linspace([0, 1, 0], [2, 1, 0.5], true.n_frames)
    track = ManoTrack(true.orient[None], true.pose[None], true.transl[None], true.betas[None], moved_by=moved_by[None])
    expected = np.einsum("tab,tvb->tva", turn, true.vertices) + moved_by[:, None, :3, 3]
    np.testing.assert_allclose(posed("left", track)[0], expected, atol=1e-5)
