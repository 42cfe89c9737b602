"""glTF 2.0 in its binary form (.glb): the hands as skinned meshes with a moving skeleton, the object's parts moving.

Metres, y up (`--up` turns the clip). Each hand is a node for each of its 16 joints and five tips, a skin with the
inverse bind matrices of the unposed hand, and an animation channel for the wrist's position and each joint's rotation.
Skinning is that of the hand model, so that the skin is the model's up to its pose correctives (MANO has some, the open
hand none). These are carried by morph targets, which glTF adds before skinning, as MANO does: the principal directions
of what the clip's poses move, as many as leave less than CORRECTIVE_ERROR, with animated weights.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from toch_jax.base.files import atomic
from toch_jax.exporters.glb import FACES, VERTICES, Arrays, glb_bytes
from toch_jax.exporters.mano import lost_remark
from toch_jax.exporters.skeleton import Skeleton, skeletons, skinned, upward
from toch_jax.exporters.writing import Writing
from toch_jax.hand.model import LAST_JOINTS
from toch_jax.sequence.derived import hand_meshes
from toch_jax.sequence.types import Sequence

CORRECTIVE_ERROR = 5e-5
"""Largest distance in the pose correctives that is left out, metres; half of the 0.1 mm that files are written to."""
SKIN, THING = [0.80, 0.62, 0.52, 1.0], [0.45, 0.55, 0.68, 1.0]
"""Colours of hands and object."""


def write_glb(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write hands and object with their motion. Raises InputError if the hands have no parameters."""
    arrays = Arrays()
    times = arrays.add((np.arange(sequence.n_frames) / sequence.fps).astype(np.float32), bounds=True)
    scene = _Scene(arrays, times)
    root = scene.node({"name": "clip", "rotation": _quaternion(upward(writing.up))})
    scene.roots.append(root)
    children = []
    said = []
    vertices = hand_meshes(sequence).vertices
    for hand, skeleton in enumerate(skeletons(sequence)):
        targets = corrective_targets(skeleton)
        children.append(_add_hand(scene, skeleton, targets))
        moved = targets.base + np.einsum("tk,kvc->tvc", targets.weights, targets.directions)
        error = np.abs(skinned(skeleton, moved) - np.asarray(vertices)[hand]).max()
        by = f", pose correctives by {len(targets.directions)} morph targets" if len(targets.directions) else ""
        said.append(f"{skeleton.name}: at most {1e3 * error:.3f} mm from the hand model{by}")
    children += _add_object(scene, sequence)
    scene.nodes[root]["children"] = children
    document = {
        "asset": {"version": "2.0", "generator": "toch_jax"},
        "scene": 0,
        "scenes": [{"nodes": scene.roots}],
        "nodes": scene.nodes,
        "meshes": scene.meshes,
        "skins": scene.skins,
        "materials": [_material("hand", SKIN), _material("object", THING)],
        "animations": [{"name": "clip", "channels": scene.channels, "samplers": scene.samplers}],
    }
    with atomic(path) as part:
        part.write_bytes(glb_bytes(document, arrays))
    return (*said, *lost_remark(sequence, "hold the nearest pose"))


class _Scene:
    """Parts of the document, and how they are added."""

    def __init__(self, arrays: Arrays, times: int) -> None:
        self.arrays, self.times = arrays, times
        self.nodes: list[dict[str, Any]] = []
        self.roots: list[int] = []
        self.meshes: list[dict[str, Any]] = []
        self.skins: list[dict[str, Any]] = []
        self.channels: list[dict[str, Any]] = []
        self.samplers: list[dict[str, Any]] = []

    def node(self, node: dict[str, Any]) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1

    def animate(self, node: int, path: str, values: Float[np.ndarray, "*axes"]) -> None:
        """Animate a property of a node, (T, ...); its value at rest is that of the first frame."""
        values = values.astype(np.float32)
        self.samplers.append({"input": self.times, "output": self.arrays.add(values), "interpolation": "LINEAR"})
        self.channels.append({"sampler": len(self.samplers) - 1, "target": {"node": node, "path": path}})

    def moving(self, name: str, place: Float[np.ndarray, "T 3"] | Float[np.ndarray, "3"], turn: np.ndarray) -> int:
        """A node with these rotations (T, 3, 3); and positions, unless it has one that stays."""
        quaternions = continuous(Rotation.from_matrix(turn).as_quat())
        first = place[0] if place.ndim == 2 else place
        node = self.node({"name": name, "translation": first.tolist(), "rotation": quaternions[0].tolist()})
        if place.ndim == 2:
            self.animate(node, "translation", place)
        self.animate(node, "rotation", quaternions)
        return node


