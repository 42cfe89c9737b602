"""HOT3D's hands and objects, the other way round than trackers/hot3d.py reads them, where their layout stands.

`--like` is the recording's own folder, or its file of hands. In mano_hand_pose_trajectory.jsonl each line gets the
repaired hands of its frame: 15 coefficients of MANO's principal directions, which hold a part of the 45 numbers of a
pose alone: a line says how far joints are off for it. In dynamic_objects.csv, of a folder, the object's poses
(`--object-key`) are replaced. Nothing else of the folder is copied.
"""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.base.files import atomic_folder, write_text
from toch_jax.exporters.keypoints import object_matrices
from toch_jax.exporters.like import as_given, betas_of_frames, json_text, like_tracked
from toch_jax.exporters.mano import known_frames, lost_remark, mano_arrays, mano_models, relative_pose
from toch_jax.exporters.writing import Writing
from toch_jax.hand.model import HandParams, skin_frames
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.hot3d import PLACE, SHORTEST_STEP, SIDES, TURN, hands_file, objects_file
from toch_jax.trackers.source import open_source
from toch_jax.trackers.stamps import on_grid

N_COEFFICIENTS = 15


def write_hot3d(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the hands, and the object of a folder. Raises InputError, also without the recording's own."""
    source, _ = like_tracked(sequence, writing, "hot3d")
    file = hands_file(source)
    lines = open_source(file).content
    arrays, off = _coefficients(sequence)
    known = known_frames(sequence)
    stamps = np.array([line["timestamp_ns"] for line in lines])
    frames = frames_of(file, stamps)
    keys = {side: key for key, side in SIDES}
    new = []
    for line, frame in zip(lines, frames, strict=True):
        poses = dict(line["hand_poses"])
        for hand, side in enumerate(sequence.hand_side):
            if known[hand, frame]:
                own = {name: value[hand, frame] for name, value in arrays.items()}
                poses[keys[side]] = _record(poses.get(keys[side]), own)
        new.append({**line, "hand_poses": poses})
    text = json_text(new, lines=True)
    if path.suffix == ".jsonl":
        write_text(path, text)
    else:
        with atomic_folder(path) as folder:
            root = source.path if source.is_folder else file.parent
            write_text(folder / file.relative_to(root), text)
            table = objects_file(file)
            if table is not None and len(sequence.object_motion.translation) == 1:
                write_text(folder / table.relative_to(root), _objects(table, stamps, frames, sequence, writing))
    said = (f"joints at most {1e3 * off:.1f} mm off, as a pose has {N_COEFFICIENTS} coefficients",)
    return (*said, *lost_remark(sequence, "are as they were"))


def _coefficients(sequence: Sequence) -> tuple[dict[str, Float[np.ndarray, "H T n"]], float]:
    """The numbers of each hand and frame, and the largest distance of a joint from the clip's, metres."""
    arrays, models = mano_arrays(sequence), mano_models(sequence)
    relative = relative_pose(sequence, arrays["pose"])
    components = [np.asarray(model.pose_components, np.float64)[:N_COEFFICIENTS] for model in models]
    found = np.stack([pose @ own.T for pose, own in zip(relative, components, strict=True)])
    betas = betas_of_frames(arrays, sequence.n_frames)
    off = 0.0
    for hand, model in enumerate(models):
        rest = relative[hand] - found[hand] @ components[hand]
        seen = np.isfinite(rest).all(axis=1)
        joints = []
        for pose in (arrays["pose"][hand][seen], (arrays["pose"][hand] - rest)[seen]):
            shape = jnp.asarray(betas[hand][seen], jnp.float32)
            flat = jnp.zeros((int(seen.sum()), 3))
            params = HandParams(global_orient=flat, pose=jnp.asarray(pose, jnp.float32), betas=shape, transl=flat)
            joints.append(np.asarray(skin_frames(model, params)[1]))
        off = max(off, float(np.linalg.norm(joints[1] - joints[0], axis=-1).max(initial=0)))
    wanted = {"orient": arrays["global_orient"], "transl": arrays["transl"], "pose": found, "betas": betas}
    return wanted, off


def _record(old: Any, hand: dict[str, Float[np.ndarray, "n"]]) -> dict[str, Any]:
    """A hand of a line; what else the old one holds is kept."""
    kept = old if isinstance(old, dict) else {"betas": []}
    wrist = kept.get("wrist_xform", {})
    quaternion = Rotation.from_rotvec(hand["orient"]).as_quat(scalar_first=True)
    return {
        **kept,
        "wrist_xform": {**wrist, "q_wxyz": quaternion.tolist(), "t_xyz": hand["transl"].tolist()},
        "pose": hand["pose"].tolist(),
        "betas": as_given(kept["betas"], hand["betas"]),
    }


def frames_of(path: Path, stamps: np.ndarray) -> np.ndarray:
    """The clip's frame of each stamp; those that follow another within SHORTEST_STEP have its frame."""
    seconds = 1e-9 * (stamps - stamps[0])
    first = np.append(True, np.diff(seconds) >= SHORTEST_STEP)
    index = on_grid(path, seconds[first]).frames
    return index[np.cumsum(first) - 1]


def _objects(table: Path, stamps: np.ndarray, frames: np.ndarray, sequence: Sequence, writing: Writing) -> str:
    """The table with the poses of one object replaced, in lines whose stamp is that of a line of hands."""
    header, *lines = table.read_text(encoding="utf-8-sig").splitlines()
    names = [name.strip().strip('"') for name in header.split(",")]
    at = {name: names.index(name) for name in ("object_uid", "timestamp[ns]", *PLACE, *TURN)}
    poses = object_matrices(sequence)
    quaternions = Rotation.from_matrix(poses[:, :3, :3]).as_quat()
    order = np.argsort(stamps, kind="stable")
    step = float(np.median(np.diff(np.unique(stamps))))
    rows = [line.split(",") for line in lines if line.strip()]
    uids = {row[at["object_uid"]].strip() for row in rows}
    uid = writing.object_key or (next(iter(uids)) if len(uids) == 1 else None)
    for row in rows:
        if row[at["object_uid"]].strip() != uid:
            continue
        stamp = float(row[at["timestamp[ns]"]])
        after = int(np.searchsorted(stamps[order], stamp).clip(max=len(order) - 1))
        near = min((max(after - 1, 0), after), key=lambda place: abs(float(stamps[order][place]) - stamp))
        if abs(float(stamps[order][near]) - stamp) > 0.5 * step:
            continue
        frame = frames[order][near]
        for name, value in zip((*PLACE, *TURN), (*poses[frame, :3, 3], *quaternions[frame]), strict=True):
            row[at[name]] = repr(float(value))
    return "\n".join([header, *(",".join(row) for row in rows)]) + "\n"
