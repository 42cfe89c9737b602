"""A Sequence from a tracker's file, an object's mesh and its poses."""

import dataclasses
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import InputError, bad_input
from toch_jax.hand.conventions import absolute_pose, pose_from_pca, with_left_fault, without_left_fault
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, rest_joints
from toch_jax.object.load import LoadedObject, load_object
from toch_jax.sequence.arrays import sequence_from_arrays
from toch_jax.sequence.file import load_sequence
from toch_jax.trackers.conventions import other_conventions
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.object_poses import ObjectPoses, read_object_poses
from toch_jax.trackers.part_poses import read_part_poses
from toch_jax.trackers.reading import METRES, Reading
from toch_jax.trackers.resampling import between, evened, poses_at
from toch_jax.trackers.self_check import CheckedSequence, checked
from toch_jax.trackers.tracked import ManoTrack, Tracked


def load_any(
    path: Path, object_mesh: Path | None = None, object_scale: float = 1.0, reading: Reading | None = None
) -> CheckedSequence:
    """A sequence file, or a tracker's file with the object's mesh and poses. Raises InputError."""
    if is_sequence_file(path):
        return CheckedSequence(load_sequence(path, object_mesh, object_scale=object_scale), ())
    return sequence_from_tracker(path, object_mesh, object_scale, reading or Reading())


def is_sequence_file(path: Path) -> bool:
    """Whether a file is a sequence file, or was meant to be one, or is damaged: whatever else ends in .npz has none of
    a sequence file's own keys."""
    if path.is_dir() or path.suffix != ".npz":
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError):
        return True
    return not names.isdisjoint({"format", "hand_side", "object_vertices", "object_rotation"})


def sequence_from_tracker(
    path: Path, object_mesh: Path | None, object_scale: float, reading: Reading
) -> CheckedSequence:
    """The sequence of a tracker's file, and what the self-check says of it. Raises InputError."""
    tracked = read_tracked(path, reading)
    loaded = object_of(path, tracked, object_mesh, object_scale)
    poses, said = _object_poses(path, tracked, loaded.names, reading)
    tracked, poses = evened(tracked, poses)
    arguments, hand_said = hand_arguments(path, tracked, reading)
    common: dict[str, Any] = {
        "fps": _fps(path, tracked, reading),
        "hand_side": list(tracked.sides),
        "object_vertices": loaded.vertices,
        "object_faces": loaded.faces,
        "object_vertex_part": loaded.part,
        "where": str(path),
        **_camera(tracked),
    }
    try:
        sequence = sequence_from_arrays(**common, **_motion(poses), **arguments)
    except InputError as fault:
        raise InputError(f"{fault}{_mend(common, poses, arguments, reading)}") from fault
    said = (*loaded.said, *tracked.said, *hand_said, *said)
    return checked(sequence, dataclasses.replace(tracked, said=said), reading)


def object_of(path: Path, tracked: Tracked, object_mesh: Path | None, scale: float) -> LoadedObject:
    """The object in the frame of its poses, metres: `object_mesh`, else the mesh beside the tracker's file."""
    file = object_mesh or tracked.object_mesh
    if file is None:
        name = "the object's mesh" if tracked.object_name is None else f"the mesh of {tracked.object_name}"
        raise bad_input(path, "object", f"{name} (--object FILE), as the file has none", "none")
    if tracked.mesh_to_object is None and not tracked.centre_mesh:
        return load_object(file, scale)

    def placed(vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "V 3"]:
        if tracked.centre_mesh:
            vertices = vertices - (vertices.min(axis=0) + vertices.max(axis=0)) / 2
        change = np.eye(4) if tracked.mesh_to_object is None else tracked.mesh_to_object
        return vertices @ change[:3, :3].T + change[:3, 3]

    return load_object(file, scale, placed)


def _camera(tracked: Tracked) -> dict[str, Any]:
    """The camera as arguments of `sequence_from_arrays`; none where it is not known where it is in the hands' world."""
    camera = tracked.camera
    if camera is None:
        return {}
    has_intrinsics = camera.intrinsics is not None and np.isfinite(camera.intrinsics).all()
    poses = camera.from_world
    if poses is None and has_intrinsics and not tracked.is_world:
        poses = np.eye(4)
    if poses is None or not np.isfinite(poses).all():
        return {}
    found = {"camera_rotation": poses[..., :3, :3], "camera_translation": poses[..., :3, 3]}
    return found | {"camera_intrinsics": camera.intrinsics} if has_intrinsics else found


def _motion(poses: Float[np.ndarray, "*P T 4 4"]) -> dict[str, Any]:
    return {"object_rotation": poses[..., :3, :3], "object_translation": poses[..., :3, 3]}


