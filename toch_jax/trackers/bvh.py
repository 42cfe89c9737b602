"""BVH: the skeleton and motion of a glove or a suit, with a bone map that names the hand's joints.

The format is Biovision's: HIERARCHY with ROOT, JOINT and End Site, each with OFFSET and CHANNELS; MOTION with Frames
and Frame Time, then a line of numbers for each frame. Rotation channels are degrees, applied in their order
(intrinsic); position channels stand for the offset, as in Blender's importer.

The bone map is a text file with a line for each joint, "wrist = LeftHand", for wrist, thumb1 to thumb4, index1, ...,
middle1, ..., ring1, ..., little1 to little4, from root to tip; "LeftHandIndex3 End" is the end site of that joint.
Lines that are left out are joints that are missing. For two hands each line begins with the side: "left wrist = ...".
BVH has no unit: many are in centimetres (`--hand-unit cm`).
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.reading import METRES, Reading
from toch_jax.trackers.source import MOST_FRAMES, Source, open_source
from toch_jax.trackers.tracked import Tracked, sides_of

FINGERS = ("thumb", "index", "middle", "ring", "little")
BONE_MAPS = Path(__file__).parent / "bone_maps"
"""Folder of the bone maps that come with the package; `--bone-map rokoko` is one of them."""
NAMES = ("wrist", *(f"{finger}{joint}" for finger in FINGERS for joint in range(1, 5)))
MOST_JOINTS = 2000
"""Largest number of joints of a skeleton; chosen by hand."""


@dataclass
class Joint:
    """One joint of the hierarchy."""

    name: str
    parent: int
    offset: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    channels: list[str] = field(default_factory=list)

    @property
    def order(self) -> str:
        """The axes of its rotation channels, in their order."""
        return "".join(channel[0] for channel in self.channels if channel.endswith("rotation"))

    @property
    def positions(self) -> dict[str, int]:
        """Which of its channels is the position on each axis."""
        return {channel[0]: column for column, channel in enumerate(self.channels) if channel.endswith("position")}


def fits(source: Source) -> bool:
    content = source.content
    return isinstance(content, list) and bool(content) and str(content[0]).strip().upper() == "HIERARCHY"


def read(source: Source, reading: Reading) -> Tracked:
    """The hands that the bone map names. Raises InputError."""
    where, lines = source.path, [str(line).strip() for line in source.content]
    joints, start = hierarchy(where, lines)
    names = [joint.name for joint in joints]
    if reading.bone_map is None:
        expected = f"--bone-map FILE with lines such as wrist = {names[0]}, of the joints {', '.join(names)}"
        raise bad_input(where, "bone map", expected, "none")
    fps, rows = motion(where, lines[start:], sum(len(joint.channels) for joint in joints))
    places = poses(joints, rows)[0] * METRES[reading.hand_unit]
    hands = bone_map(reading.bone_map, names, reading.side)
    tracks = np.full((len(hands), len(rows), 21, 3), np.nan)
    for hand, chosen in enumerate(hands.values()):
        for joint, index in chosen.items():
            tracks[hand, :, joint] = places[:, index]
    missing = sum(21 - len(chosen) for chosen in hands.values())
    said = (f"{missing} joints missing in the bone map",) if missing else ()
    return Tracked("bvh", tuple(hands), tracks, fps=fps, said=said)


def hierarchy(where: Path, lines: list[str]) -> tuple[list[Joint], int]:
    """The joints, parents first, and the number of the line MOTION."""
    joints: list[Joint] = []
    path: list[int] = []
    begun = -1
    for number, line in enumerate(lines[1:], 1):
        words = line.split()
        match words:
            case []:
                continue
            case ["MOTION"]:
                return joints, number
            case ["ROOT" | "JOINT", *name]:
                begun = len(joints)
                joints.append(Joint(" ".join(name), path[-1] if path else -1))
            case ["End", "Site"] if path:
                begun = len(joints)
                joints.append(Joint(f"{joints[path[-1]].name} End", path[-1]))
            case ["{"] if begun >= 0:
                path.append(begun)
            case ["}"] if path:
                path.pop()
            case ["OFFSET", *numbers] if path and len(numbers) == 3:
                joints[path[-1]].offset = _numbers(where, number, numbers)
            case ["CHANNELS", count, *channels] if path and count == str(len(channels)):
                joints[path[-1]].channels = [_channel(where, number, channel) for channel in channels]
            case _:
                raise bad_input(where, f"line {number + 1}", "ROOT, JOINT, OFFSET, CHANNELS, End Site or MOTION", line)
        if len(joints) > MOST_JOINTS:
            raise bad_input(where, "HIERARCHY", f"at most {MOST_JOINTS} joints", "more")
    raise bad_input(where, "file", "MOTION after the hierarchy", "none")


def _channel(where: Path, number: int, channel: str) -> str:
    axis, kind = channel[:1].upper(), channel[1:].lower()
    if axis not in ("X", "Y", "Z") or kind not in ("rotation", "position"):
        raise bad_input(where, f"line {number + 1}", "channels such as Xposition and Zrotation", channel)
    return axis + kind


def _numbers(where: Path, number: int, words: list[str]) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError:
        raise bad_input(where, f"line {number + 1}", "numbers", " ".join(words)) from None


def motion(where: Path, lines: list[str], count: int) -> tuple[float, Float[np.ndarray, "T C"]]:
    """The frame rate and the channels of each frame."""
    header = [line.partition(":")[2].strip() for line in lines if line.lower().startswith(("frames:", "frame time:"))]
    rows = [line.split() for line in lines[3:] if line]
    if len(header) != 2 or not header[0].isdigit() or int(header[0]) != len(rows) or not rows:
        found = f"{', '.join(header) or 'neither'}, {len(rows)} lines"
        raise bad_input(where, "MOTION", "Frames, Frame Time and a line for each frame", found)
    if len(rows) > MOST_FRAMES:
        raise bad_input(where, "Frames", f"at most {MOST_FRAMES:,}", f"{len(rows):,}")
    (step,) = _numbers(where, 0, header[1:])
    wrong = next((number for number, row in enumerate(rows) if len(row) != count), None)
    if wrong is not None or not step > 0:
        found = f"{len(rows[wrong or 0])} in frame {wrong or 0}, frame time {step:g}"
        raise bad_input(where, "MOTION", f"{count} numbers in each frame, a frame time above 0", found)
    return 1 / step, np.array([_numbers(where, number, row) for number, row in enumerate(rows)])


def poses(
    joints: list[Joint], rows: Float[np.ndarray, "T C"]
) -> tuple[Float[np.ndarray, "T J 3"], Float[np.ndarray, "T J 3 3"]]:
    """The place of each joint, in the file's unit, and its rotation, both in the world."""
    places = np.zeros((len(rows), len(joints), 3))
    turns: list[Rotation] = []
    first = 0
    for index, joint in enumerate(joints):
        own = rows[:, first : first + len(joint.channels)]
        first += len(joint.channels)
        local = np.tile(joint.offset, (len(rows), 1))
        for axis, column in joint.positions.items():
            local[:, "XYZ".index(axis)] = own[:, column]
        angles = own[:, [column for column, channel in enumerate(joint.channels) if channel.endswith("rotation")]]
        turn = Rotation.from_euler(joint.order, angles, degrees=True) if joint.order else Rotation.identity(len(rows))
        if joint.parent < 0:
            places[:, index] = local
            turns.append(turn)
        else:
            places[:, index] = places[:, joint.parent] + turns[joint.parent].apply(local)
            turns.append(turns[joint.parent] * turn)
    return places, np.stack([turn.as_matrix() for turn in turns], axis=1)


def bone_map(path: Path, names: list[str], side: str | None) -> dict[Side, dict[int, int]]:
    """For each hand the index in the file of each of OpenPose's joints that it has."""
    shipped = BONE_MAPS / f"{path.name}.txt"
    is_shipped = not path.exists() and path.name == str(path) and shipped.is_file()
    lines = open_source(shipped if is_shipped else path).content
    if not isinstance(lines, list):
        raise bad_input(path, "bone map", "lines such as wrist = LeftHand", type(lines).__name__)
    hands: dict[Side, dict[int, int]] = {}
    for line in map(str, lines):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        what, equals, name = (part.strip() for part in line.partition("="))
        *word, joint = what.lower().split() or [""]
        if is_shipped and f"{word[0].title()}Hand" not in names:
            continue  # a file of one hand
        if not equals or joint not in NAMES or name not in names:
            expected = "wrist, thumb1 to thumb4, index1 to little4, each = a joint of the file"
            raise bad_input(path, "bone map", expected, line.strip())
        (own,) = sides_of(path, word[0] if word else side, 1)
        hands.setdefault(own, {})[NAMES.index(joint)] = names.index(name)
    if not hands:
        raise bad_input(path, "bone map", "lines such as wrist = LeftHand", "none")
    return hands
