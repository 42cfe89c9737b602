"""Images of a sequence, one row for each version of its hands, from cameras that see hand, object and contact; and the
picture of a repair: such images, and curves of penetration depth and accelerations."""

from collections.abc import Sequence as List
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import gaussian_filter1d

from toch_jax.base.arrays import put
from toch_jax.metrics.clip import HandContact, hand_contact, sequence_parts
from toch_jax.metrics.contact import CONTACT_DISTANCE_M, Part
from toch_jax.metrics.object_pose import box_corners
from toch_jax.object.mesh import coarsened
from toch_jax.sequence.derived import PosedHand
from toch_jax.sequence.types import Sequence
from toch_jax.view.render import Camera, Image, Surface, first_hits, render
from toch_jax.view.scene import Rows, distances_at, hand_surface, object_surface

MARGIN = 1.15
"""Factor on the cameras' distance, so that hands at other positions in other rows are visible too."""
DIRECTION_FRAMES = 6
"""Maximum number of frames from which the cameras' direction is chosen."""
DRAWN_FACES = 50_000
"""Approximate maximum of the object's faces: more make no visible difference, and each image has its own copy."""
STEADY_FRAMES = 8.0
"""Standard deviation (images) of the Gaussian filter of the cameras' path in a film."""
UP = np.array([0.0, 0.0, 1.0])
"""Upward direction of all cameras, world."""
NEAR_M = 0.06
"""Margin (metres) around the hands within which a large object is shown."""
WHOLE_M = 0.4
"""Size (metres) up to which an object is shown whole."""
TILE = 300
"""Height of a frame's image before white margins are cut off, pixels."""
DEPTH_LABEL = "penetration depth, mm"
ACCELERATION_LABEL = "acceleration of the joints, m/s²"
OBJECT_LABEL = "acceleration of the object, m/s²"


class _Moment(NamedTuple):
    """Surfaces shown at one frame."""

    hands: List[Surface]
    held: Surface
    """The object."""
    touching: List[Bool[np.ndarray, "F"]]
    """For each hand, whether each face is near the object."""