def _mend(
    common: Mapping[str, Any], poses: Float[np.ndarray, "*P T 4 4"], arguments: Mapping[str, Any], reading: Reading
) -> str:
    """The end of an error message: the option with which the same arrays are a sequence, or nothing."""
    others = {option: (changed, arguments) for option, changed in other_conventions(poses, reading).items()}
    for unit, factor in (("mm", 0.001), ("cm", 0.01)):
        if reading.hand_unit == "m":
            points = {
                key: value * factor for key, value in arguments.items() if key in ("hand_joints", "hand_vertices")
            }
            if points:
                others[f"--hand-unit {unit}"] = (poses, {**arguments, **points})
    for option, (changed, given) in others.items():
        with suppress(InputError):
            sequence_from_arrays(**common, **_motion(changed), **given)
            return f" ({option} mends it)"
    return ""


def _fps(path: str | Path, tracked: Tracked, reading: Reading) -> float:
    fps = reading.fps or tracked.fps
    if fps is None:
        raise bad_input(path, "frame rate", "--fps, as the file does not say it", "none")
    return fps


def hand_arguments(path: str | Path, tracked: Tracked, reading: Reading) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The hands as arguments of `sequence_from_arrays`, and remarks on them.

    Parameters if the file has them and MANO's files are here, else joints, else vertices. Raises InputError.
    """
    points: dict[str, Any] = {}
    if tracked.joints is not None:
        points = {"hand_joints": tracked.joints}
    elif tracked.vertices is not None:
        points = {"hand_vertices": tracked.vertices, "hand_vertex_order": "mano"}
    if tracked.mano is None:
        return points, ()
    try:
        models = [load_hand("mano", side) for side in tracked.sides]
    except InputError:
        if not points:
            raise
        what = "joints" if tracked.joints is not None else "vertices"
        return points, (f"the file's {what}, as MANO's files are not here ($TOCH_MANO)",)
    mano = _as_asked(tracked.mano, reading)
    if tracked.joints is None:
        mano = dataclasses.replace(mano, transl=mano.transl * METRES[reading.hand_unit])
    orient, betas, transl = _turns_shapes_places(models, mano)
    pairs = zip(models, mano.pose, strict=True)
    to_pose = pose_from_pca if mano.is_pca else absolute_pose
    pose = np.stack([_filled(to_pose, model, each, not mano.is_relative) for model, each in pairs])
    said: tuple[str, ...] = ("MANO's mean pose added",) if mano.is_relative else ()
    if mano.has_left_fault and "left" in tracked.sides:
        said += ("left betas of MANO_LEFT.pkl's faulty directions changed to those of the mended",)
    return {
        "hand_model": "mano",
        "hand_global_orient": orient,
        "hand_pose": pose,
        "hand_transl": transl,
        "hand_betas": betas,
    }, said


def _filled(
    to_pose: Callable[..., Any], model: HandModel, pose: Float[np.ndarray, "T K"], flat_hand_mean: bool
) -> Float[np.ndarray, "T 45"]:
    return np.asarray(to_pose(model, jnp.asarray(pose, jnp.float32), flat_hand_mean=flat_hand_mean), np.float64)


def _as_asked(mano: ManoTrack, reading: Reading) -> ManoTrack:
    if reading.mean_pose is not None:
        mano = dataclasses.replace(mano, is_relative=reading.mean_pose == "relative")
    if reading.hand_translation is not None:
        places_wrist = reading.hand_translation == "wrist"
        mano = dataclasses.replace(mano, places_wrist=places_wrist, turns_about_origin=False)
    return mano


def _betas(betas: Float[np.ndarray, "H *T S"]) -> Float[np.ndarray, "H *T S"]:
    """Shapes with lost frames filled by the mean of the others."""
    if betas.ndim == 2:
        return betas
    return np.where(np.isfinite(betas), betas, np.nanmean(betas, axis=1, keepdims=True))


def _turns_shapes_places(
    models: list[HandModel], mano: ManoTrack
) -> tuple[Float[np.ndarray, "H T 3"], Float[np.ndarray, "H *T S"], Float[np.ndarray, "H T 3"]]:
    """Orientations, betas of the models, and smplx's translations: those with which the wrists are where the file has
    them."""
    given = _betas(mano.betas)
    is_faulty = [mano.has_left_fault and model.side == "left" for model in models]
    if not (mano.places_wrist or mano.turns_about_origin or mano.moved_by is not None or any(is_faulty)):
        return mano.global_orient, given, mano.transl
    as_given = [with_left_fault(model) if each else model for model, each in zip(models, is_faulty, strict=True)]
    rows = zip(models, given, is_faulty, strict=True)
    betas = np.stack([without_left_fault(model, each) if faulty else each for model, each, faulty in rows])
    place = mano.transl
    if mano.turns_about_origin:
        turns = Rotation.from_rotvec(np.nan_to_num(mano.global_orient).reshape(-1, 3)).as_matrix()
        turns = turns.reshape(*mano.global_orient.shape, 3)
        place = place + np.einsum("htab,htb->hta", turns, np.broadcast_to(_wrists(as_given, given), place.shape))
    elif not mano.places_wrist:
        place = place + _wrists(as_given, given)
    orient = mano.global_orient
    if mano.moved_by is not None:
        turns, shift = mano.moved_by[..., :3, :3], mano.moved_by[..., :3, 3]
        place = np.einsum("htab,htb->hta", turns, place) + shift
        known = np.isfinite(orient).all(axis=-1) & np.isfinite(turns).all(axis=(-2, -1))
        orient = np.full(orient.shape, np.nan)
        if known.any():
            turned = Rotation.from_matrix(turns[known]) * Rotation.from_rotvec(mano.global_orient[known])
            orient[known] = turned.as_rotvec()
    return orient, betas, place - _wrists(models, betas)


def _wrists(models: list[HandModel], betas: Float[np.ndarray, "H *T S"]) -> Float[np.ndarray, "H T1 3"]:
    """Each model's wrist in its template, metres, for all frames or each."""
    shaped = betas[:, None] if betas.ndim == 2 else betas
    pairs = zip(models, shaped, strict=True)
    return np.stack([np.asarray(rest_joints(model, jnp.asarray(each, jnp.float32)))[:, 0] for model, each in pairs])


