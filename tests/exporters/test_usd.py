"""USD text, skinned here by UsdSkel's formula: row vectors, joints below their parents, the inverse bind pose."""

import ast
import re

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from support.mano_files import write_mano
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.exporters.formats import export_sequence
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.derived import hand_meshes


def value(text: str, prim: str, name: str):
    """An attribute of the first prim of this name: a list, a tuple, or a dict of samples."""
    inside = text[re.search(rf'^\s*def \w+ "{prim}"', text, re.MULTILINE).start() :]
    found = re.search(rf"\b{re.escape(name)} = ([\[{{(].*?)( \($)?$", inside, re.MULTILINE).group(1)
    return ast.literal_eval(found.removesuffix(" ("))


def matrices(places: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """(J, 4, 4) that multiply row vectors, of places and quaternions w, x, y, z."""
    found = np.tile(np.eye(4), (len(places), 1, 1))
    found[:, :3, :3] = Rotation.from_quat(turns, scalar_first=True).as_matrix().swapaxes(1, 2)
    found[:, 3, :3] = places
    return found


def skinned(text: str, hand: str) -> np.ndarray:
    """Vertices of a hand in each frame, (T, V, 3)."""
    text = text[text.index(f'def SkelRoot "{hand}"') :]
    joints, points = value(text, "Skeleton", "joints"), np.array(value(text, "Skin", "points"))
    parents = [joints.index(joint.rpartition("/")[0]) if "/" in joint else -1 for joint in joints]
    inverse = np.linalg.inv(value(text, "Skeleton", "bindTransforms"))
    turns, places = (value(text, "Animation", f"{name}.timeSamples") for name in ("rotations", "translations"))
    size = int(re.search(r"elementSize = (\d+)", text).group(1))
    index = np.array(value(text, "Skin", "primvars:skel:jointIndices")).reshape(-1, size)
    weights = np.array(value(text, "Skin", "primvars:skel:jointWeights")).reshape(-1, size)
    offsets, shares = np.zeros((0, *points.shape)), dict.fromkeys(turns, ())
    if "skel:blendShapes" in text:
        names = value(text, "Skin", "skel:blendShapes")
        offsets = np.array([value(text, name, "offsets") for name in names])
        shares = value(text, "Animation", "blendShapeWeights.timeSamples")
    frames = []
    for frame, rows in turns.items():
        local = matrices(np.array(places[frame]), np.array(rows))
        world: list[np.ndarray] = []
        for joint, parent in enumerate(parents):
            world.append(local[joint] @ world[parent] if parent >= 0 else local[joint])
        whole = np.stack([inverse[joint] @ world[joint] for joint in range(len(joints))])
        shaped = points + np.einsum("k,kvc->vc", np.array(shares[frame]), offsets)
        flat = np.concatenate([shaped, np.ones((len(points), 1))], axis=1)
        frames.append(np.einsum("vk,vka->va", weights, np.einsum("vb,vkba->vka", flat, whole[index]))[:, :3])
    return np.stack(frames)


@pytest.mark.parametrize("sides", [("right",), ("right", "left")])
def test_hands_and_object(sides, make, tmp_path):
    sequence = make(*sides, model="open")
    export_sequence(tmp_path / "clip.usda", sequence, "usd")
    text = (tmp_path / "clip.usda").read_text()
    assert text.startswith("#usda 1.0\n(")
    for line in ('upAxis = "Y"', "metersPerUnit = 1", "timeCodesPerSecond = 8", f"endTimeCode = {clip().n_frames - 1}"):
        assert line in text
    for hand, side in enumerate(sides):
        found = skinned(text, f"{side.capitalize()}Hand")
        np.testing.assert_allclose(found, np.asarray(hand_meshes(sequence).vertices)[hand], atol=1e-5)
    place, turn = (value(text, "object", f"xformOp:{op}.timeSamples") for op in ("translate", "orient"))
    points = np.array(value(text, "object", "points"))
    for frame in (0, clip().n_frames - 1):
        moved = points @ matrices(np.array([place[frame]]), np.array([turn[frame]]))[0, :3, :3] + place[frame]
        pose = clip(sides[0]).object_poses[frame]
        expected = clip(sides[0]).mesh.vertices @ pose[:3, :3].T + pose[:3, 3]
        # the mesh's vertices may stand in another order
        np.testing.assert_allclose(np.sort(moved, axis=0), np.sort(expected, axis=0), atol=1e-5)
    assert text.count("{") == text.count("}")


def test_pose_correctives_are_blend_shapes(make, tmp_path, monkeypatch):
    """Of a hand that has some, as MANO has, to the error that is said."""
    monkeypatch.setenv("TOCH_MANO", str(write_mano(tmp_path / "mano")))
    sequence = make("left")
    (said,) = export_sequence(tmp_path / "clip.usda", sequence, "usd")
    found = skinned((tmp_path / "clip.usda").read_text(), "LeftHand")
    error = np.abs(found - np.asarray(hand_meshes(sequence).vertices)[0]).max()
    assert error < 1e-4
    assert abs(error - 1e-3 * float(said.split("at most ")[1].split(" mm")[0])) < 2e-6


def test_up_turns_the_clip(make, tmp_path):
    export_sequence(tmp_path / "clip.usda", make("right"), "usd", Writing(up="-y"))
    text = (tmp_path / "clip.usda").read_text()
    turn = np.array(value(text, "clip", "xformOp:orient"))
    np.testing.assert_allclose(Rotation.from_quat(turn, scalar_first=True).apply([0, -1, 0]), [0, 1, 0], atol=1e-7)


def test_joints_alone_are_refused(make, tmp_path):
    with pytest.raises(InputError, match="expected hand parameters"):
        export_sequence(tmp_path / "clip.usda", make("right", form="joints"), "usd")
