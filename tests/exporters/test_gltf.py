"""glTF, evaluated by its specification in NumPy, and opened by trimesh."""

import json
import struct

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from support.mano_files import mano_arrays, pose_hand, write_mano
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.exporters.formats import export_sequence
from toch_jax.exporters.writing import Writing

WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
TYPES = {5126: "<f4", 5121: "<u1", 5123: "<u2", 5125: "<u4"}
WITHIN = 1e-4


class Gltf:
    """A .glb file, after the specification: nodes, animation, morph targets, skin."""

    def __init__(self, path) -> None:
        content = path.read_bytes()
        assert struct.unpack("<III", content[:12]) == (0x46546C67, 2, len(content))
        size, kind = struct.unpack("<II", content[12:20])
        assert kind == 0x4E4F534A
        self.json = json.loads(content[20 : 20 + size])
        self.content = content[28 + size :]
        self.nodes = self.json["nodes"]
        self.names = [node["name"] for node in self.nodes]
        self.parents = {child: at for at, node in enumerate(self.nodes) for child in node.get("children", [])}

    def array(self, index: int) -> np.ndarray:
        accessor = self.json["accessors"][index]
        view = self.json["bufferViews"][accessor["bufferView"]]
        width = WIDTHS[accessor["type"]]
        values = np.frombuffer(
            self.content, TYPES[accessor["componentType"]], accessor["count"] * width, view["byteOffset"]
        )
        return values.reshape(-1, width) if width > 1 else values

    def animated(self, node: int, path: str, seconds: float, rest: list[float]) -> np.ndarray:
        """A property at a time: linear, rotations by the shorter arc."""
        for channel in self.json["animations"][0]["channels"]:
            if channel["target"] == {"node": node, "path": path}:
                sampler = self.json["animations"][0]["samplers"][channel["sampler"]]
                times = self.array(sampler["input"])
                values = self.array(sampler["output"]).reshape(len(times), -1).astype(np.float64)
                after = int(np.clip(np.searchsorted(times, seconds), 1, len(times) - 1))
                share = (seconds - times[after - 1]) / (times[after] - times[after - 1])
                before, later = values[after - 1], values[after]
                if path == "rotation":
                    step = Rotation.from_quat(before).inv() * Rotation.from_quat(later)
                    return (Rotation.from_quat(before) * Rotation.from_rotvec(share * step.as_rotvec())).as_quat()
                return (1 - share) * before + share * later
        return np.asarray(rest, np.float64)

    def place(self, node: int, seconds: float) -> np.ndarray:
        """A node's matrix in the world."""
        own = np.eye(4)
        given = self.nodes[node]
        turn = self.animated(node, "rotation", seconds, given.get("rotation", [0, 0, 0, 1]))
        own[:3, :3] = Rotation.from_quat(turn).as_matrix()
        own[:3, 3] = self.animated(node, "translation", seconds, given.get("translation", [0, 0, 0]))
        return self.place(self.parents[node], seconds) @ own if node in self.parents else own

    def vertices(self, name: str, seconds: float) -> np.ndarray:
        """A mesh's vertices in the world."""
        node = self.names.index(name)
        given = self.nodes[node]
        mesh = self.json["meshes"][given["mesh"]]
        (primitive,) = mesh["primitives"]
        points = self.array(primitive["attributes"]["POSITION"]).astype(np.float64)
        if "targets" in primitive:
            weights = self.animated(node, "weights", seconds, mesh["weights"])
            for weight, target in zip(weights, primitive["targets"], strict=True):
                points = points + weight * self.array(target["POSITION"])
        if "skin" not in given:
            return trimesh.transform_points(points, self.place(node, seconds))
        skin = self.json["skins"][given["skin"]]
        bind = self.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
        joints = np.stack([self.place(joint, seconds) for joint in skin["joints"]]) @ bind
        total = np.zeros((len(points), 4, 4))
        for number in range(4):
            if f"JOINTS_{number}" in primitive["attributes"]:
                index = self.array(primitive["attributes"][f"JOINTS_{number}"])
                share = self.array(primitive["attributes"][f"WEIGHTS_{number}"])
                total += np.einsum("vk,vkab->vab", share, joints[index])
        np.testing.assert_allclose(total[:, 3, 3], 1, atol=1e-5)
        return np.einsum("vab,vb->va", total, np.column_stack([points, np.ones(len(points))]))[:, :3]


def object_points(true, frame: int) -> np.ndarray:
    used = np.unique(true.mesh.faces)
    return trimesh.transform_points(true.mesh.vertices[used], true.object_poses[frame])


