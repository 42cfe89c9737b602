"""SOMA-X's input: taken apart as tools/hand/soma2mano.py does, and posed by its MANOLayer's formula."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.tracker_clip import clip, hand_arrays

from toch_jax.base.errors import InputError
from toch_jax.exporters.formats import export_sequence


def test_wrist_and_joints(make, tmp_path):
    """The template is moved such that the wrist is at the origin; what is posed about it is then moved by cam_t."""
    sides = ("right", "left")
    export_sequence(tmp_path / "soma.npz", make(*sides), "soma")
    data = np.load(tmp_path / "soma.npz", allow_pickle=True)
    assert set(data.files) == {"mano_rh", "mano_lh", "cam_t_rh", "cam_t_lh"}
    for side in sides:
        params, true = data[f"mano_{side[0]}h"].item(), clip(side)
        shapes = {key: value.shape for key, value in params.items()}
        count = true.n_frames
        assert shapes == {"betas": (count, 10), "global_orient": (count, 1, 3, 3), "hand_pose": (count, 15, 3, 3)}
        arrays = hand_arrays(side)
        template = arrays["v_template"] + arrays["shapedirs"] @ params["betas"][0]
        rest = arrays["J_regressor"] @ template
        rest = rest - rest[0]
        np.testing.assert_allclose(data[f"cam_t_{side[0]}h"], true.joints[:, 0], atol=1e-5)
        first = params["global_orient"][:, 0] @ rest[1]
        np.testing.assert_allclose(first + data[f"cam_t_{side[0]}h"], true.joints[:, 5], atol=1e-5)
        turns = Rotation.from_matrix(params["hand_pose"].reshape(-1, 3, 3)).as_rotvec().reshape(count, 45)
        np.testing.assert_allclose(turns, true.pose, atol=1e-5)


def test_what_it_can_not_hold(make, tmp_path):
    valid = np.ones((1, clip().n_frames), bool)
    valid[0, 3] = False
    cases = [
        (make("right", hand_valid=valid), "expected a repaired clip"),
        (make("left", "left"), "one of each side at most, found left, left"),
        (make("right", model="open"), "expected those of MANO"),
    ]
    for sequence, message in cases:
        with pytest.raises(InputError, match=message):
            export_sequence(tmp_path / "soma.npz", sequence, "soma")
    assert not (tmp_path / "soma.npz").exists()
