"""Error and time of `refine_stream` against its look-ahead: `python benchmarks/streaming.py [--dataset myodm]`.

Joint error (MPJPE, mm) on test clips of a prepared data set, or on the demo's clip with several draws of noise, of the
input, of `refine_stream` with each look-ahead, and of `refine`, which has the whole clip. Times are milliseconds a
frame, of all cores together (CPU) and on the clock, once everything is compiled. Rows of a Markdown table.
"""

import itertools
import time
from collections.abc import Iterable, Iterator
from importlib.resources import as_file, files

import numpy as np
import tyro

from toch_jax.base.arrays import take
from toch_jax.base.progress import to_stderr
from toch_jax.benchmark.run import perturb_clip
from toch_jax.datasets.prepared import read_sequences
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import skin_frames
from toch_jax.metrics.joints import mpjpe_mm
from toch_jax.perturb.registry import parse_perturbation
from toch_jax.pipeline import refine
from toch_jax.sequence.file import load_sequence
from toch_jax.sequence.types import Sequence
from toch_jax.stream import refine_stream


def clean_clips(dataset: str | None, count: int) -> Iterator[tuple[str, Sequence]]:
    """Clips without noise: of the data set's test split, or the demo's ground truth `count` times."""
    if dataset is not None:
        yield from itertools.islice(read_sequences(dataset, "test"), count)
        return
    with as_file(files("toch_jax.example") / "tracked.npz") as path:
        demo = load_sequence(path)
    for number in range(count):
        yield f"demo {number}", demo.replace(hands=demo.truth, truth=None)


def joints(clip: Sequence, params: object) -> np.ndarray:
    """Joints (H, T, 21, 3) of parameters, metres."""
    models = [load_hand(clip.hand_model or "open", side) for side in clip.hand_side]
    return np.stack([np.asarray(skin_frames(model, take(params, hand))[1]) for hand, model in enumerate(models)])


def streamed(clip: Sequence, look_ahead: int) -> tuple[np.ndarray, float, float]:
    """Repaired joints (H, T, 21, 3), and CPU and clock time a frame of the second half, seconds."""
    found, begun, half = [], (0.0, 0.0), clip.n_frames // 2
    for frame in refine_stream([clip], look_ahead=look_ahead, hand="model"):
        found.append(joints(clip, frame.hands.params))
        if len(found) == half:
            begun = time.process_time(), time.perf_counter()
    spent = time.process_time() - begun[0], time.perf_counter() - begun[1]
    return np.concatenate(found, axis=1), *(each / (clip.n_frames - half) for each in spent)


def row(name: str, errors: Iterable[float], cpu: Iterable[float] = (), clock: Iterable[float] = ()) -> str:
    times = [f"{1e3 * np.median(list(each)):.0f}" if each else "" for each in (list(cpu), list(clock))]
    return f"| {name} | {np.mean(list(errors)):.1f} | {' | '.join(times)} |"


def main(
    dataset: str | None = None,
    noise: str = "T(0.01)+R(0.3)",
    clips: int = 5,
    look_ahead: tuple[int, ...] = (0, 1, 2, 5, 10, 15),
) -> None:
    """Print the table.

    Args:
        dataset: A prepared data set with ground truth; without one the demo's clip.
        noise: As in the benchmarks.
        clips: Number of clips, or of draws of noise.
        look_ahead: Numbers of frames.
    """
    errors: dict[str, list[float]] = {}
    times: dict[str, list[tuple[float, float]]] = {}
    for name, clean in clean_clips(dataset, clips):
        noisy = perturb_clip(name, clean, parse_perturbation(noise), seed=0)
        truth = joints(clean, clean.hands.params)
        rows = {"input": joints(noisy, noisy.hands.params), "offline": None} | {str(each): None for each in look_ahead}
        for key in rows:
            to_stderr(f"{name}: {key}")
            if key == "offline":
                rows[key] = joints(clean, refine(noisy.replace(truth=None), hand="model").hands.params)
            elif key != "input":
                rows[key], *spent = streamed(noisy, int(key))
                times.setdefault(key, []).append((spent[0], spent[1]))
            pairs = zip(rows[key], truth, strict=True)
            errors.setdefault(key, []).append(float(np.mean([mpjpe_mm(mine, true) for mine, true in pairs])))
    print("| look-ahead, frames | joint error, mm | CPU, ms a frame | clock, ms a frame |\n|---|---|---|---|")
    for key, found in errors.items():
        print(row(key, found, *zip(*times.get(key, []), strict=True)))


if __name__ == "__main__":
    tyro.cli(main)
