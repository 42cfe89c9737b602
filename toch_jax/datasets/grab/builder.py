"""Builder of the data sets grab (both hands, whole recordings) and grab_toch (clips selected by TOCH's rules)."""

from functools import partial
from pathlib import Path

import numpy as np

from toch_jax.base.errors import InputError, bad_input
from toch_jax.datasets.convert import Task, convert_all, fingerprint, write_dataset
from toch_jax.datasets.examples import Example, stack_hands
from toch_jax.datasets.grab import source
from toch_jax.datasets.grab.conventions import subject_betas, subject_hands
from toch_jax.datasets.grab.toch_rules import toch_clips
from toch_jax.datasets.original_files import Recording
from toch_jax.datasets.read import default_data_dir
from toch_jax.datasets.spec import DatasetSpec, load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, Side

GENERATION = 1
"""Increase when the same files would give different clips: cached ones are then not reused."""

Templates = dict[Side, list[str]]
"""Paths of the subjects' unposed hands, in the spec's order of subjects, relative to the raw folder."""


def prepare(raw: str | Path, data_dir: str | Path | None = None, toch_rules: bool = False) -> Path:
    """Make the data set and return its folder. An existing data set is replaced; an interrupted call can be resumed.

    `raw` is the folder with GRAB's `grab` and `tools`; MANO must be where `load_hand("mano")` finds it. The data set's
    folder also gets the hand models of the clips (hand/) and the recordings left out, with the reasons (skipped.json).
    Raises InputError if a file or MANO is missing.
    """
    spec, raw = load_spec("grab_toch" if toch_rules else "grab"), Path(raw)
    data_dir = Path(data_dir or default_data_dir())
    recordings = [_recording(spec, path) for path in source.recordings(spec, raw)]
    sides: tuple[Side, Side] = source.SIDES
    mano = {side: load_hand("mano", side) for side in sides}
    subjects = [_some_templates(raw, subject) for subject in spec.extra["subjects"]]  # type: ignore[attr-defined]
    templates: Templates = {side: [each[side] for each in subjects] for side in sides}
    unposed = {side: [source.read_template(spec, raw / path, mano[side]) for path in templates[side]] for side in sides}
    models = subject_hands(mano, unposed)

    def convert(recording: Recording) -> list[Example]:
        whole = as_example(spec, raw, recording, models, templates)
        return toch_clips(whole, models) if toch_rules else [whole]

    facts = {"fps": spec.fps, "generation": GENERATION, "raw": raw.resolve(), "toch_rules": toch_rules}
    cached = data_dir / "work" / f"{spec.name}-{fingerprint(facts, models)}"
    tasks = [Task(each.split, cached / f"{each.id}.npz", partial(convert, each)) for each in recordings]
    files, skipped = convert_all(spec, tasks)
    return write_dataset(spec, files, data_dir, shuffled=False, models=models, skipped=skipped)


def as_example(
    spec: DatasetSpec, raw: Path, recording: Recording, models: dict[Side, HandModel], templates: Templates
) -> Example:
    """The whole recording as an example, right hand first."""
    grab = source.read_recording(spec, raw, recording.path, models)
    hands = []
    for side in source.SIDES:
        hand, known = grab.hands[side], templates[side]
        if hand.template not in known:
            raise bad_input(recording.path, f"{source.KEYS[side]}.vtemp", "a hand of a known subject", hand.template)
        hands.append(
            {
                "hand_global_orient": hand.global_orient,
                "hand_pose": hand.pose,
                "hand_transl": hand.transl,
                "hand_betas": subject_betas(models[side], side, known.index(hand.template), len(known)),
            }
        )
    return {
        "id": recording.id,
        "object": source.object_of(recording.path),
        "fps": spec.fps,
        **stack_hands(source.SIDES, hands, np.stack([grab.hands[side].touches for side in source.SIDES])),
        "object_vertices": grab.vertices,
        "object_faces": grab.faces,
        "object_vertex_part": np.zeros(len(grab.vertices)),
        "object_rotation": grab.object_rotation[None],
        "object_translation": grab.object_translation[None],
    }


def _some_templates(raw: Path, subject: str) -> dict[Side, str]:
    """Paths of the subject's unposed hands, from the first of their recordings that can be read."""
    fault: InputError | None = None
    for path in sorted((raw / "grab" / subject).glob("*.npz")):
        try:
            return source.template_paths(path)
        except InputError as error:
            fault = fault or error
    assert fault is not None, "a subject has recordings"
    raise fault


def _recording(spec: DatasetSpec, path: Path) -> Recording:
    name = source.object_of(path)
    for split, objects in spec.splits.items():
        if name in objects:
            return Recording(f"{path.parent.name}_{path.stem}", split, path)
    raise bad_input(path, "object", "one of GRAB's 51", name)
