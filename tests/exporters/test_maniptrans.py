"""ManipTrans: the arrays of a loader and the layout of its GRAB demo, taken apart as its loaders do it."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.exporters.formats import export_sequence
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.derived import hand_meshes

NAMES = [
    f"{f}_{p}"
    for f in ("thumb", "index", "middle", "ring", "pinky")
    for p in ("proximal", "intermediate", "distal", "tip")
]


def test_arrays_of_a_loader(make, tmp_path):
    """Distances between wrist, joints and object are the clip's; the object stands on the floor above the origin."""
    sides = ("right", "left")
    export_sequence(tmp_path / "out", make(*sides), "maniptrans")
    mesh = trimesh.load_mesh(tmp_path / "out" / "102_obj.obj", process=False)
    assert 'filename="102_obj.obj"' in (tmp_path / "out" / "102_obj.urdf").read_text()
    for side in sides:
        true = clip(side)
        with np.load(tmp_path / "out" / f"{side}.npz") as file:
            data = dict(file)
        poses = data["obj_trajectory"]
        np.testing.assert_allclose(poses[0, [0, 2], 3], 0, atol=1e-6)
        assert abs((mesh.vertices @ poses[0, :3, :3].T + poses[0, :3, 3])[:, 1].min()) < 1e-5
        joints = np.stack([data["wrist_pos"], *(data[f"mano_joints.{name}"] for name in NAMES)], axis=1)
        first = clip(sides[0]).object_poses
        local = np.einsum("tba,tjb->tja", poses[:, :3, :3], joints - poses[:, None, :3, 3])
        expected = np.einsum("tba,tjb->tja", first[:, :3, :3], true.joints - first[:, None, :3, 3])
        np.testing.assert_allclose(local, expected, atol=1e-5)
        turn = poses[:, :3, :3] @ first[:, :3, :3].swapaxes(1, 2)
        wrist = turn @ Rotation.from_rotvec(true.orient).as_matrix()
        np.testing.assert_allclose(data["wrist_rot"], wrist, atol=1e-5)


def test_wrist_of_joints_alone(make, tmp_path):
    """Nearly MANO's: what turns the unposed palm to that of the joints."""
    export_sequence(tmp_path / "out", make("left", form="joints"), "maniptrans")
    with np.load(tmp_path / "out" / "left.npz") as file:
        own = Rotation.from_matrix(file["wrist_rot"])
    off = (own * Rotation.from_rotvec(clip("left").orient).inv()).magnitude()
    assert np.degrees(off).max() < 25
    assert np.degrees(np.ptp(off)) < 1


def test_its_demo_of_grab(make, tmp_path, monkeypatch):
    """The object's rotation multiplies rows; z points up; vertices, wrist and object lie as in the clip."""
    sequence = make("right")
    # the open hand stands for MANO's
    monkeypatch.setattr("toch_jax.exporters.maniptrans.N_MANO", clip().vertices.shape[1])
    said = export_sequence(tmp_path / "out", sequence, "maniptrans", Writing(up="-y"))
    assert any("--fps 120" in line for line in said)
    demo = np.load(tmp_path / "out" / "102_sv_dict.npy", allow_pickle=True).item()
    rotation = Rotation.from_rotvec(demo["object_global_orient"]).as_matrix().swapaxes(1, 2)
    skin = np.asarray(hand_meshes(sequence).vertices)[0]
    poses = clip().object_poses
    local = np.einsum("tba,tvb->tva", rotation, demo["rhand_verts"] - demo["object_transl"][:, None])
    expected = np.einsum("tba,tvb->tva", poses[:, :3, :3], skin - poses[:, None, :3, 3])
    np.testing.assert_allclose(local, expected, atol=1e-5)
    # what pointed to -y points to z
    np.testing.assert_allclose((rotation @ poses[:, :3, :3].swapaxes(1, 2))[0] @ [0, -1, 0], [0, 0, 1], atol=1e-5)
    turn = rotation @ poses[:, :3, :3].swapaxes(1, 2)
    wrist = Rotation.from_rotvec(demo["rhand_global_orient_gt"]).as_matrix()
    np.testing.assert_allclose(wrist, turn @ Rotation.from_rotvec(clip().orient).as_matrix(), atol=1e-5)


def test_what_it_can_not_hold(make, tmp_path):
    valid = np.ones((1, clip().n_frames), bool)
    valid[0, 3] = False
    with pytest.raises(InputError, match="expected a repaired clip"):
        export_sequence(tmp_path / "out", make("right", hand_valid=valid), "maniptrans")
    with pytest.raises(InputError, match="one of each side at most, found left, left"):
        export_sequence(tmp_path / "out", make("left", "left"), "maniptrans")
