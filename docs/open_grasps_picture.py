"""Draws docs/open_grasps.png from the prepared data set: python docs/open_grasps_picture.py."""

from pathlib import Path

import jax
import numpy as np
from PIL import Image

from toch_jax.datasets.features import Example, example_to_sequence
from toch_jax.datasets.read import read_examples
from toch_jax.datasets.spec import load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import skin_frames
from toch_jax.view.camera import choose_direction, frame_camera
from toch_jax.view.render import Surface, render
from toch_jax.view.surfaces import HAND_COLOR, object_surface

TILE = 150
COLUMNS = 8
GRASP_ROWS = 4
CLIPS = ("hammer", "cup", "banana")


def surfaces(clip: Example, frames: list[int]) -> list[tuple[Surface, Surface]]:
    """Hand and object at some frames."""
    sequence = example_to_sequence(load_spec("open_grasps"), clip)
    model = load_hand("open", sequence.hand_side[0])
    params = jax.tree.map(lambda leaf: leaf[0, np.array(frames)], sequence.hands.params)
    vertices = np.asarray(skin_frames(model, params)[0])
    faces = np.asarray(model.faces)
    return [
        (Surface(skin, faces, HAND_COLOR), object_surface(sequence, frame, 1.0))
        for skin, frame in zip(vertices, frames, strict=True)
    ]


def grasp_tile(clip: Example) -> np.ndarray:
    held = np.flatnonzero(clip["grasp"][0])
    hand, thing = surfaces(clip, [int(held[len(held) // 2])])[0]
    camera = frame_camera([hand], thing, choose_direction([hand], thing))
    return render([hand, thing], camera, TILE, TILE)


def film(clip: Example) -> np.ndarray:
    held = np.flatnonzero(clip["grasp"][0])
    first, last, end = int(held[0]), int(held[-1]), clip["grasp"].shape[1] - 1
    frames = [0, first * 3 // 5, first, *np.linspace(first, last, 5).astype(int)[1:-1], (last + end) // 2, end]
    direction = np.array([-0.45, -0.8, 0.4]) / np.linalg.norm([-0.45, -0.8, 0.4])
    tiles = []
    for hand, thing in surfaces(clip, [int(frame) for frame in frames]):
        # the object counts as skin, so that all of it is seen
        both = Surface(np.concatenate([hand.vertices, thing.vertices]), hand.faces, HAND_COLOR)
        tiles.append(render([hand, thing], frame_camera([both], thing, direction), TILE, TILE))
    return np.concatenate(tiles, axis=1)


def main() -> None:
    clips: dict[str, Example] = {}
    for split in ("train", "val", "test"):
        for clip in read_examples("open_grasps", split):
            clips.setdefault(clip["object"], clip)
    chosen = [clips[name] for name in sorted(clips)][: COLUMNS * GRASP_ROWS]
    tiles = [grasp_tile(clip) for clip in chosen]
    rows = [np.concatenate(tiles[i : i + COLUMNS], axis=1) for i in range(0, len(tiles), COLUMNS)]
    rows += [film(clips[name]) for name in CLIPS]
    picture = Image.fromarray(np.concatenate(rows)).quantize(96)
    picture.save(Path(__file__).with_name("open_grasps.png"), optimize=True)


if __name__ == "__main__":
    main()
