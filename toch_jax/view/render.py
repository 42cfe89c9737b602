"""Rendering of meshes without a display: rays cast on the CPU (Embree), shading, transparent surfaces."""

from collections.abc import Sequence as List
from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Float, Int, UInt8

Vec3 = Float[np.ndarray, "3"]
Image = UInt8[np.ndarray, "height width 3"]

SHARP = np.cos(np.radians(40))
"""Cosine of the angle between face normal and mean vertex normal above which shading is flat."""


@dataclass(frozen=True)
class Surface:
    """A mesh (world, metres) with colour and opacity."""

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    color: Float[np.ndarray, "V 3"] | Vec3
    """Red, green, blue in [0, 1], per vertex or for all."""
    opacity: float = 1.0
    """Opacity in [0, 1]; below 1 the surface is transparent."""


@dataclass(frozen=True)
class Camera:
    """A perspective camera; metres, world axes."""

    eye: Vec3
    target: Vec3
    up: Vec3
    view_angle: float = 0.45
    """Vertical angle of view, radians."""


def render(surfaces: List[Surface], camera: Camera, width: int, height: int, samples: int = 2) -> Image:
    """Image of the surfaces on white, lit from the camera's upper left; `samples`^2 rays a pixel."""
    directions = _rays(camera, width * samples, height * samples)
    picture = np.ones((len(directions), 3), dtype=np.float32)
    opaque = [surface for surface in surfaces if surface.opacity >= 1]
    glass = [surface for surface in surfaces if surface.opacity < 1]
    light = _light(camera)
    depth = np.full(len(directions), np.inf, dtype=np.float32)
    if opaque:
        hit, color, _, depth = _shade(opaque, camera, directions, light)
        picture[hit] = color
    if glass:
        hit, color, cover, near = _shade(glass, camera, directions, light)
        front = near[hit] < depth[hit]
        observed = np.flatnonzero(hit)[front]
        alpha = cover[front, None]
        picture[observed] = alpha * color[front] + (1 - alpha) * picture[observed]
    fine = picture.reshape(height, samples, width, samples, 3).mean(axis=(1, 3))
    return (np.clip(fine, 0, 1) * 255 + 0.5).astype(np.uint8)


def first_hits(
    surfaces: List[Surface], cameras: List[Camera], width: int, height: int
) -> Int[np.ndarray, "cameras height width"]:
    """Index of the first surface at each pixel, all taken as opaque; -1 for none."""
    scene, _, _ = _scene(surfaces)
    owner = np.repeat(np.arange(len(surfaces)), [len(surface.faces) for surface in surfaces])
    observed = []
    for camera in cameras:
        directions = _rays(camera, width, height)
        face = scene.run(_origins(camera, directions), directions)
        observed.append(np.where(face >= 0, owner[face], -1).reshape(height, width))
    return np.stack(observed)


def _axes(camera: Camera) -> tuple[Vec3, Vec3, Vec3]:
    """Unit vectors right, up and forward in the world."""
    forward = camera.target - camera.eye
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, camera.up)
    right = right / np.linalg.norm(right)
    return right, np.cross(right, forward), forward


def _rays(camera: Camera, width: int, height: int) -> Float[np.ndarray, "R 3"]:
    right, up, forward = _axes(camera)
    half = np.tan(camera.view_angle / 2)
    x = ((np.arange(width) + 0.5) / width * 2 - 1) * half * width / height
    y = (1 - (np.arange(height) + 0.5) / height * 2) * half
    directions = forward + x[None, :, None] * right + y[:, None, None] * up
    directions = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    return directions.reshape(-1, 3).astype(np.float32)


def _origins(camera: Camera, directions: Float[np.ndarray, "R 3"]) -> Float[np.ndarray, "R 3"]:
    return np.tile(camera.eye.astype(np.float32), (len(directions), 1))


def _light(camera: Camera) -> Vec3:
    right, up, forward = _axes(camera)
    light = -forward - 0.5 * right + 0.8 * up
    return (light / np.linalg.norm(light)).astype(np.float32)


def _scene(surfaces: List[Surface]) -> tuple[EmbreeScene, Float[np.ndarray, "V 3"], Int[np.ndarray, "F 3"]]:
    offsets = np.cumsum([0, *(len(surface.vertices) for surface in surfaces)])
    vertices = np.concatenate([surface.vertices for surface in surfaces]).astype(np.float32)
    faces = np.concatenate([s.faces + offset for s, offset in zip(surfaces, offsets, strict=False)]).astype(np.int32)
    scene = EmbreeScene()
    TriangleMesh(scene, vertices, faces)
    return scene, vertices, faces


def _shade(
    surfaces: List[Surface], camera: Camera, directions: Float[np.ndarray, "R 3"], light: Vec3
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mask of the rays that hit; colour (3) and opacity of those; depth of all rays (inf where nothing is hit)."""
    scene, vertices, faces = _scene(surfaces)
    answer = scene.run(_origins(camera, directions), directions, output=1)
    hit = answer["primID"] >= 0
    face, towards = faces[answer["primID"][hit]], directions[hit]
    u, v = answer["u"][hit, None], answer["v"][hit, None]
    weights = np.concatenate([1 - u - v, u, v], axis=1)

    colors = np.concatenate([np.broadcast_to(s.color, s.vertices.shape) for s in surfaces]).astype(np.float32)
    opacities = np.concatenate([np.full(len(s.vertices), s.opacity, np.float32) for s in surfaces])
    corners = _corner_normals(vertices, faces).astype(np.float32)
    normals = np.einsum("rkc,rk->rc", corners[answer["primID"][hit]], weights)
    normals /= np.maximum(np.sqrt(np.einsum("rc,rc->r", normals, normals)), 1e-9)[:, None]
    facing = -np.einsum("rc,rc->r", normals, towards)
    normals *= np.sign(facing)[:, None]
    lit = np.clip(normals @ light, 0, 1)
    halfway = light - towards
    halfway /= np.sqrt(np.einsum("rc,rc->r", halfway, halfway))[:, None]
    shine = 0.18 * np.clip(np.einsum("rc,rc->r", normals, halfway), 0, 1) ** 24
    color = np.einsum("rkc,rk->rc", colors[face], weights) * (0.4 + 0.6 * lit)[:, None] + shine[:, None]
    # transparent surfaces are more opaque at grazing angles, which shows their outline
    cover = opacities[face[:, 0]]
    cover = cover + (1 - cover) * (1 - np.abs(facing)) ** 3
    depth = np.where(hit, answer["tfar"], np.inf)
    return hit, color, cover, depth


def _corner_normals(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, "F 3 3"]:
    """Area-weighted mean normal at each corner of each face, the face's own normal at sharp edges (SHARP)."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    cross = np.cross(b - a, c - a)
    around = np.stack([np.bincount(faces.ravel(), np.repeat(cross[:, k], 3), len(vertices)) for k in range(3)], axis=1)
    smooth, flat = (n / np.maximum(np.linalg.norm(n, axis=-1, keepdims=True), 1e-12) for n in (around, cross))
    corners, own = smooth[faces], flat[:, None]
    return np.where((corners * own).sum(axis=-1, keepdims=True) > SHARP, corners, own)
