"""Builder of the data sets arctic and arctic_p2 from a folder of ARCTIC's files."""

from functools import cache
from pathlib import Path
from typing import Literal

import igl
import numpy as np
from jaxtyping import Bool
from scipy.spatial.transform import Rotation

from toch_jax.datasets.arctic import source
from toch_jax.datasets.arctic.objects import HingedObject, need_object, part_motion, read_object
from toch_jax.datasets.convert import Recording, prepare_recordings
from toch_jax.datasets.features import Example
from toch_jax.datasets.posed import posed_skin
from toch_jax.datasets.read import default_data_dir
from toch_jax.datasets.shape_space import with_shapes
from toch_jax.datasets.spec import DatasetSpec, load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, Side

Protocol = Literal["p1", "p2"]
# Increase when the same files would give different clips: cached ones are then not reused.
GENERATION = 1
CONTACT_M = 0.003
N_SHAPES = 10


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
    thing = cache(lambda name: read_object(need_object(spec, raw, name)))

    def convert(recording: Recording) -> list[Example]:
        return [as_example(spec, recording, thing(source.object_of(recording.path)), models)]

    return prepare_recordings(spec, recordings, convert, models, data_dir, generation=GENERATION, raw=raw.resolve())


def arctic_hands(mano: dict[Side, HandModel]) -> dict[Side, HandModel]:
    """MANO with ten more shape directions: those of the left hand as ARCTIC uses them.

    ARCTIC's code uses MANO_LEFT.pkl unchanged, whose shape directions have the wrong sign of x (smplx issue 48, arctic
    issue 50). `load_hand` corrects it; for ARCTIC's coefficients the uncorrected directions are added again.
    """
    faulty = np.asarray(mano["left"].shapedirs)[..., :N_SHAPES] * np.array([-1.0, 1.0, 1.0])[:, None]
    none = faulty[..., :0]
    return with_shapes(mano, none, faulty)


def as_example(spec: DatasetSpec, recording: Recording, thing: HingedObject, models: dict[Side, HandModel]) -> Example:
    """The recording as an example, right hand first."""
    found = source.read_hands(recording.path)
    hands = [found[side] for side in source.SIDES]
    frames = len(hands[0].pose)
    pose = source.read_object_pose(source.object_path(recording.path), frames)
    rotation, translation = part_motion(pose)
    means = [np.asarray(models[side].pose_mean) for side in source.SIDES]
    betas = np.zeros((2, models["right"].shapedirs.shape[-1]))
    betas[0, :N_SHAPES], betas[1, -N_SHAPES:] = hands[0].shape, hands[1].shape
    example = {
        "id": recording.id,
        "object": source.object_of(recording.path),
        "hand_side": " ".join(source.SIDES),
        "fps": spec.fps,
        "hand_global_orient": np.stack([hand.global_orient for hand in hands]),
        "hand_pose": np.stack([hand.pose + mean for hand, mean in zip(hands, means, strict=True)]),
        "hand_transl": np.stack([hand.transl for hand in hands]),
        "hand_betas": betas,
        "hand_valid": np.ones((2, frames), bool),
        "object_vertices": thing.vertices,
        "object_faces": thing.faces,
        "object_vertex_part": thing.vertex_part,
        "object_rotation": rotation,
        "object_translation": translation,
    }
    touching = [touches(example, hand, models[side]) for hand, side in enumerate(source.SIDES)]
    return example | {"grasp": np.stack(touching)}


def touches(example: Example, hand: int, model: HandModel) -> Bool[np.ndarray, "T"]:
    """Frames in which a vertex of the hand is within CONTACT_M (metres) of the surface of a part."""
    skin = posed_skin(example, hand, model).astype(np.float64)
    near = np.zeros(skin.shape[:2], bool)
    vertices, faces, of_part = (example[f"object_{key}"] for key in ("vertices", "faces", "vertex_part"))
    surface = np.ascontiguousarray(vertices, np.float64)
    for part in range(len(example["object_rotation"])):
        turn = Rotation.from_rotvec(example["object_rotation"][part]).as_matrix()
        local = np.einsum("tba,tvb->tva", turn, skin - example["object_translation"][part][:, None])
        own = surface[of_part == part]
        about = ((local > own.min(axis=0) - CONTACT_M) & (local < own.max(axis=0) + CONTACT_M)).all(axis=-1)
        if about.any():
            own_faces = np.ascontiguousarray(faces[(of_part[faces] == part).all(axis=1)], np.int64)
            squared = igl.point_mesh_squared_distance(np.ascontiguousarray(local[about]), surface, own_faces)[0]
            near[about] |= squared <= CONTACT_M**2
    return np.asarray(near.any(axis=1))
