"""MANO's parameters, against smplx's and manopth's formulas in NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from support.mano_files import pose_hand
from support.tracker_clip import clip, hand_arrays

from toch_jax.base.errors import InputError
from toch_jax.exporters.formats import export_sequence
from toch_jax.exporters.writing import Writing
from toch_jax.trackers.formats import read_tracked

SIDES = ("right", "left")


def model_and_template(side: str, betas: np.ndarray):
    arrays = hand_arrays(side)
    return arrays, arrays["v_template"] + arrays["shapedirs"][..., : len(betas)] @ betas


@pytest.mark.parametrize("mean_pose", ["absolute", "relative"])
@pytest.mark.parametrize("side", SIDES)
def test_smplx(side, mean_pose, make, tmp_path):
    """With flat_hand_mean=False smplx adds the mean to hand_pose."""
    export_sequence(tmp_path / "hand.npz", make(side), "mano-smplx", Writing(mean_pose=mean_pose))
    with np.load(tmp_path / "hand.npz") as file:
        given = {key: file[key] for key in file.files}
    assert bool(given["flat_hand_mean"]) == (mean_pose == "absolute")
    assert (given["is_right"] == (side == "right")).all()
    arrays, template = model_and_template(side, given["betas"][0])
    mean = 0 if given["flat_hand_mean"] else arrays["hands_mean"]
    found = pose_hand(arrays, template, given["global_orient"][0], given["hand_pose"][0] + mean, given["transl"][0])
    np.testing.assert_allclose(found, clip(side).vertices, atol=1e-6)


@pytest.mark.parametrize("mean_pose", ["absolute", "relative"])
@pytest.mark.parametrize("side", SIDES)
def test_manopth(side, mean_pose, make, tmp_path):
    """With th_trans, and with center_idx=0 and the wrist added afterwards."""
    export_sequence(tmp_path / "hand.npz", make(side), "mano-manopth", Writing(mean_pose=mean_pose))
    with np.load(tmp_path / "hand.npz") as file:
        pose, betas, trans, wrist = (file[key][0] for key in ("th_pose_coeffs", "th_betas", "th_trans", "wrist"))
    arrays, template = model_and_template(side, betas)
    mean = 0 if mean_pose == "absolute" else arrays["hands_mean"]
    found = pose_hand(arrays, template, pose[:, :3], pose[:, 3:] + mean, 0 * trans)
    np.testing.assert_allclose(found + trans[:, None], clip(side).vertices, atol=1e-6)
    centred = found - arrays["J_regressor"][0] @ template
    np.testing.assert_allclose(centred + wrist[:, None], clip(side).vertices, atol=1e-6)


def test_a_reader_reads_it(make, tmp_path):
    export_sequence(tmp_path / "hand.npz", make("right", "left"), "mano-smplx")
    tracked = read_tracked(tmp_path / "hand.npz")
    assert (tracked.format, tracked.sides) == ("v2d-mano", ("right", "left"))
    np.testing.assert_allclose(tracked.mano.transl[1], clip("left").transl, atol=1e-6)


def test_lost_frames_are_nan_until_they_are_filled_in(make, tmp_path):
    valid = np.ones((1, clip().n_frames), bool)
    valid[0, 3] = False
    sequence = make("right", hand_valid=valid)
    for name, expected in (("tracked", [3]), ("repaired", [])):
        assert len(export_sequence(tmp_path / f"{name}.npz", sequence, "mano-smplx")) == len(expected)
        with np.load(tmp_path / f"{name}.npz") as file:
            assert np.flatnonzero(np.isnan(file["hand_pose"][0]).any(axis=1)).tolist() == expected
        sequence = sequence.replace(hand_joint_sigma=jnp.zeros((1, clip().n_frames, 21)))


def test_other_hands_are_refused(make, tmp_path, monkeypatch):
    for to in ("mano-smplx", "mano-manopth"):
        with pytest.raises(InputError, match=r"expected those of MANO .* found those of the open hand"):
            export_sequence(tmp_path / "hand.npz", make("right", model="open"), to)
        with pytest.raises(InputError, match="found joints or points alone"):
            export_sequence(tmp_path / "hand.npz", make("right", form="joints"), to)
    sequence = make("right")
    monkeypatch.setenv("TOCH_MANO", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"set \$TOCH_MANO"):
        export_sequence(tmp_path / "hand.npz", sequence, "mano-manopth")
    assert not list(tmp_path.iterdir())