def _object_poses(
    path: str | Path, tracked: Tracked, parts: tuple[str, ...], reading: Reading
) -> tuple[Float[np.ndarray, "*P T 4 4"], tuple[str, ...]]:
    """The object's pose, or that of each of its parts, in each frame of the hands, in their frame of reference, and
    remarks."""
    if reading.object_poses is not None and parts:
        found = read_part_poses(reading.object_poses, parts, reading)
    elif reading.object_poses is not None:
        found = read_object_poses(reading.object_poses, reading)
    elif tracked.object_poses is not None:
        found = ObjectPoses(tracked.object_poses, None, ("object poses from the file",))
    else:
        raise bad_input(path, "object poses", "a file or a folder (--object-poses), as the file has none", "none")
    where = reading.object_poses or path
    if len(parts or "1") != (len(found.matrices) if found.matrices.ndim == 4 else 1):
        shape = f"poses of shape {found.matrices.shape}"
        raise bad_input(where, "object poses", f"poses of {len(parts or '1')} parts, as --object has", shape)
    poses, said = _in_frames(where, found, tracked)
    if reading.object_frame == "camera" and tracked.is_world:
        if tracked.camera is None or tracked.camera.from_world is None:
            raise bad_input(path, "camera", "the camera's pose in each frame, to move the object by", "none")
        poses = np.linalg.inv(tracked.camera.from_world) @ poses
        said = (*said, "object moved from the camera to the world")
    return poses, (*found.said, *said)


def _in_frames(
    where: str | Path, found: ObjectPoses, tracked: Tracked
) -> tuple[Float[np.ndarray, "*P T 4 4"], tuple[str, ...]]:
    count, given = tracked.n_frames, found.matrices.shape[-3]
    clocks = (found.seconds, tracked.seconds)
    if given > 1 and clocks[0] is not None and clocks[1] is not None:
        times = between(clocks[0], clocks[1])
        if times.known.any():
            return poses_at(times, found.matrices), ("object and hands matched by time",)
    if given == 1 and count > 1:
        return np.repeat(found.matrices, count, axis=-3), ("one object pose for all frames",)
    if found.numbers is not None and tracked.numbers is not None and not np.array_equal(found.numbers, tracked.numbers):
        at = {int(number): frame for frame, number in enumerate(found.numbers)}
        index = np.array([at.get(int(number), -1) for number in tracked.numbers])
        if (index < 0).all():
            wanted = f"some of the hands' {tracked.numbers[0]} to {tracked.numbers[-1]}"
            raise bad_input(where, "frame numbers", wanted, f"{found.numbers[0]} to {found.numbers[-1]}")
        poses = np.where((index >= 0)[:, None, None], found.matrices[..., index, :, :], np.nan)
        return poses, ("object and hands matched by frame number",)
    if given != count:
        raise bad_input(where, "object poses", f"the {count} frames of the hands", str(given))
    return found.matrices, ()
