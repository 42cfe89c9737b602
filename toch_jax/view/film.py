"""Images of a sequence at given frames, one row for each version of its hands, from the same cameras."""

from collections.abc import Sequence as List
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import gaussian_filter1d

from toch_jax.base.arrays import put
from toch_jax.metrics.contact import CONTACT_DISTANCE_M, Part
from toch_jax.object.coarse import coarsened
from toch_jax.sequence.derived import PosedHand
from toch_jax.sequence.types import Sequence
from toch_jax.view.camera import Moment, choose_direction, frame_camera
from toch_jax.view.render import Camera, Image, Surface, render
from toch_jax.view.rows import Rows
from toch_jax.view.surfaces import distances_at, hand_surface, object_surface

MARGIN = 1.15
"""Factor on the cameras' distance, so that hands at other positions in other rows are visible too."""
DIRECTION_FRAMES = 6
"""Maximum number of frames from which the cameras' direction is chosen."""
DRAWN_FACES = 50_000
"""Approximate maximum of the object's faces: more make no visible difference, and each image has its own copy."""
STEADY_FRAMES = 8.0
"""Standard deviation (images) of the Gaussian filter of the cameras' path in a film."""


def film(
    sequence: Sequence, parts: list[Part], rows: Rows, frames: list[int], size: int, steady: bool = False
) -> dict[str, list[Image]]:
    """The images of the frames for each row, all with the same crop; `size` is their height before it, pixels.

    Contact is green, skin inside the object red. The cameras are centred on the object and the hands of the last row,
    with one direction and distance; `steady` smooths their path over the images.
    """
    sequence = _coarse_object(sequence)
    things = {name: [object_surface(sequence, f, beside=posed[0]) for f in frames] for name, posed in rows.items()}
    objects = list(things.values())[-1]
    hands = {name: [_surfaces(sequence, parts, hand, frames) for hand in posed] for name, posed in rows.items()}
    scenes = {name: [[each[i] for each in surfaces] for i in range(len(frames))] for name, surfaces in hands.items()}
    aimed_at = list(scenes.values())[-1]
    chosen = sorted(set(np.linspace(0, len(frames) - 1, DIRECTION_FRAMES).round().astype(int).tolist()))
    touching = [_touching(sequence, parts, hand, [frames[i] for i in chosen]) for hand in list(rows.values())[-1]]
    direction = choose_direction(
        [Moment(aimed_at[i], objects[i], [faces[k] for faces in touching]) for k, i in enumerate(chosen)]
    )
    cameras = _cameras(aimed_at, objects, direction, steady)
    with ThreadPoolExecutor() as pool:
        tiles = {
            name: [
                pool.submit(render, [*skins, thing], camera, size, size)
                for skins, thing, camera in zip(scene, things[name], cameras, strict=True)
            ]
            for name, scene in scenes.items()
        }
    return _cropped({name: [tile.result() for tile in row] for name, row in tiles.items()})


def _coarse_object(sequence: Sequence) -> Sequence:
    vertices, faces, part = coarsened(
        np.asarray(sequence.object_vertices),
        np.asarray(sequence.object_faces),
        np.asarray(sequence.object_vertex_part),
        DRAWN_FACES,
    )
    return sequence.replace(object_vertices=put(vertices), object_faces=put(faces), object_vertex_part=put(part))


def _surfaces(sequence: Sequence, parts: list[Part], hand: PosedHand, frames: list[int]) -> list[Surface]:
    distances = distances_at(sequence, parts, hand, frames)
    return [hand_surface(hand, frame, each) for frame, each in zip(frames, distances, strict=True)]


def _touching(sequence: Sequence, parts: list[Part], hand: PosedHand, frames: list[int]) -> list[Bool[np.ndarray, "F"]]:
    """For each frame, whether a face has a corner near the object; false for a hand without mesh."""
    if hand.faces is None:
        return [np.zeros(len(hand_surface(hand, frame).faces), dtype=bool) for frame in frames]
    near = np.abs(distances_at(sequence, parts, hand, frames)) < CONTACT_DISTANCE_M
    return [each[hand.faces].any(axis=1) for each in near]


def _cameras(
    scenes: List[List[Surface]], objects: List[Surface], direction: Float[np.ndarray, "3"], steady: bool
) -> list[Camera]:
    """The camera of each image; all at one distance, so that sizes are comparable."""
    cameras = [frame_camera(skins, thing, direction) for skins, thing in zip(scenes, objects, strict=True)]
    far = MARGIN * max(float(np.linalg.norm(camera.eye - camera.target)) for camera in cameras)
    targets = np.stack([camera.target for camera in cameras])
    if steady:
        targets = gaussian_filter1d(targets, STEADY_FRAMES, axis=0, mode="nearest")
    return [
        replace(camera, target=target, eye=target + far * direction)
        for camera, target in zip(cameras, targets, strict=True)
    ]


def _cropped(
    tiles: dict[str, list[Image]], margin: int = 4
) -> dict[str, list[UInt8[np.ndarray, "new_height new_width 3"]]]:
    """The images without the margins that are white in all of them; `margin` pixels are kept."""
    drawn = np.any([(tile < 255).any(axis=-1) for row in tiles.values() for tile in row], axis=0)
    top, bottom = _range(drawn.any(axis=1), margin)
    left, right = _range(drawn.any(axis=0), margin)
    return {name: [tile[top:bottom, left:right] for tile in row] for name, row in tiles.items()}


def _range(drawn: Bool[np.ndarray, "n"], margin: int) -> tuple[int, int]:
    """Start and stop of the drawn pixels with their margin."""
    places = np.flatnonzero(drawn)
    return max(0, int(places[0]) - margin), min(len(drawn), int(places[-1]) + margin + 1)
