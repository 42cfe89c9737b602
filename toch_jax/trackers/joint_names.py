"""Names of a hand's joints in files: the joint of OpenPose's 21 that each means, and its side."""

import re

from toch_jax.hand.model import Side
from toch_jax.trackers.joint_orders import ABSENT

SIDES: dict[str, Side] = {"left": "left", "l": "left", "lh": "left", "right": "right", "r": "right", "rh": "right"}
FINGERS = {"thumb": 0, "index": 1, "middle": 2, "ring": 3, "little": 4, "pinky": 4, "pinkie": 4}
_FILLING = {"hand", "finger", "phalanx", "joint", "in", "landmark", "keypoint", "pos", "position"}
# from root to tip: OpenPose's and MediaPipe's, OpenXR's and WebXR's, visionOS's words, and numbers
_THUMB = (
    ("cmc", "metacarpal", "knuckle", "1"),
    ("mcp", "proximal", "intermediate base", "2"),
    ("ip", "distal", "intermediate tip", "3"),
    ("tip", "4"),
)
_FINGER = (
    ("mcp", "proximal", "knuckle", "1"),
    ("pip", "intermediate", "intermediate base", "2"),
    ("dip", "distal", "intermediate tip", "3"),
    ("tip", "4"),
)
_PLACES = tuple({word: place for place, words in enumerate(each, 1) for word in words} for each in (_THUMB, _FINGER))


def words_of(name: str) -> list[str]:
    """The words and numbers of a name in lower case: LeftHandThumb1 has left, hand, thumb, 1."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)]


def taken_side(words: list[str]) -> tuple[Side | None, list[str]]:
    """The side that the words name, and the other words."""
    sides = {SIDES[word] for word in words if word in SIDES}
    if len(sides) != 1:
        return None, words
    return sides.pop(), [word for word in words if word not in SIDES]


def hand_joint(words: list[str]) -> int | None:
    """The joint of OpenPose's order that the words name; ABSENT for a finger's metacarpal; None for other words."""
    if "wrist" in words or words == ["hand"]:
        return 0 if not FINGERS.keys() & words else None
    finger = next((word for word in words if word in FINGERS), None)
    if finger is None:
        return None
    rest = list(words)
    rest.remove(finger)
    place = " ".join(word for word in rest if word not in _FILLING)
    number = FINGERS[finger]
    if number and place == "metacarpal":
        return ABSENT
    found = _PLACES[number > 0].get(place)
    return None if found is None else 4 * number + found
