"""Contact over a clip as images on the surfaces: for each hand and the object a PNG and the mesh with its UV.

`right.png` and `right.obj`, `object.png` and `object.obj` in a folder: grey is 255 where a vertex is within 5 mm of the
other surface in every frame, 0 where it never is, in between the share of the frames; what is not the surface is
transparent. `right.npz` has the shares by vertex.

Neither MANO nor the open hand has a UV. The one used here is a view of the unposed hand of no shape from the palm
(left) and the back (right), across its flattest direction, and of the thumb, which would cover the palm, below. The
object's is that of its own mesh (`--object-uv FILE`, as any program exports it, in the object's frame and metres);
without it the object has no image. Texture coordinates have their origin at the lower left, as in .obj files.
"""

from pathlib import Path
from typing import NamedTuple

import igl
import numpy as np
import trimesh
from jaxtyping import Float, Int, UInt8
from matplotlib.image import imsave
from scipy.spatial import KDTree

from toch_jax.base.errors import bad_input
from toch_jax.base.files import atomic_folder, write_arrays, write_text
from toch_jax.exporters.contact import signed_distances_of
from toch_jax.exporters.keypoints import hand_names, object_matrices
from toch_jax.exporters.mano import hide_lost, known_frames, lost_remark
from toch_jax.exporters.writing import Writing
from toch_jax.hand.model import HandModel
from toch_jax.metrics.contact import CONTACT_DISTANCE_M
from toch_jax.sequence.derived import hand_meshes, hand_models
from toch_jax.sequence.types import Sequence

SIZE = 1024
"""Pixels of a side."""
BORDER = 3
"""Pixels by which charts are widened, so that a program that blends pixels takes none from beyond the surface."""
NEAR_SURFACE = 1e-3
"""Largest distance (metres) of a vertex of --object-uv from the clip's object; chosen by hand."""
THUMB = (13, 14, 15)
"""MANO's joints of the thumb."""


class Unwrapped(NamedTuple):
    """A surface with texture coordinates for the corners of its faces."""

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    uv: Float[np.ndarray, "N 2"]
    """0 to 1, from the lower left."""
    uv_faces: Int[np.ndarray, "F 3"]


