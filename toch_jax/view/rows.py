"""Versions of a sequence's hands that are shown together, by name: before, after, truth."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from toch_jax.base.errors import bad_input
from toch_jax.sequence.derived import PosedHand, pose_hands, pose_truth
from toch_jax.sequence.file import holds_mesh, load_sequence
from toch_jax.sequence.types import Sequence

Rows = Mapping[str, list[PosedHand]]
"""Hands in the sequence's order, by name of the version."""


def rows_of(sequence: Sequence, clean: Sequence | None = None, skins: tuple[Sequence, Sequence] | None = None) -> Rows:
    """The tracked hands ("before"), the repaired ones ("after") and the ground truth ("truth"), as far as given.

    `skins`: the tracked and the repaired sequence as parameters of the hand model, from which hands given as joints
    only take their skin.
    """
    after = None if clean is None else pose_hands(clean)
    rows = {"before": pose_hands(sequence), "after": after, "truth": pose_truth(sequence)}
    for name, skin in zip(("before", "after"), skins or (), strict=False):
        rows[name] = [
            replace(hand, vertices=model.vertices, faces=model.faces) if hand.vertices is None else hand
            for hand, model in zip(rows[name] or [], pose_hands(skin), strict=True)
        ]
    return {name: hands for name, hands in rows.items() if hands is not None}


def load_rows(path: Path, clean_path: Path | None = None, object_mesh: Path | None = None) -> tuple[Sequence, Rows]:
    """The sequence of a file, and its rows with those of the file that `toch denoise` wrote for it.

    The object's mesh is read from the file that has it. Raises InputError, also if the second file belongs to another
    clip (other number of frames or other hands).
    """
    if clean_path is None:
        sequence = load_sequence(path, object_mesh)
        return sequence, rows_of(sequence)
    if object_mesh is None and not holds_mesh(path):
        object_mesh = clean_path
    sequence = load_sequence(path, object_mesh)
    clean = load_sequence(clean_path, object_mesh or path)
    if clean.n_frames != sequence.n_frames:
        raise bad_input(clean_path, "frames", f"{sequence.n_frames}, as {path} has", str(clean.n_frames))
    if clean.hand_side != sequence.hand_side:
        raise bad_input(clean_path, "hand_side", f"{sequence.hand_side}, as {path} has", str(clean.hand_side))
    return sequence, rows_of(sequence, clean)