@pytest.mark.parametrize("model", ["open", "mano"])
def test_hands_and_object_in_every_frame(model, make, tmp_path):
    said = export_sequence(tmp_path / "clip.glb", make("right", "left", model=model), "gltf")
    assert [phrase.split(":")[0] for phrase in said] == ["RightHand", "LeftHand"]
    found = Gltf(tmp_path / "clip.glb")
    for frame in range(clip().n_frames):
        for side in ("right", "left"):
            mesh = found.vertices(f"{side.capitalize()}HandSkin", frame / 8)
            np.testing.assert_allclose(mesh, clip(side).vertices[frame], atol=WITHIN)
        np.testing.assert_allclose(found.vertices("object", frame / 8), object_points(clip(), frame), atol=WITHIN)


@pytest.mark.parametrize("side", ["right", "left"])
def test_pose_correctives_are_morph_targets(side, make, tmp_path):
    """A small hand in MANO's format that has correctives of centimetres; without them it would be that far off."""
    rng = np.random.default_rng(0)
    pose = 0.5 * rng.normal(size=(20, 45))
    orient, transl = rng.normal(size=(20, 3)), 0.1 * rng.normal(size=(20, 3)) + clip().object_poses[0, :3, 3]
    changes = {
        "hand_model": str(write_mano(tmp_path / "models")),
        "hand_side": [side],
        "hand_global_orient": orient[None],
        "hand_pose": pose[None],
        "hand_transl": transl[None],
        "hand_betas": np.zeros((1, 10)),
        "object_rotation": clip().object_poses[:20, :3, :3],
        "object_translation": clip().object_poses[:20, :3, 3],
    }
    (said,) = export_sequence(tmp_path / "clip.glb", make("right", **changes), "gltf")
    assert "morph targets" in said
    found = Gltf(tmp_path / "clip.glb")
    arrays = mano_arrays(side)
    expected = pose_hand(arrays, arrays["v_template"].astype(np.float64), orient, pose, transl)
    (mesh,) = (mesh for mesh in found.json["meshes"] if mesh["name"].endswith("Hand"))
    assert 1 < len(mesh["weights"]) <= 20
    (channel,) = (each for each in found.json["animations"][0]["channels"] if each["target"]["path"] == "weights")
    weights = found.array(found.json["animations"][0]["samplers"][channel["sampler"]]["output"])
    # sliders go from 0 to 1: Blender's importer cuts others off
    assert weights.min() >= 0
    assert weights.max() <= 1
    without = pose_hand({**arrays, "posedirs": 0 * arrays["posedirs"]}, arrays["v_template"], orient, pose, transl)
    assert np.abs(without - expected).max() > 20 * WITHIN
    for frame in range(20):
        mesh_now = found.vertices(f"{side.capitalize()}HandSkin", frame / 8)
        np.testing.assert_allclose(mesh_now, expected[frame], atol=WITHIN)


def test_trimesh_opens_it(make, tmp_path):
    """With joints and object where they are in the first frame; glTF's y points up."""
    true = clip("left")
    export_sequence(tmp_path / "clip.glb", make("left"), "gltf", Writing(up="-y"))
    scene = trimesh.load(tmp_path / "clip.glb")
    upside_down = np.diag([1.0, -1, -1])
    for name, joint in (("LeftHand", 0), ("LeftHandThumb1", 1), ("LeftHandIndex2", 6), ("LeftHandPinky3", 19)):
        found = scene.graph[name][0][:3, 3]
        np.testing.assert_allclose(found, upside_down @ true.joints[0, joint], atol=WITHIN)
    matrix, geometry = scene.graph["object"]
    points = trimesh.transform_points(scene.geometry[geometry].vertices, matrix)
    np.testing.assert_allclose(points, object_points(true, 0) @ upside_down, atol=WITHIN)


def test_between_frames_rotations_take_the_shorter_way(make, tmp_path):
    """Vertices halfway are between those of the frames on either side, up to the arc."""
    true = clip()
    export_sequence(tmp_path / "clip.glb", make("right"), "gltf")
    found = Gltf(tmp_path / "clip.glb")
    for frame in range(true.n_frames - 1):
        between = found.vertices("RightHandSkin", (frame + 0.5) / 8)
        middle = (true.vertices[frame] + true.vertices[frame + 1]) / 2
        step = np.abs(true.vertices[frame + 1] - true.vertices[frame]).max()
        assert np.abs(between - middle).max() < 0.2 * step + WITHIN


def test_joints_alone_are_refused(make, tmp_path):
    with pytest.raises(InputError, match=r"hand: expected hand parameters .* found joints or points alone"):
        export_sequence(tmp_path / "clip.glb", make("right", form="joints"), "gltf")
    assert not list(tmp_path.iterdir())
