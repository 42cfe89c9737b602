"""Makes the animation at the top of README.md: docs/demo.gif.

    python scripts/make_film.py          # a minute on two cores

It shows the package's example as tracked, as repaired and as ground truth, from the same cameras; contact is green,
skin inside the object red.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from toch_jax.cli.demo_clip import load_example
from toch_jax.denoiser.checkpoints import load_denoiser
from toch_jax.metrics.clip import sequence_parts
from toch_jax.pipeline import refine
from toch_jax.view.picture import film
from toch_jax.view.scene import rows_of

TARGET = Path(__file__).parents[1] / "docs" / "demo.gif"
SIZE = 350
"""Height of an image before white margins are cut off, pixels."""
FRAMES = slice(21, 103)
"""Frames of the approach, the grasp and the release."""
HEADER = 26
"""Height of the titles, pixels."""
COMMON_COLORS, RARE_COLORS = 128, 96
"""Numbers of colours chosen by frequency, and chosen for coverage: contact and depth have few pixels."""


def main() -> None:
    tracked, _ = load_example()
    rows = rows_of(tracked, refine(tracked, load_denoiser()))
    frames = list(range(tracked.n_frames))[FRAMES]
    images = film(tracked, sequence_parts(tracked), rows, frames, SIZE, steady=True)
    titles = {"before": "tracked", "after": "repaired", "truth": "ground truth"}
    pictures = [_beside({titles[name]: row[i] for name, row in images.items()}) for i in range(len(frames))]
    palette = _palette(_stacked(pictures[:: len(pictures) // 8]))
    few = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    shown_ms = 10 * round(100 / tracked.fps)
    few[0].save(TARGET, save_all=True, append_images=few[1:], duration=shown_ms, loop=0, optimize=True)
    print(f"{TARGET}: {TARGET.stat().st_size / 1e6:.2f} MB, {len(few)} frames, {few[0].size}")


def _beside(tiles: dict[str, np.ndarray]) -> Image.Image:
    """The images in a row, each with its title above it."""
    height, width = next(iter(tiles.values())).shape[:2]
    whole = Image.new("RGB", (width * len(tiles), height + HEADER), "white")
    pen = ImageDraw.Draw(whole)
    for index, (title, tile) in enumerate(tiles.items()):
        whole.paste(Image.fromarray(tile), (index * width, HEADER))
        pen.text((index * width + width // 2, HEADER // 2), title, "black", ImageFont.load_default(16), anchor="mm")
    return whole


def _palette(sample: Image.Image) -> Image.Image:
    """One palette for all frames: with palettes of their own the colours would flicker."""
    common = sample.quantize(COMMON_COLORS, Image.Quantize.MEDIANCUT).getpalette()[: 3 * COMMON_COLORS]
    rare = sample.quantize(RARE_COLORS, Image.Quantize.MAXCOVERAGE).getpalette()[: 3 * RARE_COLORS]
    palette = Image.new("P", (1, 1))
    palette.putpalette(common + rare)
    return palette


def _stacked(pictures: list[Image.Image]) -> Image.Image:
    width, height = pictures[0].size
    whole = Image.new("RGB", (width, height * len(pictures)))
    for index, picture in enumerate(pictures):
        whole.paste(picture, (0, index * height))
    return whole


if __name__ == "__main__":
    main()