def write_contact_image(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write images and meshes. Raises InputError for hands without a mesh."""
    meshes = hand_meshes(sequence)
    if meshes.vertices is None or meshes.faces is None:
        expected = "a mesh (toch denoise --hand model writes parameters)"
        raise bad_input(sequence.source, "hand", expected, "points or joints alone")
    models, known = hand_models(sequence), known_frames(sequence)
    distance = signed_distances_of(sequence, hide_lost(sequence, np.asarray(meshes.vertices)))
    thing = None if writing.object_uv is None else read_uv_mesh(writing.object_uv, sequence)
    names = hand_names(sequence.hand_side)
    with atomic_folder(path) as folder:
        for hand, name in enumerate(names):
            surface = unwrapped_hand(models[sequence.hand_side[hand]])
            share = (distance[hand][known[hand]] <= CONTACT_DISTANCE_M).mean(axis=0)
            _write(folder, name, surface, share)
        if thing is not None:
            near = object_contact(
                sequence, thing.vertices, np.asarray(meshes.vertices, np.float64), np.asarray(meshes.faces)
            )
            _write(folder, "object", thing, near.mean(axis=0))
    said = () if thing is not None else ("no image of the object, whose UV is not in the clip (--object-uv MESH)",)
    return (
        "UV of the hand: views of the palm and the back, the thumb below",
        *said,
        *lost_remark(sequence, "do not count"),
    )


def unwrapped_hand(model: HandModel) -> Unwrapped:
    """The unposed hand with its UV: palm and back beside each other, the thumb's below them."""
    vertices, faces = np.asarray(model.v_template, np.float64), np.asarray(model.faces)
    is_thumb = np.isin(np.asarray(model.weights).argmax(axis=1), THUMB)[faces].sum(axis=1) >= 2
    charts: list[tuple[np.ndarray, np.ndarray]] = []
    for own in (~is_thumb, is_thumb):
        used = np.unique(faces[own])
        axes = np.linalg.svd(vertices[used] - vertices[used].mean(axis=0), full_matrices=False)[2]
        axes[2] *= np.sign(np.linalg.det(axes))
        corners = vertices[faces]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        front = normal @ axes[2] >= 0
        for seen, sign in ((front, 1.0), (~front, -1.0)):
            # seen from behind, left and right change places
            charts.append((own & seen, (vertices @ axes[:2].T) * [sign, 1.0]))
    uv_faces = np.zeros_like(faces)
    coordinates, count = [], 0
    for (own, flat), (left, low, width, height) in zip(charts, _CELLS, strict=True):
        used, renumbered = np.unique(faces[own], return_inverse=True)
        low_corner, span = flat[used].min(axis=0), np.ptp(flat[used], axis=0).max()
        inside = (flat[used] - low_corner) / span * min(width, height) * _FILL
        coordinates.append(inside + np.array([left + 0.02 * width, low + 0.02 * height]))
        uv_faces[own] = renumbered.reshape(-1, 3) + count
        count += len(used)
    return Unwrapped(vertices, faces, np.concatenate(coordinates), uv_faces)


_CELLS = ((0.0, 0.4, 0.5, 0.6), (0.5, 0.4, 0.5, 0.6), (0.0, 0.0, 0.5, 0.4), (0.5, 0.0, 0.5, 0.4))
"""Left, lower edge, width and height of each chart's place: palm, back, and the thumb's two."""
_FILL = 0.94
"""Part of a place that a chart fills."""


def read_uv_mesh(path: Path, sequence: Sequence) -> Unwrapped:
    """The object's mesh with its UV. Raises InputError for one without, or of another object."""
    try:
        mesh = trimesh.load_mesh(path, process=False)
    except Exception as error:  # trimesh's readers raise many types on damaged files
        raise bad_input(path, "--object-uv", "a mesh", " ".join(f"{error!r:.100}".split())) from error
    uv = getattr(mesh.visual, "uv", None)
    if uv is None or len(uv) != len(mesh.vertices):
        raise bad_input(path, "--object-uv", "a mesh with texture coordinates", "none")
    vertices = np.asarray(mesh.vertices, np.float64)
    own = np.asarray(sequence.object_vertices, np.float64)
    off = np.sqrt(igl.point_mesh_squared_distance(vertices, own, np.asarray(sequence.object_faces, np.int64))[0]).max()
    if off > NEAR_SURFACE:
        expected = f"the clip's object, in its frame of reference and metres, to {1e3 * NEAR_SURFACE:g} mm"
        raise bad_input(path, "--object-uv", expected, f"vertices {1e3 * off:.0f} mm from it")
    return Unwrapped(vertices, np.asarray(mesh.faces), np.asarray(uv, np.float64), np.asarray(mesh.faces))


def object_contact(
    sequence: Sequence,
    points: Float[np.ndarray, "K 3"],
    hands: Float[np.ndarray, "H T V 3"],
    faces: Int[np.ndarray, "H F 3"],
) -> Float[np.ndarray, "T K"]:
    """1 where a point of the object (in its frame, metres) is within 5 mm of a hand's surface, or inside the hand."""
    part = KDTree(np.asarray(sequence.object_vertices)).query(points)[1]
    owner = np.asarray(sequence.object_vertex_part)[part]
    poses = np.stack([object_matrices(sequence, each) for each in range(len(sequence.object_motion.translation))])
    near, known = np.zeros((sequence.n_frames, len(points))), known_frames(sequence)
    for frame in range(sequence.n_frames):
        moved = np.einsum("kab,kb->ka", poses[owner, frame, :3, :3], points) + poses[owner, frame, :3, 3]
        for hand in np.flatnonzero(known[:, frame]):
            skin = np.ascontiguousarray(hands[hand, frame])
            tree = KDTree(skin)
            close = tree.query(moved, distance_upper_bound=_REACH)[0] < _REACH
            if close.any():
                distance = igl.signed_distance(moved[close], skin, np.asarray(faces[hand], np.int64))[0]
                near[frame, np.flatnonzero(close)[distance <= CONTACT_DISTANCE_M]] = 1
    return near


_REACH = 0.03
"""Metres from the nearest vertex of a hand within which a point of the object can be in contact: more than the longest
side of a face and the contact's distance."""


def _write(folder: Path, name: str, surface: Unwrapped, values: Float[np.ndarray, "V"]) -> None:
    imsave(folder / f"{name}.png", drawn(surface, values)[:, :, [0, 0, 0, 1]])
    write_text(folder / f"{name}.mtl", f"newmtl contact\nmap_Kd {name}.png\n")
    write_text(folder / f"{name}.obj", _obj(name, surface))
    write_arrays(
        folder / f"{name}.npz", {"contact": values.astype(np.float32), "contact_distance": np.array(CONTACT_DISTANCE_M)}
    )


def drawn(surface: Unwrapped, values: Float[np.ndarray, "V"]) -> UInt8[np.ndarray, "S S 2"]:
    """Grey and opacity: the values of the vertices, 0 to 1, linear in each face; the first row is the upper one.

    Where faces lie above each other, which views of a round surface have at their edges, the largest is shown.
    """
    image, filled = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE), bool)
    # pixel centres are at half numbers
    corners = surface.uv[surface.uv_faces] * SIZE - 0.5
    corner_values = values[surface.faces]
    for corner, value in zip(corners, corner_values, strict=True):
        low = np.floor(corner.min(axis=0)).astype(int).clip(0, SIZE - 1)
        high = np.ceil(corner.max(axis=0)).astype(int).clip(0, SIZE - 1)
        across, up = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
        matrix = np.column_stack([corner[1] - corner[0], corner[2] - corner[0]])
        if abs(np.linalg.det(matrix)) < 1e-9:
            continue
        shares = np.linalg.solve(matrix, np.stack([across.ravel() - corner[0, 0], up.ravel() - corner[0, 1]]))
        inside = (shares >= -1e-9).all(axis=0) & (shares.sum(axis=0) <= 1 + 1e-9)
        rows, columns = up.ravel()[inside], across.ravel()[inside]
        grey = value[0] + (value[1:] - value[0]) @ shares[:, inside]
        image[rows, columns] = np.maximum(image[rows, columns], grey)
        filled[rows, columns] = True
    # also of faces that are seen from the side, which cover no middle of a pixel
    columns, rows = corners.reshape(-1, 2).round().astype(int).clip(0, SIZE - 1).T
    np.maximum.at(image, (rows, columns), corner_values.ravel())
    filled[rows, columns] = True
    for _ in range(BORDER):
        image, filled = _widened(image, filled)
    return np.round(255 * np.stack([image, filled], axis=2)[::-1]).astype(np.uint8)


def _widened(image: np.ndarray, filled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The image with each empty pixel beside filled ones at the largest of these."""
    grown = np.pad(np.where(filled, image, -1.0), 1, constant_values=-1.0)
    shifts = [grown[1 + a : SIZE + 1 + a, 1 + b : SIZE + 1 + b] for a in (-1, 0, 1) for b in (-1, 0, 1)]
    largest = np.max(shifts, axis=0)
    marks = largest >= 0
    return np.where(filled, image, np.where(marks, largest, 0.0)), filled | marks


def _obj(name: str, surface: Unwrapped) -> str:
    lines = [f"mtllib {name}.mtl", "usemtl contact"]
    lines += [f"v {x:.8g} {y:.8g} {z:.8g}" for x, y, z in surface.vertices.tolist()]
    lines += [f"vt {u:.8g} {v:.8g}" for u, v in surface.uv.tolist()]
    pairs = zip((surface.faces + 1).tolist(), (surface.uv_faces + 1).tolist(), strict=True)
    lines += ["f " + " ".join(f"{a}/{b}" for a, b in zip(own, at, strict=True)) for own, at in pairs]
    return "\n".join(lines) + "\n"
