"""Two orders of the 21 joints: OpenPose's in a Sequence and in files; MANO's 16, then the tips, in hand models."""

import numpy as np

# Index in the model's order of each joint in OpenPose's: wrist, thumb, index, middle, ring, pinky, from root to tip.
OPENPOSE = np.array([0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20])


def to_openpose(joints: np.ndarray, axis: int = -2) -> np.ndarray:
    """Reorder `axis` (length 21) from the hand model's order (MANO's 16, then the tips) to OpenPose's."""
    return np.take(joints, OPENPOSE, axis)


def from_openpose(joints: np.ndarray, axis: int = -2) -> np.ndarray:
    """The inverse of `to_openpose`."""
    return np.take(joints, np.argsort(OPENPOSE), axis)