def continuous(quaternions: Float[np.ndarray, "T 4"]) -> Float[np.ndarray, "T 4"]:
    """The quaternions with signs such that each is nearest to the one before (q and -q are the same rotation)."""
    flips = np.where((quaternions[1:] * quaternions[:-1]).sum(axis=1) < 0, -1.0, 1.0)
    return quaternions * np.concatenate([[1.0], np.cumprod(flips)])[:, None]


class Targets(NamedTuple):
    """Morph targets: what is added to the unposed vertices in a frame is base + weights directions, metres."""

    base: Float[np.ndarray, "V 3"]
    directions: Float[np.ndarray, "K V 3"]
    weights: Float[np.ndarray, "T K"]
    """0 to 1: Blender and others allow no more, and no less."""


def corrective_targets(skeleton: Skeleton) -> Targets:
    """The model's pose correctives as the fewest morph targets that leave at most CORRECTIVE_ERROR: principal
    directions of what the clip's poses move."""
    n_frames, n_vertices = len(skeleton.rotation), len(skeleton.shaped)
    bend = (skeleton.rotation[:, 1:] - np.eye(3)).reshape(n_frames, -1)
    posedirs = np.asarray(skeleton.model.posedirs, np.float64).reshape(-1, bend.shape[1])
    if not posedirs.any():
        return Targets(np.zeros((n_vertices, 3)), np.zeros((0, n_vertices, 3)), np.zeros((n_frames, 0)))
    basis, shares = np.linalg.qr(posedirs)
    left, sizes, right = np.linalg.svd(bend @ shares.T, full_matrices=False)
    weights, directions = left * sizes, right @ basis.T
    wanted = bend @ posedirs.T
    low, high = 0, len(sizes)
    while low < high:
        middle = (low + high) // 2
        rest = (wanted - weights[:, :middle] @ directions[:middle]).reshape(n_frames, n_vertices, 3)
        low, high = (low, middle) if np.linalg.norm(rest, axis=-1).max() <= CORRECTIVE_ERROR else (middle + 1, high)
    weights, directions = weights[:, :low], directions[:low].reshape(low, n_vertices, 3)
    least = weights.min(axis=0)
    span = np.maximum(weights.max(axis=0) - least, 1e-12)
    return Targets(
        np.einsum("k,kvc->vc", least, directions), directions * span[:, None, None], (weights - least) / span
    )


def _add_hand(scene: _Scene, skeleton: Skeleton, targets: Targets) -> int:
    """Add a hand's joints, mesh, skin and motion; the node of its wrist."""
    arrays, model = scene.arrays, skeleton.model
    shaped = skeleton.shaped + targets.base
    joints: list[int] = []
    for joint, name in enumerate(skeleton.bones):
        place = skeleton.offsets[joint] if joint else skeleton.wrist
        joints.append(scene.moving(name, place, skeleton.rotation[:, joint]))
        if joint:
            scene.nodes[joints[model.parents[joint]]].setdefault("children", []).append(joints[joint])
    for joint, name, place in zip(LAST_JOINTS, skeleton.tips, skeleton.tip_offsets, strict=True):
        tip = scene.node({"name": name, "translation": place.tolist()})
        scene.nodes[joints[joint]].setdefault("children", []).append(tip)
    bind = np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1))
    # matrices are stored by columns: the translation is the last row
    bind[:, 3, :3] = -skeleton.rest
    scene.skins.append({"joints": joints, "inverseBindMatrices": arrays.add(bind), "skeleton": joints[0]})
    faces = np.asarray(model.faces)
    attributes = {
        "POSITION": arrays.add(shaped.astype(np.float32), VERTICES, bounds=True),
        "NORMAL": arrays.add(vertex_normals(shaped, faces), VERTICES),
        **_influences(arrays, np.asarray(model.weights)),
    }
    primitive: dict[str, Any] = {
        "attributes": attributes,
        "indices": arrays.add(faces.astype(np.uint32).ravel(), FACES),
        "material": 0,
    }
    mesh: dict[str, Any] = {"name": skeleton.name, "primitives": [primitive]}
    node = scene.node({"name": f"{skeleton.name}Skin", "mesh": len(scene.meshes), "skin": len(scene.skins) - 1})
    if len(targets.directions):
        primitive["targets"] = [
            {"POSITION": arrays.add(each.astype(np.float32), VERTICES, bounds=True)} for each in targets.directions
        ]
        mesh["weights"] = targets.weights[0].tolist()
        mesh["extras"] = {"targetNames": [f"pose{number}" for number in range(len(targets.directions))]}
        scene.animate(node, "weights", targets.weights.ravel())
    scene.meshes.append(mesh)
    # transforms of a skinned mesh's node and of those above it do not count: it stands at the root
    scene.roots.append(node)
    return joints[0]


