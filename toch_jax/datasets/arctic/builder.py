"""Builder of the data sets arctic and arctic_p2 from a folder of ARCTIC's files."""

from functools import cache, partial
from pathlib import Path
from typing import Literal

import igl
import numpy as np
from jaxtyping import Bool
from scipy.spatial.transform import Rotation

from toch_jax.datasets.arctic import source
from toch_jax.datasets.arctic.conventions import absolute_pose, arctic_betas, arctic_hands, object_motion
from toch_jax.datasets.convert import Task, convert_all, fingerprint, write_dataset
from toch_jax.datasets.examples import Example, posed_vertices, stack_hands
from toch_jax.datasets.hinged import HingedObject
from toch_jax.datasets.original_files import Recording
from toch_jax.datasets.read import default_data_dir
from toch_jax.datasets.spec import DatasetSpec, load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, Side

Protocol = Literal["p1", "p2"]
GENERATION = 1
"""Increase when the same files would give different clips: cached ones are then not reused."""
CONTACT_M = 0.003
"""Largest distance (m) of a hand's vertex to the object in a grasp frame; ARCTIC has no contact labels."""


def prepare(raw: str | Path, data_dir: str | Path | None = None, protocol: Protocol = "p1") -> Path:
    """Make the data set and return its folder. An existing data set is replaced; an interrupted call can be resumed.

    `raw` is the folder with ARCTIC's `raw_seqs`, `meta` and `splits_json`; MANO must be where `load_hand("mano")`
    finds it. The data set's folder also gets the hand models of the clips (hand/) and the recordings left out, with
    the reasons (skipped.json). Raises InputError if a file or MANO is missing.
    """
    spec, raw = load_spec("arctic" if protocol == "p1" else f"arctic_{protocol}"), Path(raw)
    data_dir = Path(data_dir or default_data_dir())
    recordings = source.recordings(spec, raw)
    sides: tuple[Side, Side] = source.SIDES
    models = arctic_hands({side: load_hand("mano", side) for side in sides})
    read_object = cache(lambda name: source.read_object(source.need_object(spec, raw, name)))

    def convert(recording: Recording) -> list[Example]:
        return [as_example(spec, recording, read_object(source.object_of(recording.path)), models)]

    facts = {"fps": spec.fps, "generation": GENERATION, "raw": raw.resolve()}
    cached = data_dir / "work" / f"{spec.name}-{fingerprint(facts, models)}"
    tasks = [Task(each.split, cached / f"{each.id}.npz", partial(convert, each)) for each in recordings]
    files, skipped = convert_all(spec, tasks)
    return write_dataset(spec, files, data_dir, shuffled=False, models=models, skipped=skipped)


def as_example(spec: DatasetSpec, recording: Recording, obj: HingedObject, models: dict[Side, HandModel]) -> Example:
    """The recording as an example, right hand first."""
    found = source.read_hands(recording.path)
    pose = source.read_object_pose(source.object_path(recording.path), len(found["right"].pose))
    rotation, translation = object_motion(pose)
    betas = arctic_betas(models["right"].shapedirs.shape[-1], found["right"].shape, found["left"].shape)
    hands = [
        {
            "hand_global_orient": found[side].global_orient,
            "hand_pose": absolute_pose(found[side].pose, models[side]),
            "hand_transl": found[side].transl,
            "hand_betas": shape,
        }
        for side, shape in zip(source.SIDES, betas, strict=True)
    ]
    example = {
        "id": recording.id,
        "object": source.object_of(recording.path),
        "fps": spec.fps,
        **stack_hands(source.SIDES, hands, np.zeros((2, len(pose)), bool)),
        "object_vertices": obj.vertices,
        "object_faces": obj.faces,
        "object_vertex_part": obj.vertex_part,
        "object_rotation": rotation,
        "object_translation": translation,
    }
    touching = [touches(example, hand, models[side]) for hand, side in enumerate(source.SIDES)]
    return example | {"grasp": np.stack(touching)}


def touches(example: Example, hand: int, model: HandModel) -> Bool[np.ndarray, "T"]:
    """Frames in which a vertex of the hand is within CONTACT_M (metres) of the surface of a part."""
    skin = posed_vertices(example, hand, model).astype(np.float64)
    near = np.zeros(skin.shape[:2], bool)
    vertices, faces, of_part = (example[f"object_{key}"] for key in ("vertices", "faces", "vertex_part"))
    surface = np.ascontiguousarray(vertices, np.float64)
    for part in range(len(example["object_rotation"])):
        rotation = Rotation.from_rotvec(example["object_rotation"][part]).as_matrix()
        local = np.einsum("tba,tvb->tva", rotation, skin - example["object_translation"][part][:, None])
        own = surface[of_part == part]
        near_box = ((local > own.min(axis=0) - CONTACT_M) & (local < own.max(axis=0) + CONTACT_M)).all(axis=-1)
        if near_box.any():
            own_faces = np.ascontiguousarray(faces[(of_part[faces] == part).all(axis=1)], np.int64)
            squared = igl.point_mesh_squared_distance(np.ascontiguousarray(local[near_box]), surface, own_faces)[0]
            near[near_box] |= squared <= CONTACT_M**2
    return np.asarray(near.any(axis=1))