def film(
    sequence: Sequence, parts: list[Part], rows: Rows, frames: list[int], size: int, steady: bool = False
) -> dict[str, list[Image]]:
    """The images of the frames for each row, all with the same crop; `size` is their height before it, pixels.

    Contact is green, skin inside the object red. The cameras are centred on the object and the hands of the last row,
    with one direction and distance; `steady` smooths their path over the images.
    """
    sequence = _coarse_object(sequence)
    objects = {name: [object_surface(sequence, f, beside=posed[0]) for f in frames] for name, posed in rows.items()}
    last_objects = list(objects.values())[-1]
    hands = {name: [_surfaces(sequence, parts, hand, frames) for hand in posed] for name, posed in rows.items()}
    scenes = {name: [[each[i] for each in surfaces] for i in range(len(frames))] for name, surfaces in hands.items()}
    aimed_at = list(scenes.values())[-1]
    chosen = sorted(set(np.linspace(0, len(frames) - 1, DIRECTION_FRAMES).round().astype(int).tolist()))
    touching = [_touching(sequence, parts, hand, [frames[i] for i in chosen]) for hand in list(rows.values())[-1]]
    direction = _choose_direction(
        [_Moment(aimed_at[i], last_objects[i], [faces[k] for faces in touching]) for k, i in enumerate(chosen)]
    )
    cameras = _cameras(aimed_at, last_objects, direction, steady)
    with ThreadPoolExecutor() as pool:
        tiles = {
            name: [
                pool.submit(render, [*skins, held], camera, size, size)
                for skins, held, camera in zip(scene, objects[name], cameras, strict=True)
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
    cameras = [_camera(skins, held, direction) for skins, held in zip(scenes, objects, strict=True)]
    far = MARGIN * max(float(np.linalg.norm(camera.eye - camera.target)) for camera in cameras)
    targets = np.stack([camera.target for camera in cameras])
    if steady:
        targets = gaussian_filter1d(targets, STEADY_FRAMES, axis=0, mode="nearest")
    return [
        replace(camera, target=target, eye=target + far * direction)
        for camera, target in zip(cameras, targets, strict=True)
    ]


def _camera(hands: List[Surface], held: Surface, direction: Float[np.ndarray, "3"]) -> Camera:
    """Camera for the hands and the object `held`; `direction` is the unit vector from its target to its eye, world."""
    skin = np.concatenate([hand.vertices for hand in hands])
    shown = held.vertices
    if np.ptp(shown, axis=0).max() > WHOLE_M:
        low, high = skin.min(axis=0) - NEAR_M, skin.max(axis=0) + NEAR_M
        shown = shown[((shown > low) & (shown < high)).all(axis=-1)]
    points = np.concatenate([skin, shown])
    right = np.cross(-direction, UP)
    right = right / np.linalg.norm(right)
    axes = np.stack([right, np.cross(right, -direction), direction])
    low, high = (points @ axes.T).min(axis=0), (points @ axes.T).max(axis=0)
    target = (low + high) / 2 @ axes
    half = 1.05 * (high - low)[:2].max() / 2
    camera = Camera(target, target, UP)
    return replace(camera, eye=target + direction * (half / np.tan(camera.view_angle / 2) + (high - low)[2] / 2))


def _choose_direction(moments: List[_Moment], candidates: int = 40) -> Float[np.ndarray, "3"]:
    """Best of several directions (unit vectors from the target to the eye) over all the moments.

    The score is high if hands occlude little of the object and if much of the touching skin is visible, with the object
    taken as transparent.
    """
    directions = _spread(candidates)
    score = np.zeros(candidates)
    for hands, held, touching in moments:
        cameras = [_camera(hands, held, direction) for direction in directions]
        of_object = (first_hits([*hands, held], cameras, 48, 48) == len(hands)).sum(axis=(1, 2))
        pads = [replace(hand, faces=hand.faces[near]) for hand, near in zip(hands, touching, strict=True) if near.any()]
        others = [replace(hand, faces=hand.faces[~near]) for hand, near in zip(hands, touching, strict=True)]
        visible = first_hits([*pads, *others], cameras, 48, 48)
        of_pads = ((visible >= 0) & (visible < len(pads))).sum(axis=(1, 2))
        of_hands = (visible >= 0).sum(axis=(1, 2))
        # 0.1: touching skin is about a tenth of a hand
        score += of_object * (of_pads + 0.1 * of_hands)
    return directions[np.argmax(score)]


def _spread(count: int) -> Float[np.ndarray, "n 3"]:
    """Evenly distributed unit vectors (Fibonacci), without those near the vertical, where `UP` is degenerate."""
    height = np.linspace(-0.6, 0.8, count)
    angle = np.arange(count) * np.pi * (3 - np.sqrt(5))
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1)


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
    drawn_at = np.flatnonzero(drawn)
    return max(0, int(drawn_at[0]) - margin), min(len(drawn), int(drawn_at[-1]) + margin + 1)


def draw_picture(
    path: str | Path, sequence: Sequence, rows: Rows, n_frames: int = 5, parts: list[Part] | None = None
) -> None:
    """Writes a PNG with `n_frames` frames of each row from the same cameras, a legend, and curves over time.

    Contact is green, skin inside the object red. The curves of the row "before" (the tracked hands) are empty in frames
    that the tracker lost; all other rows have a hand in every frame. The object's acceleration is drawn if its motion
    differs between rows. `parts`: the result of `sequence_parts`, if the caller has it.
    """
    rows = {n: hands if n == "before" else [_in_every_frame(hand) for hand in hands] for n, hands in rows.items()}
    parts = sequence_parts(sequence) if parts is None else parts
    contacts = {
        name: [hand_contact(hand.motion_in(sequence), parts, hand) for hand in hands] for name, hands in rows.items()
    }
    last = list(contacts.values())[-1]
    frames = _frames_to_show(np.any([each.contact for each in last], axis=0), n_frames)
    curves = {}
    if sequence.n_frames >= 3:
        curves[DEPTH_LABEL] = {name: _depth(hands, contacts[name]) for name, hands in rows.items()}
        curves[ACCELERATION_LABEL] = {name: _acceleration(hands, sequence.fps) for name, hands in rows.items()}
        of_object = {name: _object_acceleration(sequence, hands[0], parts) for name, hands in rows.items()}
        first = next(iter(of_object.values()))
        if not all(np.array_equal(each, first, equal_nan=True) for each in of_object.values()):
            curves[OBJECT_LABEL] = of_object
    from toch_jax.view.figure import draw_figure  # matplotlib takes a second to import

    draw_figure(path, film(sequence, parts, rows, frames, TILE), curves, np.array(frames) / sequence.fps, sequence.fps)


def _in_every_frame(hand: PosedHand) -> PosedHand:
    return replace(hand, observed=np.ones_like(hand.observed))


def _frames_to_show(contact: Bool[np.ndarray, "T"], wanted: int) -> list[int]:
    """Frames evenly spread from the first in contact to the last, or over all if none is in contact."""
    touching = np.flatnonzero(contact)
    first, last = (touching[0], touching[-1]) if len(touching) else (0, len(contact) - 1)
    return sorted(set(np.linspace(first, last, wanted).round().astype(int).tolist()))


def _depth(hands: list[PosedHand], contacts: list[HandContact]) -> Float[np.ndarray, "T"]:
    """Penetration depth (mm) of the deepest hand in each frame; nan where no hand is observed."""
    return np.fmax.reduce([np.where(h.observed, t.depth_mm, np.nan) for h, t in zip(hands, contacts, strict=True)])


def _acceleration(hands: list[PosedHand], fps: float) -> Float[np.ndarray, "T"]:
    """Mean acceleration (m/s^2) over the joints, or skin, of the hand for which it is largest, in each frame.

    nan in the first and last frame and where no hand is observed.
    """
    accelerations = []
    for hand in hands:
        points = hand.points if hand.joints is None else hand.joints
        accelerations.append(_mean_acceleration(np.where(hand.observed[:, None, None], points, np.nan), fps))
    return np.fmax.reduce(accelerations)


def _object_acceleration(sequence: Sequence, hand: PosedHand, parts: list[Part]) -> Float[np.ndarray, "T"]:
    """Mean acceleration (m/s^2) of the corners of a part's box, of the part for which it is largest, in each frame.

    nan in the first and last frame.
    """
    corners = box_corners(parts, hand.motion_in(sequence))
    return np.fmax.reduce([_mean_acceleration(each, sequence.fps) for each in corners])


def _mean_acceleration(points: Float[np.ndarray, "T K 3"], fps: float) -> Float[np.ndarray, "T"]:
    """Mean over the points of the length of their acceleration, m/s^2; nan in the first and last frame."""
    second = np.linalg.norm(np.diff(points.astype(np.float64), n=2, axis=0), axis=-1).mean(axis=-1) * fps**2
    return np.pad(second, 1, constant_values=np.nan)
