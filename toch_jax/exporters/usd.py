"""USD as text (.usda): the hands as skinned meshes with a moving skeleton, the object's parts moving.

Pixar's OpenUSD, UsdGeom and UsdSkel (openusd.org, UsdSkel schemas), for Isaac Sim, Omniverse, Blender, Houdini. Each
hand is a SkelRoot with a Skeleton of its 16 joints, a SkelAnimation with samples of the joints' translations and
rotations (w, x, y, z) in each frame, and a Mesh that is bound to it; MANO's pose correctives are blend shapes, as the
morph targets of glTF (exporters/gltf.py). Parts of the object are Meshes with samples of translate and orient. Matrices
multiply row vectors, as USD's. Metres, y up (`--up` turns the clip), a time code for each frame.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from toch_jax.base.files import write_text
from toch_jax.exporters.gltf import SKIN, THING, continuous, corrective_targets
from toch_jax.exporters.keypoints import object_matrices
from toch_jax.exporters.mano import lost_remark
from toch_jax.exporters.meshes import object_meshes
from toch_jax.exporters.skeleton import Skeleton, skeletons, skinned, upward
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.derived import hand_meshes
from toch_jax.sequence.types import Sequence

ROOT = "clip"
BOUND = '(\n    prepend apiSchemas = ["SkelBindingAPI"]\n)'


def write_usd(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write hands and object with their motion. Raises InputError if the hands have no parameters."""
    turn = _vectors(upward(writing.up).as_quat(scalar_first=True)[None])[0]
    body = [f"quatf xformOp:orient = {turn}", 'uniform token[] xformOpOrder = ["xformOp:orient"]']
    said = []
    vertices = hand_meshes(sequence).vertices
    for hand, skeleton in enumerate(skeletons(sequence)):
        lines, error = _hand(skeleton, np.asarray(vertices)[hand])
        body += lines
        said.append(f"{skeleton.name}: at most {1e3 * error:.3f} mm from the hand model")
    for index, (name, mesh) in enumerate(object_meshes(sequence)):
        poses = object_matrices(sequence, index)
        motion = [
            "double3 xformOp:translate.timeSamples = " + _samples(_vectors(poses[:, :3, 3])),
            "quatf xformOp:orient.timeSamples = " + _samples(_vectors(_turns(poses[:, :3, :3]))),
            'uniform token[] xformOpOrder = ["xformOp:translate", "xformOp:orient"]',
        ]
        body += _block("Mesh", name, [*_mesh(mesh.vertices, mesh.faces, THING), *motion])
    header = [
        f'defaultPrim = "{ROOT}"',
        "metersPerUnit = 1",
        'upAxis = "Y"',
        "startTimeCode = 0",
        f"endTimeCode = {sequence.n_frames - 1}",
        f"timeCodesPerSecond = {sequence.fps:.9g}",
        f"framesPerSecond = {sequence.fps:.9g}",
    ]
    text = ["#usda 1.0", "(", *(f"    {line}" for line in header), ")", "", *_block("Xform", ROOT, body)]
    write_text(path, "\n".join(text) + "\n")
    return (*said, *lost_remark(sequence, "hold the nearest pose"))


