"""Builder of the data sets grab (both hands, whole recordings) and grab_toch (clips selected by TOCH's rules)."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import InputError, bad_input
from toch_jax.datasets.convert import Recording, prepare_recordings
from toch_jax.datasets.features import Example
from toch_jax.datasets.grab import source
from toch_jax.datasets.grab.toch_rules import toch_clips
from toch_jax.datasets.read import default_data_dir
from toch_jax.datasets.shape_space import with_shapes
from toch_jax.datasets.spec import DatasetSpec, load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, Side

# Increase when the same files would give different clips: cached ones are then not reused.
GENERATION = 1


def prepare(raw: str | Path, data_dir: str | Path | None = None, toch_rules: bool = False) -> Path:
    """Make the data set and return its folder. An existing data set is replaced; an interrupted call can be resumed.

    `raw` is the folder with GRAB's `grab` and `tools`; MANO must be where `load_hand("mano")` finds it. The data set's
    folder also gets the hand models of the clips (hand/) and the recordings left out, with the reasons (skipped.json).
    Raises InputError if a file or MANO is missing.
    """
    spec, raw = load_spec("grab_toch" if toch_rules else "grab"), Path(raw)
    data_dir = Path(data_dir or default_data_dir())
    paths = source.recordings(spec, raw)
    sides: tuple[Side, Side] = source.SIDES
    mano = {side: load_hand("mano", side) for side in sides}
    templates, models = subject_hands(spec, raw, mano)

    def convert(recording: Recording) -> list[Example]:
        whole = as_example(spec, raw, recording, models, templates)
        return toch_clips(whole, models) if toch_rules else [whole]

    found = [_recording(spec, path) for path in paths]
    return prepare_recordings(
        spec, found, convert, models, data_dir, generation=GENERATION, raw=raw.resolve(), toch_rules=toch_rules
    )


def subject_hands(
    spec: DatasetSpec, raw: Path, mano: dict[Side, HandModel]
) -> tuple[dict[Side, list[str]], dict[Side, HandModel]]:
    """Paths of the subjects' unposed hands, in the spec's order, and MANO with one shape direction for each hand.

    MANO's own directions come first, then the right hands, then the left hands (see datasets/shape_space.py).
    """
    paths = [_some_templates(raw, subject) for subject in spec.extra["subjects"]]  # type: ignore[attr-defined]
    templates = {side: [each[side] for each in paths] for side in source.SIDES}

    def directions(side: Side) -> Float[np.ndarray, "V 3 n"]:
        hands = [source.read_template(spec, raw / path, mano[side]) for path in templates[side]]
        return np.stack(hands, axis=-1) - np.asarray(mano[side].v_template)[..., None]

    return templates, with_shapes(mano, directions("right"), directions("left"))


def as_example(
    spec: DatasetSpec,
    raw: Path,
    recording: Recording,
    models: dict[Side, HandModel],
    templates: dict[Side, list[str]],
) -> Example:
    """The whole recording as an example, right hand first."""
    grab = source.read_recording(spec, raw, recording.path, models)
    hands = [grab.hands[side] for side in source.SIDES]
    return {
        "id": recording.id,
        "object": source.object_of(recording.path),
        "hand_side": " ".join(source.SIDES),
        "fps": spec.fps,
        "hand_global_orient": np.stack([hand.global_orient for hand in hands]),
        "hand_pose": np.stack([hand.pose for hand in hands]),
        "hand_transl": np.stack([hand.transl for hand in hands]),
        "hand_betas": np.stack([_betas(recording.path, side, grab, models, templates) for side in source.SIDES]),
        "hand_valid": np.ones((len(hands), len(grab.object_rotation)), bool),
        "object_vertices": grab.vertices,
        "object_faces": grab.faces,
        "object_vertex_part": np.zeros(len(grab.vertices)),
        "object_rotation": grab.object_rotation[None],
        "object_translation": grab.object_translation[None],
        "grasp": np.stack([hand.touches for hand in hands]),
    }


def _betas(
    path: Path, side: Side, grab: source.Grab, models: dict[Side, HandModel], templates: dict[Side, list[str]]
) -> Float[np.ndarray, "S"]:
    """Shape coefficients: 1 for the direction of the subject's own hand, 0 for all others."""
    known = templates[side]
    if grab.hands[side].template not in known:
        raise bad_input(path, f"{source.KEYS[side]}.vtemp", "a hand of a known subject", grab.hands[side].template)
    n_shapes = models[side].shapedirs.shape[-1]
    first = n_shapes - 2 * len(known) + (len(known) if side == "left" else 0)
    betas = np.zeros(n_shapes)
    betas[first + known.index(grab.hands[side].template)] = 1.0
    return betas


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
