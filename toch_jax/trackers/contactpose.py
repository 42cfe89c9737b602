"""ContactPose: the folder of a grasp (full28_use/bowl), with annotations.json and mano_fits_15.json.

annotations.json: hands (left, then right) {valid, moving, joints (21, 3) in OpenPose's order, metres, in the hand's
frame}; frames {oTw, hTo (for each hand)}; cameras {name: {valid, wTc, K}}. aTb is the pose of b in a: {translation (3),
rotation (4): quaternion wxyz}. A hand that does not move is in the object's frame; one that does is the same hand moved
by hTo. mano_fits_15.json: of each hand {valid, pose (3 + 15): orientation and coefficients of MANO's principal
directions relative to its mean, betas (10), mTc: from the hand's frame to that of the fit}; the left hand is
MANO_LEFT.pkl as it is. The object's mesh is <object>.ply in the folder, metres (facebookresearch/ContactPose:
utilities/dataset.py, utilities/misc.py, utilities/mano_fitting.py, docs/doc.md).

A grasp is one pose of the fingers, while the object is turned before the cameras. The files do not say how fast. The
camera is the first that is valid, as its sensor is mounted: the images of the data set are turned.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from toch_jax.base.errors import bad_input
from toch_jax.hand.model import Side
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source, array, need, open_source
from toch_jax.trackers.tracked import Camera, ManoTrack, Tracked, rigid

SIDES: tuple[Side, Side] = ("left", "right")
"""The hands in the order of the files."""
FITS = "mano_fits_15.json"


def fits(source: Source) -> bool:
    return source.is_folder and {"annotations.json", FITS} <= set(source.content)


def read(source: Source, reading: Reading) -> Tracked:
    """A grasp's hands and object in the world. Raises InputError."""
    where = source.path / "annotations.json"
    content = open_source(where).content
    frames = need(where, content, "frames")
    fits_file = source.path / FITS
    fitted = open_source(fits_file).content
    hands = need(where, content, "hands")
    if not all(isinstance(each, list) and len(each) == 2 for each in (hands, fitted)):
        raise bad_input(where, "hands", "a left hand and a right hand", "others")
    kept = [hand for hand in range(2) if hands[hand].get("valid") and fitted[hand].get("valid")]
    if not kept or not frames:
        raise bad_input(where, "valid", "a hand, and a frame", "none")
    poses = np.linalg.inv(_matrices(where, "oTw", [need(where, frame, "oTw") for frame in frames]))
    moves = np.stack([_hand_in_world(where, hands, hand, frames, poses) for hand in kept])
    points = [array(where, "joints", need(where, hands[hand], "joints"), "21 3") for hand in kept]
    joints = np.einsum("htab,hjb->htja", moves[..., :3, :3], np.stack(points)) + moves[..., None, :3, 3]
    fit = [fitted[hand] for hand in kept]
    pose = np.stack([array(fits_file, "pose", need(fits_file, each, "pose"), "18") for each in fit])
    from_fit = np.linalg.inv(_matrices(fits_file, "mTc", [need(fits_file, each, "mTc") for each in fit]))
    count = len(frames)
    return Tracked(
        format="contactpose",
        sides=tuple(SIDES[hand] for hand in kept),
        joints=joints,
        mano=ManoTrack(
            np.tile(pose[:, None, :3], (1, count, 1)),
            np.tile(pose[:, None, 3:], (1, count, 1)),
            np.zeros((len(kept), count, 3)),
            np.stack([array(fits_file, "betas", need(fits_file, each, "betas"), "10") for each in fit]),
            is_pca=True,
            is_relative=True,
            has_left_fault=True,
            moved_by=moves @ from_fit[:, None],
        ),
        is_world=True,
        camera=_camera(where, need(where, content, "cameras"), count),
        object_poses=poses,
        object_name=source.path.name,
        object_mesh=mesh if (mesh := source.path / f"{source.path.name}.ply").is_file() else None,
    )


def _hand_in_world(
    where: Path, hands: list[Any], hand: int, frames: list[Any], poses: Float[np.ndarray, "T 4 4"]
) -> Float[np.ndarray, "T 4 4"]:
    if not need(where, hands[hand], "moving"):
        return poses
    moves = [need(where, frame, "hTo")[hand] for frame in frames]
    return poses @ np.linalg.inv(_matrices(where, "hTo", moves))


def _matrices(where: Path, field: str, poses: list[Any]) -> Float[np.ndarray, "N 4 4"]:
    """Matrices of records with a translation and a quaternion wxyz. Raises InputError."""
    turns = array(where, f"{field}.rotation", [need(where, each, "rotation") for each in poses], "N 4")
    places = array(where, f"{field}.translation", [need(where, each, "translation") for each in poses], "N 3")
    found = rigid(np.roll(turns, -1, axis=1), places)
    if not np.isfinite(found).all():
        raise bad_input(where, field, "finite numbers, and no quaternion of zeros", "others")
    return found


def _camera(where: Path, cameras: Any, count: int) -> Camera | None:
    valid = [each for each in cameras.values() if each.get("valid")]
    if not valid:
        return None
    lens = need(where, valid[0], "K")
    names = ("fx", "fy", "cx", "cy", "width", "height")
    fx, fy, cx, cy, width, height = (float(array(where, name, need(where, lens, name), "")) for name in names)
    from_world = np.linalg.inv(_matrices(where, "wTc", [need(where, valid[0], "wTc")]))
    intrinsics = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    return Camera(intrinsics, (width, height), np.tile(from_world, (count, 1, 1)))
