"""HO-3D (versions 2 and 3) and H2O-3D: the folder of a sequence, with a pickle for each frame in `meta`.

Each has objRot (3), axis-angle, objTrans (3), objName, camMat (3, 3), handBeta (10) and of HO-3D's one right hand
handPose (48): orientation and 45 absolute numbers (flat_hand_mean=True), handTrans (3): smplx's, and handJoints3D
(21, 3): MANO's 16 joints, then the tips. Of H2O-3D's two hands these are rightHandPose, leftHandPose and so on; its
left hand is MANO_LEFT.pkl as it is. Values are None where there is no annotation (shreyashampali/ho3d: README.md,
vis_HO3D.py, vis_H2O3D.py, utils/vis_utils.py).

All are before an OpenGL camera, y up and z backward; they are turned here to x right, y down, z forward. The evaluation
sequences have a hand's root only. Objects are those of the YCB-Video data set: models/<objName>/textured_simple.obj,
metres, at the object's own place in a folder above the sequence. Frames are 1/30 s apart.
"""

from pathlib import Path
from typing import Any

import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.hand.conventions import to_openpose
from toch_jax.hand.model import Side
from toch_jax.trackers.frame_numbers import numbered_files
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, first_has, model_beside, need, read_pickled
from toch_jax.trackers.tracked import Camera, ManoTrack, Tracked, rigid

FPS = 30.0
"""Frames per second of the cameras; the files do not say it."""
FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
"""From OpenGL's axes of a camera to OpenCV's."""
HANDS: dict[str, Side] = {"hand": "right", "rightHand": "right", "leftHand": "left"}
"""The hands, by what their keys begin with."""
SIZES = {"Pose": (48,), "Trans": (3,), "Joints3D": (21, 3)}


def _files(source: Source) -> list[Path]:
    folder = source.path / "meta"
    return sorted(folder.glob("*.pkl")) if source.is_folder and folder.is_dir() else []


def fits(source: Source) -> bool:
    return first_has(_files(source), "objRot", "objTrans", "camMat")


def read(source: Source, reading: Reading) -> Tracked:
    """A sequence's hands and its object. Raises InputError."""
    files = _files(source)
    every, index = numbered_files(source.path / "meta", files)
    count = len(every)
    records = [read_pickled(file) for file in files]
    prefixes = [prefix for prefix in HANDS if any(_is_given(record, f"{prefix}Pose") for record in records)]
    if not prefixes:
        raise bad_input(source.path, "handPose", "a frame with a hand (evaluation sequences have none)", "none")
    hands = {prefix: {key: np.full((count, *shape), np.nan) for key, shape in SIZES.items()} for prefix in prefixes}
    betas, motion = np.full((len(prefixes), count, 10), np.nan), np.full((count, 6), np.nan)
    names, intrinsics = set[str](), None
    for frame, file, record in zip(index, files, records, strict=True):
        for hand, prefix in enumerate(prefixes):
            if _is_given(record, f"{prefix}Pose"):
                for key, values in hands[prefix].items():
                    field = f"{prefix}{key}"
                    shape = " ".join(map(str, SIZES[key]))
                    values[frame] = array(file, field, need(file, record, field), shape)
                betas[hand, frame] = array(file, "handBeta", need(file, record, "handBeta"), "10")
        if _is_given(record, "objRot"):
            motion[frame, :3] = array(file, "objRot", record["objRot"], "3", "3 1").ravel()
            motion[frame, 3:] = array(file, "objTrans", need(file, record, "objTrans"), "3")
            names.add(str(need(file, record, "objName")))
            intrinsics = array(file, "camMat", need(file, record, "camMat"), "3 3")
    if len(names) > 1:
        raise bad_input(source.path, "objName", "one object", ", ".join(sorted(names)))
    name = next(iter(names), None)
    pose = np.stack([hands[prefix]["Pose"] for prefix in prefixes])
    joints = to_openpose(np.stack([hands[prefix]["Joints3D"] for prefix in prefixes])) @ FROM_OPENGL[:3, :3]
    return Tracked(
        format="ho3d",
        sides=tuple(HANDS[prefix] for prefix in prefixes),
        joints=joints,
        mano=ManoTrack(
            pose[..., :3],
            pose[..., 3:],
            np.stack([hands[prefix]["Trans"] for prefix in prefixes]),
            betas,
            moved_by=np.tile(FROM_OPENGL, (len(prefixes), count, 1, 1)),
            has_left_fault=True,
        ),
        fps=FPS,
        numbers=every,
        camera=None if intrinsics is None else Camera(intrinsics),
        object_poses=FROM_OPENGL @ rigid(motion[:, :3], motion[:, 3:]),
        object_name=name,
        object_mesh=model_beside(source.path, "models", name, "textured_simple.obj") if name else None,
        said=("30 fps assumed",) if reading.fps is None else (),
    )


def _is_given(record: Any, key: str) -> bool:
    return isinstance(record, dict) and record.get(key) is not None