def _influences(arrays: Arrays, weights: Float[np.ndarray, "V 16"]) -> dict[str, int]:
    """Joints and weights of each vertex, four in each set, the largest first."""
    order = np.argsort(-weights, axis=1)
    sorted_weights = np.take_along_axis(weights, order, axis=1)
    count = int((sorted_weights > 0).sum(axis=1).max())
    found = {}
    for number in range(-(-count // 4)):
        own = slice(4 * number, 4 * number + 4)
        share = sorted_weights[:, own].astype(np.float32)
        joint = np.where(share > 0, order[:, own], 0).astype(np.uint8)
        found[f"JOINTS_{number}"] = arrays.add(joint, VERTICES)
        found[f"WEIGHTS_{number}"] = arrays.add(share, VERTICES)
    return found


def _add_object(scene: _Scene, sequence: Sequence) -> list[int]:
    """Add the object's parts and their motion; their nodes."""
    vertices, faces, part = map(
        np.asarray, (sequence.object_vertices, sequence.object_faces, sequence.object_vertex_part)
    )
    motion = sequence.object_motion
    count = len(motion.translation)
    nodes = []
    for index in range(count):
        own = faces[(part[faces] == index).all(axis=1)]
        if not len(own):
            continue
        kept, renumbered = np.unique(own, return_inverse=True)
        own = renumbered.reshape(-1, 3)
        name = "object" if count == 1 else f"object{index}"
        place, turn = np.asarray(motion.translation[index]), np.asarray(motion.rotation[index], np.float64)
        node = scene.moving(name, place, turn)
        scene.nodes[node]["mesh"] = len(scene.meshes)
        attributes = {
            "POSITION": scene.arrays.add(vertices[kept].astype(np.float32), VERTICES, bounds=True),
            "NORMAL": scene.arrays.add(vertex_normals(vertices[kept], own), VERTICES),
        }
        indices = scene.arrays.add(own.astype(np.uint32).ravel(), FACES)
        scene.meshes.append(
            {"name": name, "primitives": [{"attributes": attributes, "indices": indices, "material": 1}]}
        )
        nodes.append(node)
    return nodes


def vertex_normals(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, "V 3"]:
    """Unit normals, of the faces around each vertex by area; (0, 0, 1) where there is none. float32."""
    corners = vertices[faces].astype(np.float64)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros((len(vertices), 3))
    for corner in range(3):
        np.add.at(total, faces[:, corner], across)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    unit: np.ndarray = np.where(length > 0, total / np.maximum(length, 1e-30), [0.0, 0.0, 1.0])
    return unit.astype(np.float32)


def _quaternion(turn: Rotation) -> list[float]:
    return turn.as_quat().tolist()


def _material(name: str, colour: list[float]) -> dict[str, Any]:
    return {
        "name": name,
        "doubleSided": True,
        "pbrMetallicRoughness": {"baseColorFactor": colour, "metallicFactor": 0.0, "roughnessFactor": 0.8},
    }
