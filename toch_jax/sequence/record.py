"""Conversion between a Sequence and the file's plain arrays (a record: key -> array), with all checks of the input.

The keys are described in sequence/file.py.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int32, Int64

from toch_jax.base.arrays import put
from toch_jax.base.errors import MOST_FAULTS, InputError, bad_input, caught, raise_all
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandParams, Side
from toch_jax.object.build import check_parts
from toch_jax.object.mesh import check_mesh
from toch_jax.object.model import ObjectMotion, motion_from_axis_angle, motion_to_axis_angle, part_middles
from toch_jax.sequence.camera_keys import CAMERA_KEYS, camera_arrays, read_camera
from toch_jax.sequence.checks import Reader, check_angles, check_hand_size, check_meeting
from toch_jax.sequence.hand_faults import ENOUGH, enough_joints, mark_missing, missing_notes, wrong_frames
from toch_jax.sequence.object_faults import mend_object
from toch_jax.sequence.types import Hands, Sequence

FORMAT = "toch-sequence"
VERSIONS = (1, 2)
"""Versions that are read; a sequence is written in the first that has all its keys."""
# Vertices of MANO's mesh.
N_MANO = 778
VERTEX_ORDERS = ("mano", "open", "unordered")
# Keys without their prefix, which is "hand_" for tracked data and "truth_" for ground truth.
PARAMETERS = {"global_orient": "H T 3", "pose": "H T 45", "transl": "H T 3", "betas": "H S"}
POINTS = {"joints": "H T 21 3", "vertices": "H T K 3"}
HAND_DATA = PARAMETERS | POINTS
MESH_KEYS = ("object_vertices", "object_faces", "object_vertex_part")
OBJECT_KEYS = (*MESH_KEYS, "object_rotation", "object_translation")
KEYS = (
    *("format", "version", "fps", "hand_side", "hand_valid", "hand_model", "hand_joint_sigma"),
    *(*OBJECT_KEYS, "object_valid", "object_pose_sigma", *CAMERA_KEYS),
    *(prefix + name for prefix in ("hand_", "truth_") for name in (*HAND_DATA, "vertex_order")),
)

# Limits on fps, Hz; chosen by hand.
SLOWEST, FASTEST = 0.01, 10_000
# Similarity (difflib's ratio) from which an unknown key counts as misspelled, and limits on the characters compared;
# chosen by hand.
NEAR = 0.75
SHORTEST_KEY, LONGEST_KEY = 4, 50


@np.errstate(over="ignore", invalid="ignore")  # numbers too large for float32 become infinite and are refused
def sequence_from_record(
    where: str | Path, record: Mapping[str, np.ndarray], mend_scale: str = "--object-scale"
) -> Sequence:
    """The checked Sequence. Raises InputError with a line for each fault that names `where` and the key.

    `mend_scale` is the `mend` of `check_mesh`: how a user scales a mesh that is in another unit.
    """
    reader = Reader(where, record)
    faults: list[InputError] = []
    with caught(faults):
        _check_format(reader)
    _check_keys(reader, faults)
    raise_all(faults)

    with caught(faults):
        fps = _fps(reader)
    with caught(faults):
        sides = _sides(reader)
    with caught(faults):
        vertices, faces, part = _mesh(reader, mend_scale)
    with caught(faults):
        motion, tracked = _motion(reader)
    with caught(faults):
        _check_hand_model(reader)
    with caught(faults):
        data, order = _hand_data(reader, "hand_")
        if not data:
            raise bad_input(where, "hand data", "hand parameters, hand_joints or hand_vertices", "none")
        if "joints" in data:
            data["joints"] = mark_missing(data["joints"])
        observed = _observed(reader, data)
        check_hand_size(where, "hand_", data, observed)
    with caught(faults):
        truth, truth_order = _hand_data(reader, "truth_")
        for name, value in truth.items():
            if not np.isfinite(value).all():
                found = f"{(~np.isfinite(value)).sum()} that are not"
                raise bad_input(where, f"truth_{name}", "finite numbers", found)
        if truth:
            check_hand_size(where, "truth_", truth, np.ones((reader.axes["H"][0], reader.axes["T"][0]), bool))
    with caught(faults):
        sigma, pose_sigma = _sigma(reader, "hand_joint_sigma", "H T 21"), _sigma(reader, "object_pose_sigma", "P T 6")
    with caught(faults):
        camera = read_camera(reader)
    raise_all(faults)
    wrong, notes = wrong_frames(sides, data, observed, fps)
    observed &= ~wrong
    # what the repair has filled in stays
    given = observed if sigma is None else observed | _complete(data, observed.shape)
    data = {name: _fill(value, given) if value.ndim > 2 else value for name, value in data.items()}
    if "joints" in data:
        notes = (*notes, *missing_notes(sides, data["joints"], observed))
    motion, tracked, object_notes = mend_object(motion, tracked, part_middles(vertices, part), fps)
    check_meeting(where, data, observed, vertices, faces, part, motion)
    return Sequence(
        fps=fps,
        hand_side=sides,
        hand_model=reader.text("hand_model") if "hand_model" in record else None,
        hands=_hands(data, order),
        hand_valid=put(observed),
        object_vertices=put(vertices),
        object_faces=put(faces),
        object_vertex_part=put(part),
        object_motion=motion,
        truth=_hands(truth, truth_order) if truth else None,
        hand_joint_sigma=None if sigma is None else put(sigma),
        object_valid=None if tracked.all() else put(tracked),
        object_pose_sigma=None if pose_sigma is None else put(pose_sigma),
        camera=camera,
        notes=(*notes, *object_notes),
        source=str(where),
    )


def record_from_sequence(sequence: Sequence) -> dict[str, np.ndarray]:
    """The inverse of `sequence_from_record`: the arrays by key."""
    rotation, translation = motion_to_axis_angle(sequence.object_motion)
    record: dict[str, np.ndarray] = {
        "format": np.array(FORMAT),
        "version": np.array(VERSIONS[0] if sequence.camera is None else VERSIONS[1]),
        "fps": np.array(sequence.fps),
        "hand_side": np.array(sequence.hand_side),
        "hand_valid": np.asarray(sequence.hand_valid),
        "object_vertices": np.asarray(sequence.object_vertices),
        "object_faces": np.asarray(sequence.object_faces),
        "object_rotation": rotation,
        "object_translation": translation,
    }
    if np.any(sequence.object_vertex_part):
        record["object_vertex_part"] = np.asarray(sequence.object_vertex_part)
    if sequence.hand_model is not None:
        record["hand_model"] = np.array(sequence.hand_model)
    if sequence.hand_joint_sigma is not None:
        record["hand_joint_sigma"] = np.asarray(sequence.hand_joint_sigma)
    if sequence.object_valid is not None:
        record["object_valid"] = np.asarray(sequence.object_valid)
    if sequence.object_pose_sigma is not None:
        record["object_pose_sigma"] = np.asarray(sequence.object_pose_sigma)
    if sequence.camera is not None:
        record |= camera_arrays(sequence.camera)
    for prefix, hands in (("hand_", sequence.hands), ("truth_", sequence.truth)):
        if hands is None:
            continue
        if hands.params is not None:
            for name in PARAMETERS:
                record[prefix + name] = np.asarray(getattr(hands.params, name))
            betas = record[prefix + "betas"]
            if (betas == betas[:, :1]).all():
                record[prefix + "betas"] = betas[:, 0]
        if hands.joints is not None:
            record[prefix + "joints"] = np.asarray(hands.joints)
        if hands.vertices is not None:
            record[prefix + "vertices"] = np.asarray(hands.vertices)
            record[prefix + "vertex_order"] = np.array(hands.vertex_order or "unordered")
    return record


def _check_keys(reader: Reader, faults: list[InputError]) -> None:
    """Add a fault for each unknown key, until there are more than MOST_FAULTS."""
    for key in reader.record:
        if key not in KEYS:
            near = _nearest_key(key[:LONGEST_KEY])
            known = f"the nearest is {near}" if near else "docs/sequence_file.md lists them"
            faults.append(bad_input(reader.where, key, f"a known key ({known})", "an unknown one"))
        if len(faults) > MOST_FAULTS:
            return


def _nearest_key(key: str) -> str | None:
    """The shortest known key that contains all words of `key`, else one of similar spelling; None if there is none."""
    words = key.split("_")
    whole = [known for known in KEYS if len(key) >= SHORTEST_KEY and all(word in known for word in words)]
    return min(whole or difflib.get_close_matches(key, KEYS, 1, NEAR), key=len, default=None)


def _check_format(reader: Reader) -> None:
    if (found := reader.text("format")) != FORMAT:
        raise bad_input(reader.where, "format", f'"{FORMAT}"', f'"{found}"')
    if (number := int(reader.array("version", "", "iu")[()])) not in VERSIONS:
        raise bad_input(reader.where, "version", " or ".join(map(str, VERSIONS)), str(number))


def _fps(reader: Reader) -> float:
    fps = float(reader.array("fps", "")[()])
    if not SLOWEST <= fps <= FASTEST:
        raise bad_input(reader.where, "fps", f"frames a second, {SLOWEST:g} to {FASTEST:g}", f"{fps:g}")
    return fps


def _mesh(
    reader: Reader, mend_scale: str
) -> tuple[Float[np.ndarray, "Vo 3"], Int32[np.ndarray, "Fo 3"], Int32[np.ndarray, "Vo"]]:
    """Vertices, faces and the part of each vertex; sets the length of the axis P."""
    given = reader.need("object_vertices", " or a mesh file (--object)"), reader.need("object_faces")
    vertices, faces = check_mesh(reader.where, *given, mend=mend_scale)
    part = check_parts(reader.where, len(vertices), reader.record.get("object_vertex_part"))
    named = "object_vertex_part" if "object_vertex_part" in reader.record else "one rigid part"
    reader.axes["P"] = (int(part.max()) + 1, named)
    return vertices, faces, part


def _motion(reader: Reader) -> tuple[ObjectMotion, Bool[np.ndarray, "P T"]]:
    """The parts' motion, and the frames in which each was tracked: not marked as lost, all values finite.

    Poses of other frames are the identity. Raises InputError if a part has no such frame.
    """
    translation, rotation = (
        reader.array(f"object_{name}", "P T 3").astype(np.float32) for name in ("translation", "rotation")
    )
    tracked: Bool[np.ndarray, "P T"] = np.isfinite(np.concatenate([translation, rotation], axis=-1)).all(axis=-1)
    if "object_valid" in reader.record:
        marks = "T" if np.ndim(reader.record["object_valid"]) == 1 else "P T"
        tracked = tracked & reader.array("object_valid", marks, "b")
    if not tracked.any(axis=1).all():
        lost = np.flatnonzero(~tracked.any(axis=1))[0]
        raise bad_input(reader.where, f"object data (part {lost})", "a frame in which the object is tracked", "none")
    translation, rotation = (np.where(tracked[..., None], each, 0) for each in (translation, rotation))
    check_angles(reader.where, "object_rotation", rotation)
    return motion_from_axis_angle(rotation, translation), tracked


def _sides(reader: Reader) -> tuple[Side, ...]:
    found = reader.array("hand_side", "H", "U").tolist()
    sides: list[Side] = []
    for side in found:
        if side != "right" and side != "left":
            raise bad_input(reader.where, "hand_side", '"right" or "left" for each hand', str(found))
        sides.append(side)
    return tuple(sides)


def _check_hand_model(reader: Reader) -> None:
    """Raise InputError if there are tracked or true hand parameters but no `hand_model`."""
    given = [key for prefix in ("hand_", "truth_") for name in PARAMETERS if (key := prefix + name) in reader.record]
    if given:
        reader.need("hand_model", f' beside {given[0]} ("open", "mano" or a path; HaMeR\'s and WiLoR\'s are MANO\'s)')


def _hand_data(reader: Reader, prefix: str) -> tuple[dict[str, np.ndarray], str | None]:
    """The arrays of HAND_DATA in the record as float32, and the order of the vertices. Raises InputError."""
    data: dict[str, np.ndarray] = {}
    given = [prefix + name for name in PARAMETERS if prefix + name in reader.record]
    if given:
        for name, shape in PARAMETERS.items():
            if name == "pose" and reader.need(prefix + name, f" beside {given[0]}").shape[-1:] == (48,):
                both = f"{prefix}global_orient (pose[..., :3]) and {prefix}pose (pose[..., 3:])"
                raise bad_input(reader.where, prefix + name, "45 numbers", f"48, which are {both}")
            # Some trackers estimate the shape in each frame.
            per_frame = name == "betas" and reader.need(prefix + name, f" beside {given[0]}").ndim == 3
            data[name] = reader.array(prefix + name, "H T S" if per_frame else shape, why=f" beside {given[0]}")
        check_angles(reader.where, f"{prefix}global_orient", data["global_orient"])
        check_angles(reader.where, f"{prefix}pose", data["pose"].reshape(*data["pose"].shape[:2], 15, 3))
        if data["betas"].ndim == 2 and not np.isfinite(data["betas"]).all():
            raise bad_input(reader.where, f"{prefix}betas", "finite numbers", "some that are not")
    for name, shape in POINTS.items():
        if prefix + name in reader.record:
            data[name] = reader.array(prefix + name, shape.replace("K", f"K_{prefix}"))
    order = None
    if "vertices" in data:
        order = reader.text(f"{prefix}vertex_order") if f"{prefix}vertex_order" in reader.record else "unordered"
        if order not in VERTEX_ORDERS:
            raise bad_input(reader.where, f"{prefix}vertex_order", f"one of {', '.join(VERTEX_ORDERS)}", f'"{order}"')
        n_points = {"mano": N_MANO, "open": len(load_hand("open").v_template)}.get(order)
        if n_points is not None and data["vertices"].shape[2] != n_points:
            expected = f"the {n_points} points of {order}'s order"
            raise bad_input(reader.where, f"{prefix}vertices", expected, f"{data['vertices'].shape[2]}")
    return {name: value.astype(np.float32) for name, value in data.items()}, order


def _observed(reader: Reader, data: dict[str, np.ndarray]) -> Bool[np.ndarray, "H T"]:
    """Frames in which the hand was tracked: not marked as lost, enough joints, all other values finite.

    Raises InputError if a hand has no such frame.
    """
    n_hands, n_frames = reader.axes["H"][0], reader.axes["T"][0]
    observed = _complete(data, (n_hands, n_frames))
    if "hand_valid" in reader.record:
        observed &= reader.array("hand_valid", "H T", "b")
    if not observed.any(axis=1).all():
        lost = np.flatnonzero(~observed.any(axis=1))[0]
        joints = data["joints"][lost] if "joints" in data else np.zeros((n_frames, 21, 3))
        too_few = np.isfinite(joints).any() and not enough_joints(joints).any()
        expected = f"a frame with {ENOUGH}" if too_few else "a frame in which the hand is tracked"
        raise bad_input(reader.where, f"hand data (hand {lost})", expected, "none")
    return observed


def _complete(data: dict[str, np.ndarray], shape: tuple[int, int]) -> Bool[np.ndarray, "H T"]:
    """Frames with enough joints, and all other values finite."""
    complete = np.ones(shape, bool)
    for name, value in data.items():
        if name == "joints":
            complete &= enough_joints(value)
        elif value.ndim > 2:
            complete &= np.isfinite(value).reshape(*shape, -1).all(axis=-1)
    return complete


def _fill(value: np.ndarray, observed: Bool[np.ndarray, "H T"]) -> np.ndarray:
    """The data with each lost frame replaced by the nearest observed one."""
    return np.stack([one[nearest_observed(frames)] for one, frames in zip(value, observed, strict=True)])


def nearest_observed(observed: Bool[np.ndarray, "T"]) -> Int64[np.ndarray, "T"]:
    """Index of the nearest observed frame for each frame (the earlier of two). At least one must be observed."""
    every, found = np.arange(len(observed)), np.flatnonzero(observed)
    after = np.searchsorted(found, every).clip(max=len(found) - 1)
    before = (after - 1).clip(min=0)
    is_before = abs(found[before] - every) <= abs(found[after] - every)
    return np.where(is_before, found[before], found[after])


def _sigma(reader: Reader, key: str, shape: str) -> Float[np.ndarray, "*axes"] | None:
    if key not in reader.record:
        return None
    sigma = reader.array(key, shape).astype(np.float32)
    if not np.isfinite(sigma).all():
        raise bad_input(reader.where, key, "finite numbers", f"{(~np.isfinite(sigma)).sum()} that are not")
    return sigma


def _hands(data: dict[str, np.ndarray], order: str | None) -> Hands:
    params = None
    if "pose" in data:
        betas, pose = data["betas"], data["pose"]
        if betas.ndim == 2:
            betas = np.broadcast_to(betas[:, None], (*pose.shape[:2], betas.shape[-1]))
        params = HandParams(
            global_orient=put(data["global_orient"]),
            pose=put(pose),
            betas=put(betas),
            transl=put(data["transl"]),
        )
    points = {name: put(data[name]) if name in data else None for name in POINTS}
    return Hands(params=params, vertex_order=order, **points)
