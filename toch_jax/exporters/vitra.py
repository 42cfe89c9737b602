"""VITRA's episode, the other way round than trackers/vitra.py reads it, where its layout stands:
a pickled dict in an .npy.

With `--like` the tracker's own episode is copied and only its hands are replaced. Without it the clip's frame of
reference is the camera's: extrinsics are the identity, and intrinsics those of `--camera`. A side that the clip has not
is written with no kept frame.
"""

from pathlib import Path
from typing import Any

import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.base.files import atomic
from toch_jax.exporters.dyn_hamr import whole_intrinsics
from toch_jax.exporters.keypoints import joints_of
from toch_jax.exporters.like import like_source
from toch_jax.exporters.mano import known_frames, lost_remark, mano_arrays, mano_models, matrices, wrists
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.tracked import mirrored_pose

SHAPES = {
    "global_orient_worldspace": (3, 3),
    "global_orient_camspace": (3, 3),
    "hand_pose": (15, 3, 3),
    "transl_worldspace": (3,),
    "transl_camspace": (3,),
    "joints_worldspace": (21, 3),
    "joints_camspace": (21, 3),
}


def write_vitra(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write an episode. Raises InputError, also without a camera or an episode to be like."""
    sides = sequence.hand_side
    if len(set(sides)) < len(sides):
        raise bad_input(sequence.source, "hands", "one of each side at most", ", ".join(sides))
    arrays = mano_arrays(sequence)
    episode = _frame(sequence, writing)
    from_world = np.asarray(episode["extrinsics"], np.float64)
    wrist, joints, known = wrists(mano_models(sequence), arrays), joints_of(sequence), known_frames(sequence)
    for side in ("left", "right"):
        if side not in sides:
            episode[side] = _empty(sequence.n_frames)
            continue
        hand = sides.index(side)
        pose = arrays["pose"][hand]
        world = {
            "global_orient": matrices(arrays["global_orient"][hand])[:, 0],
            "transl": wrist[hand],
            "joints": joints[hand],
        }
        turn, shift = from_world[:, :3, :3], from_world[:, :3, 3]
        values = {
            "hand_pose": matrices(mirrored_pose(pose) if side == "left" else pose),
            **{f"{name}_worldspace": value for name, value in world.items()},
            "global_orient_camspace": turn @ world["global_orient"],
            "transl_camspace": np.einsum("tab,tb->ta", turn, world["transl"]) + shift,
            "joints_camspace": np.einsum("tab,tjb->tja", turn, world["joints"]) + shift[:, None],
        }
        betas = arrays["betas"][hand]
        kept = {name: np.nan_to_num(value).astype(np.float32) for name, value in values.items()}
        episode[side] = {
            "beta": (np.nanmean(betas, axis=0) if betas.ndim == 2 else betas).astype(np.float32),
            **kept,
            "kept_frames": known[hand].astype(int).tolist(),
        }
    content = np.empty((), object)
    content[()] = episode
    with atomic(path) as part, part.open("wb") as file:
        np.save(file, content, allow_pickle=True)
    return lost_remark(sequence, "are not among kept_frames")


def _frame(sequence: Sequence, writing: Writing) -> dict[str, Any]:
    """The episode without its hands."""
    source = like_source(writing, "vitra")
    if source is not None:
        count = len(source.content["extrinsics"])
        if count != sequence.n_frames:
            raise bad_input(source.path, "--like", f"the clip's {sequence.n_frames} frames", f"{count}")
        return dict(source.content)
    if writing.camera is None:
        expected = "--like EPISODE, or the camera (--camera FILE)"
        raise bad_input(sequence.source, "camera", expected, "none")
    return {
        "extrinsics": np.tile(np.eye(4), (sequence.n_frames, 1, 1)),
        "intrinsics": whole_intrinsics(writing.camera),
        "video_decode_frame": list(range(sequence.n_frames)),
        "text": {"left": [], "right": []},
    }


def _empty(n_frames: int) -> dict[str, Any]:
    """A hand that is in no frame."""
    arrays = {name: np.zeros((n_frames, *shape), np.float32) for name, shape in SHAPES.items()}
    return {"beta": np.zeros(10, np.float32), **arrays, "kept_frames": [0] * n_frames}
