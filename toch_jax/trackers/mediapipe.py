"""MediaPipe Tasks' hand landmarker: the result of each frame of a video as JSON.

A list, or a line, for each frame: hand_landmarks (21 {x, y, z} for each hand, x and y as fractions of the image's width
and height), hand_world_landmarks (21 {x, y, z}, metres about the hand's own centre) and handedness (a list of
{category_name, score} for each hand), as the dataclasses of the Python API have them; or landmarks, worldLandmarks and
handedness or handednesses with categoryName, as in JavaScript (developers.google.com, HandLandmarkerResult). A key
timestamp_ms may stand beside them.

World landmarks have no place in the room: it follows from the landmarks in the image and the camera. Each hand is
turned and moved until its landmarks lie at those of the image, which is cv2.solvePnP's problem; the hand has an average
person's size, so its depth is off where the hand's is another. `category_name` is meant for a mirrored image in older
versions: where the fingers bend as those of the other side, say `--left-hands mirrored` to swap the sides.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.trackers.camera import read_camera
from toch_jax.trackers.detections import Detection, tracked_hands
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, need
from toch_jax.trackers.stamps import on_grid
from toch_jax.trackers.tracked import Tracked

_KEYS = (
    ("hand_landmarks", "hand_world_landmarks", ("handedness",), "category_name"),
    ("landmarks", "worldLandmarks", ("handedness", "handednesses"), "categoryName"),
)
FARTHEST_PIXEL = 0.1
"""Largest root mean square distance between landmarks of the image and of the placed hand, as a part of the hand's
extent in the image, with which a frame is used; chosen by hand."""


def keys_of(frame: Any) -> tuple[str, str, str, str] | None:
    """The names in a frame of landmarks of the image, of the world, of the side, and of its word."""
    for image, world, sides, name in _KEYS:
        for side in sides:
            if isinstance(frame, dict) and {image, world, side} <= set(frame):
                return image, world, side, name
    return None


def fits(source: Source) -> bool:
    content = source.content
    return isinstance(content, list) and any(keys_of(frame) for frame in content)


def read(source: Source, reading: Reading) -> Tracked:
    """The hands before the camera. Raises InputError, also without the camera."""
    where = source.path
    if reading.camera is None:
        expected = "the camera (--camera FILE), which places the landmarks in the room"
        raise bad_input(where, "camera", expected, "none")
    camera = read_camera(reading.camera)
    intrinsics = camera.intrinsics
    if intrinsics is None or not np.isfinite(intrinsics).all():
        raise bad_input(reading.camera, "camera", "fx, fy, cx and cy", "a focal length alone")
    size = camera.size or (2 * intrinsics[0, 2], 2 * intrinsics[1, 2])
    found: list[tuple[int, list[Detection]]] = []
    for index, frame in enumerate(source.content):
        keys = keys_of(frame)
        hands: list[Detection] = []
        if keys is not None:
            images, worlds, sides, name = keys
            for image, world, side in zip(frame[images], frame[worlds], frame[sides], strict=False):
                pixels = _points(source, images, image)[:, :2] * size
                is_right = hand_is_right(source, side, name) != (reading.left_hands == "mirrored")
                placed = placed_hand(_points(source, worlds, world), pixels, intrinsics)
                if placed is not None:
                    hands.append(Detection("right" if is_right else "left", placed[0], placed - placed[0]))
        found.append((index, hands))
    said = [] if camera.size else [f"image of {size[0]:.0f} x {size[1]:.0f} pixels, twice the principal point"]
    at, fps, gaps, seconds = _grid(source)
    found = [(frame, hands) for frame, (_, hands) in zip(at, found, strict=True)]
    said += gaps
    return replace(tracked_hands(source, "mediapipe", found, camera, said, fps), seconds=seconds)


def frame_indices(source: Source) -> list[int]:
    """The frame of each entry: by the time stamps where all have them, else the order. Raises InputError."""
    return _grid(source)[0]


def _grid(
    source: Source,
) -> tuple[list[int], float | None, tuple[str, ...], Float[np.ndarray, "T"] | None]:
    """The frame of each entry, the frame rate, a remark on gaps, and the time of each frame."""
    stamps = [frame.get("timestamp_ms") if isinstance(frame, dict) else None for frame in source.content]
    if any(stamp is None for stamp in stamps):
        return list(range(len(stamps))), None, (), None
    at, fps, gaps, seconds = on_grid(source.path, 1e-3 * array(source.path, "timestamp_ms", stamps, "T"))
    return at.tolist(), fps, gaps, seconds


def _points(source: Source, key: str, landmarks: Any) -> Float[np.ndarray, "21 3"]:
    rows = [[need(source.path, point, axis) for axis in "xyz"] for point in landmarks]
    return array(source.path, key, rows, "21 3")


def hand_is_right(source: Source, side: Any, name: str) -> bool:
    """Whether a hand is called right. Raises InputError."""
    first = side[0] if isinstance(side, list) and side else side
    word = need(source.path, first, name)
    if word not in ("Left", "Right"):
        raise bad_input(source.path, name, "Left or Right", str(word))
    return word == "Right"


def placed_hand(
    world: Float[np.ndarray, "21 3"], pixels: Float[np.ndarray, "21 2"], intrinsics: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "21 3"] | None:
    """The landmarks, turned and moved as a rigid body before the camera to project onto the pixels; None if they can't.

    The start is the landmarks' own orientation, which is nearly the camera's, and the place that is best with it, from
    linear equations.
    """
    if not (np.isfinite(world).all() and np.isfinite(pixels).all()):
        return None
    rays = (np.column_stack([pixels, np.ones(21)]) @ np.linalg.inv(intrinsics).T)[:, :2]
    # u (z + tz) = x + tx, v (z + tz) = y + ty
    system = np.zeros((21, 2, 3))
    system[:, 0, 0] = system[:, 1, 1] = 1
    system[:, :, 2] = -rays
    right = rays * world[:, 2:] - world[:, :2]
    place = np.linalg.lstsq(system.reshape(42, 3), right.ravel(), rcond=None)[0]
    if not (np.isfinite(place).all() and place[2] > 0):
        return None

    def moved(state: Float[np.ndarray, "6"]) -> Float[np.ndarray, "21 3"]:
        return Rotation.from_rotvec(state[:3]).apply(world) + state[3:]

    def off(state: Float[np.ndarray, "6"]) -> Float[np.ndarray, "42"]:
        points = moved(state)
        return (points[:, :2] / np.maximum(points[:, 2:], 1e-3) - rays).ravel()

    best = least_squares(off, np.concatenate([np.zeros(3), place]), method="lm", max_nfev=200)
    extent = float(np.linalg.norm(np.ptp(rays, axis=0)))
    if np.sqrt(np.mean(best.fun**2)) > FARTHEST_PIXEL * extent or best.x[5] <= 0:
        return None
    return moved(best.x)
