"""A hand as a BVH of a suit, of Euler angles, and its bone map."""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from support.tracker_clip import Clip, hand_arrays

CHAINS = {"Thumb": (13, 14, 15), "Index": (1, 2, 3), "Middle": (4, 5, 6), "Ring": (10, 11, 12), "Pinky": (7, 8, 9)}
TIPS = {"Thumb": 0, "Index": 1, "Middle": 2, "Ring": 3, "Pinky": 4}


def write_bvh(path: Path, true: Clip, order: str, arm: bool = False) -> None:
    """Centimetres; a body at the root, the hand below it with its own rotation; fingers with rotations in `order`.

    `arm`: the hand hangs from an arm that turns, on a body that rests; else the body is where the hand is.
    """
    arrays = hand_arrays(true.side)
    template = arrays["v_template"] + arrays["shapedirs"] @ true.betas
    rest = arrays["J_regressor"] @ template
    tips = template[arrays["tips"]]
    lines = ["HIERARCHY", "ROOT Hips", "{", "OFFSET 0 0 0", "CHANNELS 6 Xposition Yposition Zposition"]
    lines[-1] += " Yrotation Xrotation Zrotation"
    turns = f"CHANNELS 3 {' '.join(f'{axis}rotation' for axis in order)}"

    def numbers(vector: np.ndarray) -> str:
        return " ".join(repr(100 * value) for value in vector.tolist())

    def angles(vectors: np.ndarray) -> np.ndarray:
        return Rotation.from_rotvec(vectors).as_euler(order, degrees=True)

    body, offset, above = true.joints[:, 0], np.zeros(3), Rotation.identity(true.n_frames)
    columns = [100 * body, np.zeros((true.n_frames, 3))]
    if arm:
        body = np.tile(true.joints[0, 0] + [0.2, 0.35, 0.1], (true.n_frames, 1))
        columns, above, offset = _arm(lines, columns, turns, body, true, numbers, order)
    lines += ["JOINT Hand", "{", f"OFFSET {numbers(offset)}", turns]
    own = above.inv() * Rotation.from_rotvec(true.orient)
    columns.append(own.as_euler(order, degrees=True))
    pose = true.pose.reshape(-1, 15, 3)
    for finger, chain in CHAINS.items():
        parent = 0
        for number, joint in enumerate(chain, 1):
            lines += [f"JOINT {finger}{number}", "{", f"OFFSET {numbers(rest[joint] - rest[parent])}"]
            lines += [f"CHANNELS 3 {' '.join(f'{axis}rotation' for axis in order)}"]
            columns.append(angles(pose[:, joint - 1]))
            parent = joint
        lines += ["End Site", "{", f"OFFSET {numbers(tips[TIPS[finger]] - rest[parent])}", "}"]
        lines += ["}"] * 3
    lines += ["}"] * (4 if arm else 2)
    lines += ["MOTION", f"Frames: {true.n_frames}", "Frame Time: 0.008333"]
    lines += [" ".join(map(repr, row.tolist())) for row in np.concatenate(columns, axis=1)]
    path.write_text("\n".join(lines) + "\n")


def _arm(
    lines: list[str], columns: list[np.ndarray], turns: str, shoulder: np.ndarray, true: Clip, numbers, order: str
) -> tuple[list[np.ndarray], Rotation, np.ndarray]:
    """Add upper arm and forearm that reach the wrist; their rotation in the world, and the wrist's offset."""
    upper, lower = 0.25, 0.27
    reach = true.joints[:, 0] - shoulder
    far = np.linalg.norm(reach, axis=1)
    assert (far < upper + lower).all()
    bend = np.arccos((upper**2 + far**2 - lower**2) / (2 * upper * far))
    along = reach / far[:, None]
    across = np.cross(along, [0.3, -0.2, 1.0])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    elbow = shoulder + upper * (np.cos(bend)[:, None] * along + np.sin(bend)[:, None] * np.cross(across, along))
    frames = []
    for start, end in ((shoulder, elbow), (elbow, true.joints[:, 0])):
        x = (end - start) / np.linalg.norm(end - start, axis=1, keepdims=True)
        frames.append(Rotation.from_matrix(np.stack([x, np.cross(across, x), across], axis=2)))
    lines += ["JOINT Arm", "{", "OFFSET 0 0 0", turns, "JOINT ForeArm", "{"]
    lines += [f"OFFSET {numbers(np.array([upper, 0, 0]))}", turns]
    local = (frames[0], frames[0].inv() * frames[1])
    more = [each.as_euler(order, degrees=True) for each in local]
    return [100 * shoulder, columns[1], *more], frames[1], np.array([lower, 0, 0])


def write_map(path: Path, side: str = "", ends: bool = True) -> None:
    names = {"Thumb": "thumb", "Index": "index", "Middle": "middle", "Ring": "ring", "Pinky": "little"}
    lines = ["# the hand", f"{side} wrist = Hand"]
    for finger, name in names.items():
        lines += [f"{side} {name}{number} = {finger}{number}" for number in (1, 2, 3)]
        lines += [f"{side} {name}4 = {finger}3 End"] if ends else []
    path.write_text("\n".join(lines))
