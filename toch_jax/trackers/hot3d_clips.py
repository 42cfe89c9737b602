"""HOT3D-Clips: a clip's tar file, or the folder that it was unpacked to.

`<frame>.hands.json` has {left, right: {mano_pose {thetas (15), wrist_xform (6)}}}: coefficients of MANO's principal
directions, relative to its mean (smplx with num_pca_comps=15 and the default flat_hand_mean=False); wrist_xform is
smplx's orientation, axis-angle, and its translation, metres, in the world. `__hand_shapes.json__` has the betas, mano
(10), of both hands; the left hand's shape directions are mended (facebookresearch/hand_tracking_toolkit, dataset.py,
hand_models/mano_hand_model.py). UmeTrack's hands are not read.

`<frame>.objects.json` has a list of instances for each object: object_bop_id, T_world_from_object {quaternion_wxyz,
translation_xyz}, metres (facebookresearch/hot3d, clips/README.md, vis_clips.py). `--object-key ID` chooses one. A clip
has 150 frames in 5 seconds: 30 a second.
"""

import re
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.frame_numbers import frame_grid
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, need, open_source
from toch_jax.trackers.tracked import ManoTrack, Tracked

FPS = 30.0
HANDS, SHAPES = re.compile(r"(\d{1,9})\.hands\.json"), "__hand_shapes.json__"
SIDES: tuple[Side, Side] = ("left", "right")


def fits(source: Source) -> bool:
    content = source.content
    return isinstance(content, dict) and any(HANDS.fullmatch(str(name)) for name in content)


def _member(source: Source, name: str) -> Any:
    """The content of a file of the clip; None if there is none."""
    found = source.content.get(name)
    return open_source(found).content if source.is_folder and found is not None else found


def read(source: Source, reading: Reading) -> Tracked:
    """The hands and one object of a clip. Raises InputError."""
    where = source.path
    names = {int(found.group(1)): found.group(0) for each in source.content if (found := HANDS.fullmatch(str(each)))}
    every, index = frame_grid(where, sorted(names))
    shapes = _member(source, SHAPES)
    betas = array(where, SHAPES, need(where, shapes, "mano"), "10")
    sizes = {"orient": 3, "pose": 15, "transl": 3}
    tracks = {side: {key: np.full((len(every), size), np.nan) for key, size in sizes.items()} for side in SIDES}
    for frame, number in zip(index, sorted(names), strict=True):
        hands = _member(source, names[number])
        for side in SIDES:
            pose = (need(where, hands, side) or {}).get("mano_pose") if side in hands else None
            if pose is None:
                continue
            wrist = array(where, "wrist_xform", need(where, pose, "wrist_xform"), "6")
            tracks[side]["orient"][frame], tracks[side]["transl"][frame] = wrist[:3], wrist[3:]
            tracks[side]["pose"][frame] = array(where, "thetas", need(where, pose, "thetas"), "15")
    kept = {side: each for side, each in tracks.items() if np.isfinite(each["orient"]).any()}
    if not kept:
        raise bad_input(where, "mano_pose", "a hand in one frame at least", "none")
    orient, pose, transl = (np.stack([each[key] for each in kept.values()]) for key in sizes)
    objects = {number: _member(source, f"{names[number].split('.')[0]}.objects.json") for number in names}
    poses, name = _object(source, objects, every, reading)
    return Tracked(
        format="hot3d-clips",
        sides=tuple(kept),
        mano=ManoTrack(orient, pose, transl, np.tile(betas, (len(kept), 1)), is_relative=True, is_pca=True),
        is_world=True,
        fps=FPS,
        numbers=every,
        object_poses=poses,
        object_name=name,
    )


def _object(
    source: Source, objects: dict[int, Any], every: np.ndarray, reading: Reading
) -> tuple[Float[np.ndarray, "T 4 4"] | None, str | None]:
    """The poses and the id of the object; None if there are none, or if other poses are asked for."""
    where = source.path
    instances: dict[str, dict[int, Any]] = {}
    for number, each in objects.items():
        for listed in each.values() if isinstance(each, dict) else ():
            for one in listed if isinstance(listed, list) else [listed]:
                instances.setdefault(str(need(where, one, "object_bop_id")), {})[number] = one
    if reading.object_poses is not None or not instances:
        return None, None
    ids = sorted(instances, key=lambda each: (len(each), each))
    name = reading.object_key or (ids[0] if len(ids) == 1 else None)
    if name not in instances:
        raise bad_input(where, "--object-key", f"one of the objects {', '.join(ids)}", name or "none")
    found = np.full((len(every), 4, 4), np.nan)
    at = {int(number): frame for frame, number in enumerate(every)}
    for number, one in instances[name].items():
        motion = need(where, one, "T_world_from_object")
        turn = array(where, "quaternion_wxyz", need(where, motion, "quaternion_wxyz"), "4")
        if abs(np.linalg.norm(turn) - 1) > 1e-2:
            raise bad_input(where, "quaternion_wxyz", "a quaternion of length 1", f"{np.linalg.norm(turn):.3g}")
        pose = np.eye(4)
        pose[:3, :3] = Rotation.from_quat(np.roll(turn, -1)).as_matrix()
        pose[:3, 3] = array(where, "translation_xyz", need(where, motion, "translation_xyz"), "3")
        found[at[number]] = pose
    return found, name
