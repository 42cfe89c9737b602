"""Video-to-Data's files, the other way round than trackers/v2d.py and trackers/dyn_hamr.py read them, where their
layouts stand.

`v2d-tracks`: a folder of a JSON file for each frame of each hand. `--like` is the tracker's own folder: its records are
copied, with mano and the place (`cam_t`, or `pred_cam_t_full` before the virtual camera, with `--camera`) replaced;
frames without a file, which the repair has filled in, get one after the nearest. `v2d-mano`: mano_params.npz, as
`mano-smplx` writes it; with `--like` the file's other keys are kept.
"""

from pathlib import Path
from typing import Any

import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.base.files import atomic_folder, write_arrays, write_text
from toch_jax.exporters.like import as_given, betas_of_frames, frame_numbers, json_text, like_tracked, mirrored
from toch_jax.exporters.mano import known_frames, lost_remark, mano_arrays, smplx_record
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.types import Sequence
from toch_jax.trackers.camera import read_camera, to_virtual_camera
from toch_jax.trackers.frame_numbers import frame_number
from toch_jax.trackers.source import open_source
from toch_jax.trackers.tracked import Camera
from toch_jax.trackers.v2d import is_track, track_files


def write_tracks(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the folder of tracks. Raises InputError, also without the tracker's own."""
    source, tracked = like_tracked(sequence, writing, "v2d-tracks")
    arrays = mano_arrays(sequence)
    if writing.left_hands != "own":
        arrays = mirrored(arrays, sequence, transl=False)
    arrays["betas"] = betas_of_frames(arrays, sequence.n_frames)
    frame_of, known = frame_numbers(tracked), known_frames(sequence)
    camera = read_camera(writing.camera) if writing.camera else None
    records: dict[str, dict[int, tuple[Path, dict[str, Any]]]] = {"left": {}, "right": {}}
    for file in track_files(source):
        record = open_source(file).content
        if is_track(record):
            side = "right" if record["is_right"] else "left"
            records[side].setdefault(frame_of[int(record["frame_idx"])], (file, record))
    number_of = {frame: number for number, frame in frame_of.items()}
    with atomic_folder(path) as folder:
        for hand, side in enumerate(sequence.hand_side):
            own = records[side]
            for frame in np.flatnonzero(known[hand]).tolist():
                file, record = own[min(own, key=lambda other: abs(other - frame))]
                changed = _changed(record, {key: value[hand, frame] for key, value in arrays.items()}, camera)
                name = file.name
                if frame not in own:
                    changed["frame_idx"] = number_of[frame]
                    name = _renamed(file, number_of[frame])
                write_text(folder / file.parent.relative_to(source.path) / name, json_text(changed, lines=False))
    return lost_remark(sequence, "have no file")


def _renamed(file: Path, number: int) -> str:
    """The name of another frame's file: its last number replaced."""
    old = frame_number(file.name)
    head, found, tail = file.name.rpartition(str(old))
    if old is None or not found:
        return f"{number:06d}.json"
    digits = len(head) - len(head.rstrip("0")) + len(found)
    return f"{head.rstrip('0')}{number:0{digits}d}{tail}"


def _changed(record: dict[str, Any], hand: dict[str, np.ndarray], camera: Camera | None) -> dict[str, Any]:
    """The record with the hand replaced."""
    mano, changed = record["mano"], dict(record)
    names = {"betas": "betas", "global_orient": "global_orient", "hand_pose": "pose"}
    changed["mano"] = {**mano, **{key: as_given(mano[key], hand[name]) for key, name in names.items()}}
    if "cam_t" in record:
        changed["cam_t"] = as_given(record["cam_t"], hand["transl"])
        return changed
    virtual = record["camera"]
    assert camera is not None, "the reader asks for it"
    width, height = np.ravel(record["image_size"])
    focal = float(np.ravel(virtual["scaled_focal_length"])[0])
    place = to_virtual_camera(camera, hand["transl"], focal, (float(width), float(height)))
    changed["camera"] = {**virtual, "pred_cam_t_full": as_given(virtual["pred_cam_t_full"], place)}
    return changed


def write_params(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write mano_params.npz. Raises InputError."""
    record = smplx_record(sequence, absolute=writing.mean_pose == "absolute")
    if writing.like is not None:
        source, _ = like_tracked(sequence, writing, "v2d-mano")
        kept = {key: np.asarray(value) for key, value in source.content.items()}
        if odd := [key for key, value in kept.items() if value.dtype.hasobject]:
            raise bad_input(source.path, odd[0], "a plain array", "a pickled object")
        record = smplx_record(sequence, absolute=bool(kept["flat_hand_mean"]))
        if kept["betas"].ndim == 3:
            record["betas"] = betas_of_frames(record, sequence.n_frames)
        record = {**kept, **{key: value for key, value in record.items() if key in kept}}
    write_arrays(path, record)
    return lost_remark(sequence, "are NaN")
