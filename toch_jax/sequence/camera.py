"""The camera that a clip was seen by: its intrinsics and its pose in each frame.

Hands and objects that a camera tracks are off along its ray by much more than across it.
"""

from __future__ import annotations

import numpy as np
from flax import struct
from jaxtyping import Array, Float

from toch_jax.base.arrays import put, short_repr


class Camera(struct.PyTreeNode):
    """A pinhole camera over T frames: x right, y down, z forward; camera = R v + t of a point v in the world."""

    rotation: Float[Array, "T 3 3"]
    translation: Float[Array, "T 3"]
    """Metres."""
    intrinsics: Float[Array, "3 3"] | None = None
    """Pixels: [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]."""

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def centre(self) -> Float[np.ndarray, "T 3"]:
        """Where the camera is in the world, metres."""
        rotation, translation = (np.asarray(each, np.float64) for each in (self.rotation, self.translation))
        return -np.einsum("tba,tb->ta", rotation, translation)

    def rays(self, points: Float[Array | np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3"]:
        """Unit vectors from the camera to points of the world (metres), one in each frame."""
        away = np.asarray(points, np.float64) - self.centre
        return away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)

    def frames(self, start: int, stop: int) -> Camera:
        """The frames from `start` up to, not including, `stop`."""
        return self.replace(rotation=self.rotation[start:stop], translation=self.translation[start:stop])


def resting_camera(place: Float[np.ndarray, "3"], ahead: Float[np.ndarray, "3"], n_frames: int) -> Camera:
    """A camera that rests at `place` and looks at the point `ahead` (world, metres)."""
    forward = np.asarray(ahead, np.float64) - place
    forward = forward / np.linalg.norm(forward)
    # any direction that is not the camera's own
    side = np.cross(np.eye(3)[np.abs(forward).argmin()], forward)
    side = side / np.linalg.norm(side)
    rotation = np.stack([side, np.cross(forward, side), forward])
    return Camera(
        rotation=put(np.broadcast_to(rotation, (n_frames, 3, 3)), np.float32),
        translation=put(np.broadcast_to(-rotation @ place, (n_frames, 3)), np.float32),
    )
