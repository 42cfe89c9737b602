"""Sequences to be written: the example's true hand, as MANO's and as the open hand's, one and both sides."""

import numpy as np
import pytest
from support.tracker_clip import clip, write_hand

from toch_jax.sequence.arrays import sequence_from_arrays


@pytest.fixture
def mano(tmp_path_factory, monkeypatch):
    """The open hand stands for MANO's files."""
    monkeypatch.setenv("TOCH_MANO", str(write_hand(tmp_path_factory.getbasetemp() / "open_as_mano")))


@pytest.fixture
def make(mano):
    """A sequence of the clips of these sides, with parameters of the hand `model`, or with joints or points alone."""

    def make(*sides: str, model: str = "mano", form: str = "params", **more):
        clips = [clip(side) for side in sides]
        first = clips[0]
        forms = {
            "params": {
                "hand_model": model,
                "hand_global_orient": np.stack([each.orient for each in clips]),
                "hand_pose": np.stack([each.pose for each in clips]),
                "hand_transl": np.stack([each.transl for each in clips]),
                "hand_betas": np.stack([each.betas for each in clips]),
            },
            "joints": {"hand_joints": np.stack([each.joints for each in clips])},
            "points": {"hand_vertices": np.stack([each.vertices[:, ::5] for each in clips])},
        }
        given = {
            "fps": 8,
            "hand_side": list(sides),
            "object_vertices": first.mesh.vertices,
            "object_faces": first.mesh.faces,
            "object_rotation": first.object_poses[:, :3, :3],
            "object_translation": first.object_poses[:, :3, 3],
        }
        return sequence_from_arrays(**{**given, **forms[form], **more})

    return make
