"""Contact in the clips of prepared data sets, side by side: which parts of the hand, how near, how long, how fast.

    python scripts/contact_statistics.py open_grasps:train myodm:train --clips 50
    python scripts/contact_statistics.py open_grasps=FOLDER       # clips that `toch prepare` has cached in work/

A hand is in contact in a frame if one of its vertices is within 5 mm of the object or inside it. Distances are exact,
to the stored mesh. Figures are means and percentiles over all hands, in their frames of contact.
"""

import argparse
import itertools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.datasets.convert import cached_clips
from toch_jax.datasets.prepared import TOUCH_M, Example, dataset_hand, posed_vertices, read_examples
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel
from toch_jax.metrics.contact import CONTACT_DISTANCE_M, object_parts, signed_distances

DIGITS = ("index", "middle", "pinky", "ring", "thumb")
"""MANO's order of the digits; each has a proximal, a middle and a distal segment."""
SEGMENTS = ("proximal", "middle", "distal")
TURNED_M = 0.05
"""Lever arm (m) by which rotations of the object count as displacements."""


def clips_of(source: str) -> tuple[str, Iterator[Example]]:
    """The data set's name and its clips: NAME:SPLIT prepared, or NAME=FOLDER cached."""
    if "=" in source:
        name, folder = source.split("=")
        return name, itertools.chain.from_iterable(cached_clips(path) for path in sorted(Path(folder).glob("*.npz")))
    name, _, split = source.partition(":")
    return name, read_examples(name, split or "train")


def measure(clip: Example, models: dict[str, HandModel]) -> Iterator[dict[str, np.ndarray]]:
    """For each hand: name of a figure -> its values, one per frame of contact, spell of contact, or hand."""
    parts = object_parts(clip["object_vertices"].astype(np.float64), clip["object_faces"], clip["object_vertex_part"])
    for hand, side in enumerate(clip["hand_side"].split()):
        skin = posed_vertices(clip, hand, models[side]).astype(np.float64)
        rotation = Rotation.from_rotvec(clip["object_rotation"].reshape(-1, 3)).as_matrix()
        rotation = rotation.reshape(len(parts), len(skin), 3, 3)
        local = [
            np.einsum("tab,tva->tvb", rotation[p], skin - clip["object_translation"][p][:, None])
            for p in range(len(parts))
        ]
        each = np.stack([signed_distances(local[p], parts[p]) for p in range(len(parts))])
        distance = each.min(axis=0)
        held = int(np.argmin(np.where(np.isfinite(each), each, 1.0).min(axis=-1).sum(axis=-1)))
        yield figures(models[side], distance, local[held], clip, held, float(clip["fps"]))


def figures(
    model: HandModel,
    distance: Float[np.ndarray, "T V"],
    in_part: Float[np.ndarray, "T V 3"],
    clip: Example,
    part: int,
    fps: float,
) -> dict[str, np.ndarray]:
    """The figures of one hand. `in_part`: vertices in the frame of the part it holds, metres."""
    near = distance.min(axis=1)
    contact = near <= CONTACT_DISTANCE_M
    found: dict[str, np.ndarray] = {
        "frames": np.array([len(near)]),
        "frames in contact, %": 100.0 * contact,
        "spells of contact, s": np.array([n / fps for n in runs(contact)]),
    }
    if not contact.any():
        return found
    owner = np.argmax(np.asarray(model.weights), axis=1)
    touching = (distance <= TOUCH_M)[contact]
    on_digit = np.stack([touching[:, (owner - 1) // 3 == d].any(axis=1) for d in range(5)], axis=1)
    on_digit[:, 0] = touching[:, np.isin(owner, (1, 2, 3))].any(axis=1)
    found["digits that touch"] = on_digit.sum(axis=1)
    for d in (4, 0, 1, 3, 2):
        found[f"{DIGITS[d]} touches, %"] = 100.0 * on_digit[:, d]
    for k, segment in enumerate(SEGMENTS):
        found[f"{segment} segments touch, %"] = 100.0 * touching[:, (owner > 0) & ((owner - 1) % 3 == k)].any(axis=1)
    found["palm touches, %"] = 100.0 * touching[:, owner == 0].any(axis=1)
    found["vertices that touch, %"] = 100.0 * touching.mean(axis=1)
    found["depth, mm"] = 1e3 * np.maximum(-near[contact], 0)
    found["gap of the nearest vertex, mm"] = 1e3 * np.maximum(near[contact], 0)
    both = contact[1:] & contact[:-1]
    step = np.linalg.norm(np.diff(in_part, axis=0), axis=-1).mean(axis=1)
    found["speed in the object's frame, mm/s"] = 1e3 * fps * step[both]
    moved = np.linalg.norm(np.diff(clip["object_translation"][part], axis=0), axis=1)
    turn = Rotation.from_rotvec(clip["object_rotation"][part])
    moved = moved + TURNED_M * (turn[1:] * turn[:-1].inv()).magnitude()
    found["object's speed, mm/s"] = 1e3 * fps * moved[both]
    # how far the hand's vertices are from where they were when contact began
    first = int(np.argmax(contact))
    drift = np.linalg.norm(in_part[contact] - in_part[first], axis=-1).mean(axis=1)
    found["farthest from the first contact, mm"] = np.array([1e3 * drift.max()])
    wrist = np.linalg.norm(np.diff(clip["hand_transl"][0], axis=0), axis=1)
    found["wrist's speed in the world, mm/s"] = 1e3 * fps * wrist
    bend = np.linalg.norm(clip["hand_pose"].reshape(-1, 15, 3), axis=-1)
    found["mean bend of the joints, degrees"] = np.rad2deg(bend).mean(axis=1)
    return found


def runs(flags: np.ndarray) -> list[int]:
    """Lengths of the runs of true values."""
    return [sum(1 for _ in group) for value, group in itertools.groupby(flags) if value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", metavar="NAME:SPLIT|NAME=FOLDER")
    parser.add_argument("--clips", type=int, default=50, help="clips of each source, evenly spread; default 50")
    options = parser.parse_args()
    columns = []
    for source in options.sources:
        name, clips = clips_of(source)
        models = {side: load_hand(dataset_hand(name), side) for side in ("right", "left")}
        every = list(clips)
        chosen = [every[i] for i in np.unique(np.linspace(0, len(every) - 1, options.clips).round().astype(int))]
        values: dict[str, list[np.ndarray]] = defaultdict(list)
        for clip in chosen:
            for hand in measure(clip, models):
                for key, value in hand.items():
                    values[key].append(value)
        columns.append({key: np.concatenate(parts) for key, parts in values.items()})
        columns[-1]["clips"] = np.array([len(chosen)])
    print(f"| mean (5th, 50th, 95th percentile; largest) | {' | '.join(options.sources)} |")
    print("|---" * (1 + len(columns)) + "|")
    for key in ("clips", *dict.fromkeys(itertools.chain.from_iterable(columns))):
        if key != "clips" or columns:
            cells = [summary(column.get(key, np.zeros(0))) for column in columns]
            print(f"| {key} | {' | '.join(cells)} |")


def summary(values: np.ndarray) -> str:
    """Mean, and percentiles if there are several values; fractions have none."""
    if len(values) == 0:
        return "-"
    if len(values) == 1 or set(np.unique(values)) <= {0.0, 100.0}:
        return f"{values.mean():.3g}"
    low, middle, high = np.percentile(values, (5, 50, 95))
    return f"{values.mean():.3g} ({low:.3g}, {middle:.3g}, {high:.3g}; {values.max():.3g})"


if __name__ == "__main__":
    main()