def _hand(skeleton: Skeleton, vertices: Float[np.ndarray, "T V 3"]) -> tuple[list[str], float]:
    """The lines of a hand, and how far its skin is from the hand model's at most, metres."""
    targets, model = corrective_targets(skeleton), skeleton.model
    moved = targets.base + np.einsum("tk,kvc->tvc", targets.weights, targets.directions)
    error = float(np.abs(skinned(skeleton, moved) - vertices).max())
    paths: list[str] = []
    for joint, name in enumerate(skeleton.bones):
        paths.append(f"{paths[model.parents[joint]]}/{name}" if joint else name)
    joints = f"uniform token[] joints = {_texts(paths)}"
    place = f"/{ROOT}/{skeleton.name}"
    bind = np.tile(np.eye(4), (len(paths), 1, 1))
    bind[:, 3, :3] = skeleton.rest
    rest = bind.copy()
    rest[:, 3, :3] = skeleton.offsets
    rest[0, 3, :3] = skeleton.rest[0]
    turns = [
        continuous(Rotation.from_matrix(own).as_quat())[:, [3, 0, 1, 2]] for own in skeleton.rotation.swapaxes(0, 1)
    ]
    places = np.tile(skeleton.offsets, (len(vertices), 1, 1))
    places[:, 0] = skeleton.wrist
    animation = [
        joints,
        "quatf[] rotations.timeSamples = " + _samples(map(_list, map(_vectors, np.stack(turns, axis=1)))),
        "float3[] translations.timeSamples = " + _samples(map(_list, map(_vectors, places))),
        f"half3[] scales = {_list(['(1, 1, 1)'] * len(paths))}",
    ]
    influences, weights = _influences(np.asarray(model.weights, np.float64))
    each = f'(\n    elementSize = {influences.shape[1]}\n    interpolation = "vertex"\n)'
    skin = [
        *_mesh(skeleton.shaped + targets.base, np.asarray(model.faces), SKIN),
        f"int[] primvars:skel:jointIndices = {_list(map(str, influences.ravel()))} {each}",
        f"float[] primvars:skel:jointWeights = [{_numbers(weights.ravel())}] {each}",
        f"rel skel:skeleton = <{place}/Skeleton>",
    ]
    if len(targets.directions):
        shapes = [f"pose{number}" for number in range(len(targets.directions))]
        animation.append(f"uniform token[] blendShapes = {_texts(shapes)}")
        rows = (f"[{_numbers(row)}]" for row in targets.weights)
        animation.append("float[] blendShapeWeights.timeSamples = " + _samples(rows))
        skin.append(f"uniform token[] skel:blendShapes = {_texts(shapes)}")
        skin.append(f"rel skel:blendShapeTargets = {_list(f'<{place}/Skin/{shape}>' for shape in shapes)}")
        for shape, offsets in zip(shapes, targets.directions, strict=True):
            skin += _block("BlendShape", shape, [f"uniform vector3f[] offsets = {_list(_vectors(offsets))}"])
    bones = [
        joints,
        f"uniform matrix4d[] bindTransforms = {_matrices(bind)}",
        f"uniform matrix4d[] restTransforms = {_matrices(rest)}",
        f"rel skel:animationSource = <{place}/Animation>",
    ]
    prims = [
        *_block("Skeleton", "Skeleton", bones, BOUND),
        *_block("SkelAnimation", "Animation", animation),
        *_block("Mesh", "Skin", skin, BOUND),
    ]
    return _block("SkelRoot", skeleton.name, prims, BOUND), error


def _mesh(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], colour: list[float]) -> list[str]:
    low, high = _vectors(np.stack([vertices.min(axis=0), vertices.max(axis=0)]))
    return [
        f"float3[] extent = [{low}, {high}]",
        f"int[] faceVertexCounts = {_list(['3'] * len(faces))}",
        f"int[] faceVertexIndices = {_list(map(str, np.asarray(faces).ravel()))}",
        f"point3f[] points = {_list(_vectors(vertices))}",
        f"color3f[] primvars:displayColor = [{_vectors(np.array([colour[:3]]))[0]}]",
        'uniform token subdivisionScheme = "none"',
        "bool doubleSided = true",
    ]


def _influences(weights: Float[np.ndarray, "V 16"]) -> tuple[Int[np.ndarray, "V k"], Float[np.ndarray, "V k"]]:
    """Joints and weights of each vertex, as many as the vertex with the most has."""
    count = int((weights > 0).sum(axis=1).max())
    order = np.argsort(-weights, axis=1)[:, :count]
    return order, np.take_along_axis(weights, order, axis=1)


def _block(kind: str, name: str, lines: Iterable[str], about: str = "") -> list[str]:
    """The lines of a prim."""
    inner = [f"    {line}" for each in lines for line in each.split("\n")]
    return [*f'def {kind} "{name}" {about}'.rstrip().split("\n"), "{", *inner, "}"]


def _samples(values: Iterable[str]) -> str:
    return "{" + ", ".join(f"{frame}: {value}" for frame, value in enumerate(values)) + "}"


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.8g}" for value in values)


def _vectors(rows: Float[np.ndarray, "N k"]) -> list[str]:
    return [f"({_numbers(row)})" for row in rows]


def _turns(matrices: Float[np.ndarray, "T 3 3"]) -> Float[np.ndarray, "T 4"]:
    """Quaternions w, x, y, z."""
    return continuous(Rotation.from_matrix(matrices).as_quat())[:, [3, 0, 1, 2]]


def _list(words: Iterable[str]) -> str:
    return f"[{', '.join(words)}]"


def _matrices(matrices: Float[np.ndarray, "N 4 4"]) -> str:
    return _list(f"({', '.join(_vectors(matrix))})" for matrix in matrices)


def _texts(words: Iterable[str]) -> str:
    return _list(f'"{word}"' for word in words)
