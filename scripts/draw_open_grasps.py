"""Draws docs/open_grasps.png and docs/open_grasps_two_hands.png from the prepared data set.

python scripts/draw_open_grasps.py         # needs `toch prepare open_grasps`
"""

from pathlib import Path

import jax
import numpy as np
from PIL import Image
from toch_jax.view.camera import Moment, choose_direction, frame_camera

from toch_jax.datasets.prepared import Example, example_to_sequence, read_examples
from toch_jax.datasets.spec import load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import skin_frames
from toch_jax.view.render import Surface, render
from toch_jax.view.scene import HAND_COLOR, object_surface

TILE = 150
COLUMNS = 8
GRASP_ROWS = 4
CLIPS = ("hammer", "cup", "banana")
ACTIONS = ("open", "open", "open", "open", "pass", "lift")
LEFT_COLOR = np.array([0.80, 0.66, 0.86])
FROM = np.array([-0.45, -0.8, 0.4]) / np.linalg.norm([-0.45, -0.8, 0.4])


def surfaces(clip: Example, frames: list[int]) -> list[list[Surface]]:
    """The surfaces of the hands and then of the object, for each of the frames."""
    sequence = example_to_sequence(load_spec("open_grasps"), clip)
    params, hands = sequence.hands.params, []
    for hand, side in enumerate(sequence.hand_side):
        model = load_hand("open", side)
        there = jax.tree.map(lambda leaf, hand=hand: leaf[hand, np.array(frames)], params)
        color = LEFT_COLOR if hand else HAND_COLOR
        hands.append(
            [Surface(skin, np.asarray(model.faces), color) for skin in np.asarray(skin_frames(model, there)[0])]
        )
    return [[*skins, object_surface(sequence, f, 1.0)] for *skins, f in zip(*hands, frames, strict=True)]


def grasp_tile(clip: Example) -> np.ndarray:
    held = np.flatnonzero(clip["grasp"][0])
    hand, thing = surfaces(clip, [int(held[len(held) // 2])])[0]
    nothing = np.zeros(len(hand.faces), dtype=bool)
    camera = frame_camera([hand], thing, choose_direction([Moment([hand], thing, [nothing])]))
    return render([hand, thing], camera, TILE, TILE)


def film(clip: Example) -> np.ndarray:
    held = np.flatnonzero(clip["grasp"].any(axis=0))
    first, last, end = int(held[0]), int(held[-1]), clip["grasp"].shape[1] - 1
    frames = [0, first * 3 // 5, first, *np.linspace(first, last, 5).astype(int)[1:-1], (last + end) // 2, end]
    if len(clip["grasp"]) == 2:
        frames = np.linspace(first // 2, (last + end) // 2, COLUMNS).astype(int).tolist()
    tiles = []
    for shown in surfaces(clip, [int(frame) for frame in frames]):
        # the camera takes the object as skin, so that all of it is shown
        everything = Surface(np.concatenate([one.vertices for one in shown]), shown[0].faces, HAND_COLOR)
        tiles.append(render(shown, frame_camera([everything], shown[-1], FROM), TILE, TILE))
    return np.concatenate(tiles, axis=1)


def save(rows: list[np.ndarray], name: str) -> None:
    picture = Image.fromarray(np.concatenate(rows)).quantize(96)
    picture.save(Path(__file__).parents[1] / "docs" / name, optimize=True)


def two_handed_films(clips: list[Example]) -> list[np.ndarray]:
    """The films of one clip for each of ACTIONS, with different objects where possible."""
    chosen: list[Example] = []
    for action in ACTIONS:
        wanted = [clip for clip in clips if f"_{action}_" in clip["id"]]
        wanted = [c for c in wanted if c["object"] not in {done["object"] for done in chosen}] or wanted
        chosen += wanted[:1]
    return [film(clip) for clip in chosen]


def main() -> None:
    clips: dict[str, Example] = {}
    two_handed: list[Example] = []
    for split in ("train", "val", "test"):
        for clip in read_examples("open_grasps", split):
            if len(clip["grasp"]) == 2:
                two_handed.append(clip)
            elif len(clip["object_rotation"]) == 1:
                clips.setdefault(clip["object"], clip)
    chosen = [clips[name] for name in sorted(clips)][: COLUMNS * GRASP_ROWS]
    tiles = [grasp_tile(clip) for clip in chosen]
    rows = [np.concatenate(tiles[i : i + COLUMNS], axis=1) for i in range(0, len(tiles), COLUMNS)]
    rows += [film(clips[name]) for name in CLIPS]
    save(rows, "open_grasps.png")
    save(two_handed_films(two_handed), "open_grasps_two_hands.png")


if __name__ == "__main__":
    main()
