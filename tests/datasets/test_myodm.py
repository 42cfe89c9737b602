"""MyoDM from a small wheel of the same layout: fetching, reading, kinematics, retargeting, the prepared data set."""

import dataclasses
import hashlib
from pathlib import Path

import igl
import jax.numpy as jnp
import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from support.tiny_wheel import FIRST_ANGLE, PARENTS, REST_PLACE, clip, rest_joints, write_wheel

from toch_jax.base.errors import InputError
from toch_jax.datasets.myodm import builder, retarget, source
from toch_jax.datasets.myodm.hand_points import bend_along, fit_shape, hand_points, lengths, pose_points, rest_pose
from toch_jax.datasets.myodm.object_distance import box_surface, piercings, sideways_exits, surface_about
from toch_jax.datasets.myodm.source import Motion, Skeleton, resample
from toch_jax.datasets.prepared import read_sequences
from toch_jax.datasets.spec import DatasetSpec, load_spec
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import HandModel, HandParams, skin


@pytest.fixture(scope="module")
def hand() -> HandModel:
    return load_hand("open")


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    clips = {"ball_roll": clip(), "ball_lift": clip(seed=1)}
    return write_wheel(tmp_path / "tinydm-1.0-py3-none-any.whl", clips, {"ball": trimesh.creation.icosphere(2, 0.03)})


def pinned(path: Path, **changes: object) -> DatasetSpec:
    """The spec with the checksum of this wheel."""
    spec = load_spec("myodm")
    extra = {"wheel": "tinydm==1.0", "wheel_sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "left_out": {}}
    return dataclasses.replace(spec, extra={**spec.extra, **extra, **changes})


def test_pip_fetches_the_wheel_once(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    fetched = source.fetch(pinned(wheel))
    assert fetched.parent == tmp_path / "cache"
    assert fetched.read_bytes() == wheel.read_bytes()
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    assert source.fetch(pinned(wheel)) == fetched


def test_pip_fails_in_one_line(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(InputError, match=r"^tinydm==7: pip download: expected .*--wheel") as error:
        source.fetch(pinned(wheel, wheel="tinydm==7"))
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "cache").iterdir())


def test_another_sum_is_refused_and_not_kept(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    spec = pinned(wheel, wheel_sha256="0" * 64)
    for given in (wheel, None):
        with pytest.raises(InputError, match="sha256: expected 0000"):
            source.fetch(spec, given)
    assert not list((tmp_path / "cache").iterdir())


def test_missing_files_are_named(wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        source.fetch(pinned(wheel), tmp_path / "nothing.whl")
    with pytest.raises(InputError, match=r"MyoHand_mug_lift\.npz"):
        source.read_recording(wheel, "mug_lift")
    with pytest.raises(InputError, match=r"mug\.stl"):
        source.read_mesh(wheel, "mug")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"robot": np.zeros((4, 28))}, "shapes"),
        ({"time": np.array([0.0, 0.02, 0.05, 0.06])}, "time"),
        ({"time": np.array([0.0, 0.02, np.nan, 0.06])}, "time"),
    ],
)
def test_a_clip_that_is_none_is_refused(tmp_path: Path, change: dict[str, np.ndarray], field: str) -> None:
    path = write_wheel(tmp_path / "bad.whl", {"ball_roll": {**clip(), **change}}, {})
    with pytest.raises(InputError, match=f": {field}: "):
        source.read_recording(path, "ball_roll")


def test_clips_are_listed_and_read(wheel: Path) -> None:
    assert source.clip_names(wheel) == ("ball_lift", "ball_roll")
    recording = source.read_recording(wheel, "ball_roll")
    assert (recording.object, recording.fps) == ("ball", pytest.approx(50))
    np.testing.assert_array_equal(recording.object_position, clip()["object"][:, :3])


def test_a_displaced_object_is_put_back(tmp_path: Path) -> None:
    stored = clip()
    moved = {**stored, "object": stored["object"] + np.array([0.01, 0, 0.035, 0, 0, 0, 0])}
    path = write_wheel(tmp_path / "moved.whl", {"ball_roll": moved}, {})
    found = source.read_recording(path, "ball_roll").object_position
    np.testing.assert_allclose(found, stored["object"][:, :3], atol=1e-12)


def test_forward_kinematics_in_closed_form(wheel: Path) -> None:
    """All hinges rotate about z: a joint's position is the sum of its bones, each rotated by the angles before it."""
    recording = source.read_recording(wheel, "ball_roll")
    motion = Skeleton(wheel, "ball").motion(recording)
    rest = rest_joints()
    angle, place = np.zeros((16, 4)), np.zeros((21, 4, 3))
    base = recording.robot[:, 3:6].sum(axis=1)

    def turned(by: np.ndarray, bone: np.ndarray) -> np.ndarray:
        return Rotation.from_euler("z", by[:, None]).apply(np.tile(bone, (4, 1)))

    place[0] = recording.robot[:, :3] + turned(base, rest[0])
    angle[0] = base + recording.robot[:, 6:9].sum(axis=1)
    for root, first in FIRST_ANGLE.items():
        hinges = (slice(first, first + 2), slice(first + 2, first + 3), slice(first + 3, first + 4))
        for joint, hinge in zip(range(root, root + 3), hinges, strict=True):
            parent = PARENTS[joint]
            place[joint] = place[parent] + turned(angle[parent], rest[joint] - rest[parent])
            angle[joint] = angle[parent] + recording.robot[:, hinge].sum(axis=1)
    for tip, last in zip(range(16, 21), (15, 3, 6, 12, 9), strict=True):
        place[tip] = place[last] + turned(angle[last], rest[tip] - rest[last])
    np.testing.assert_allclose(motion.joints, np.moveaxis(place, 0, 1), atol=1e-9)
    np.testing.assert_allclose(motion.translation, recording.object_position + REST_PLACE, atol=1e-12)
    w, x, y, z = recording.object_quaternion[2]
    np.testing.assert_allclose(
        motion.rotation[2] @ [1, 0, 0], [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)]
    )


def test_resampling_keeps_even_motion(hand: HandModel) -> None:
    """Constant linear and angular velocity are reproduced by linear interpolation and slerp."""

    def at(times: np.ndarray) -> Motion:
        joints = np.ones((1, 21, 3)) * times[:, None, None]
        rotation = Rotation.from_rotvec(times[:, None] * [0.3, 2.0, -1.0]).as_matrix()
        return Motion(joints, rotation, joints[:, 0], fps=1 / (times[1] - times[0]))

    found, wanted = resample(at(np.arange(51) / 50), 30.0), at(np.arange(31) / 30)
    assert found.fps == 30.0
    np.testing.assert_allclose(found.joints, wanted.joints, atol=1e-9)
    np.testing.assert_allclose(found.rotation, wanted.rotation, atol=1e-9)
    np.testing.assert_allclose(found.translation, wanted.translation, atol=1e-9)


def test_shape_follows_the_bones(hand: HandModel) -> None:
    """The shape of a hand of the model is recovered, up to the effect of the shape prior."""
    betas = np.zeros(10, np.float32)
    betas[0] = 1.5
    wanted = rest_pose(hand, jnp.asarray(betas))
    found = fit_shape(hand, np.asarray(wanted, np.float64), sigma=0.0005)
    np.testing.assert_allclose(lengths(rest_pose(hand, jnp.asarray(found))), lengths(wanted), atol=5e-4)


def test_points_move_as_the_hand_does(hand: HandModel) -> None:
    rng = np.random.default_rng(0)
    betas = rng.normal(size=10).astype(np.float32)
    params = HandParams(
        *(jnp.asarray(rng.normal(0, 0.3, (3, n)), jnp.float32) for n in (3, 45)),
        jnp.tile(betas, (3, 1)),
        jnp.zeros((3, 3)),
    )
    vertices, joints = (np.asarray(x, np.float64) for x in skin(hand, params))
    sampled = hand_points(hand, betas, n_skin=800)
    angles = jnp.concatenate([params.global_orient[:, None], params.pose.reshape(3, 15, 3)], axis=1)
    rotations = jnp.asarray(
        Rotation.from_rotvec(np.asarray(angles).reshape(-1, 3)).as_matrix().reshape(3, 16, 3, 3), jnp.float32
    )
    points = np.asarray(pose_points(sampled, hand.parents, rotations, jnp.asarray(joints[:, 0], jnp.float32)))
    landmarks = points[:, np.asarray(sampled.landmarks)]
    np.testing.assert_allclose(landmarks[:, 16:], joints[:, 16:], atol=1e-6)
    np.testing.assert_allclose(landmarks[:, [0, 13]], joints[:, [0, 13]], atol=1e-6)
    for frame in range(3):
        skin_points, faces = np.asarray(points[frame, :805], np.float64), np.asarray(hand.faces, np.int64)
        squared = igl.point_mesh_squared_distance(skin_points, np.ascontiguousarray(vertices[frame]), faces)[0]
        assert squared.max() < 1e-12
    # The centre line of a finger is farther from its skin than the model's joints, which are near the back.
    rest, fingers = np.asarray(rest_pose(hand, jnp.asarray(betas)), np.float64), [1, 2, 4, 5, 10, 11]
    body = np.asarray(hand.v_template + hand.shapedirs @ betas, np.float64), np.asarray(hand.faces, np.int64)
    to_rig, to_middle = (
        igl.point_mesh_squared_distance(np.ascontiguousarray(joints[fingers], np.float64), *body)[0]
        for joints in (rest, np.asarray(sampled.rest_landmarks))
    )
    assert (to_middle > 1.5 * to_rig).all()


def test_following_a_hand_of_the_same_proportions_changes_nothing() -> None:
    rest = rest_joints()
    bony = np.stack([rest, rest @ Rotation.from_euler("x", 40, degrees=True).as_matrix().T])
    followed = bend_along(rest, bony)
    skeleton_part = followed[:, :16] - bony[:, :16]
    # The extension of the tips (FLESH) moves joints slightly outwards along straight digits, in no other direction.
    assert np.linalg.norm(skeleton_part, axis=-1).max() < 0.004
    np.testing.assert_array_equal(followed[:, [0, 1, 4, 7, 10, 13]], bony[:, [0, 1, 4, 7, 10, 13]])


def test_distances_are_exact_where_they_count() -> None:
    """Against the closed form of a sphere; a second call recomputes only points that may have come near."""
    ball = trimesh.creation.icosphere(5, 0.05)
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.08, 0.08, (2, 300, 3)).astype(np.float32)
    first = surface_about(ball, points, box_surface(ball, points), 0.2)
    np.testing.assert_allclose(first.value, np.linalg.norm(points, axis=-1) - 0.05, atol=2e-5)
    away = np.einsum("tpk,tpk->tp", first.slope, points) / np.linalg.norm(points, axis=-1)
    assert away.min() > 0.99
    moved = (points + rng.normal(0, 0.004, points.shape)).astype(np.float32)
    second = surface_about(ball, moved, first, 0.01)
    exact = np.linalg.norm(moved, axis=-1) - 0.05
    near = np.abs(exact) < 0.01
    np.testing.assert_allclose(second.value[near], exact[near], atol=1e-4)
    assert (second.at != moved).any()


def test_what_goes_through_is_found_and_told_apart() -> None:
    """A bone through a rod is freed sideways, through a plate it is not; one that ends inside is not pierced."""
    rod = trimesh.creation.cylinder(0.003, 0.2)
    plate = trimesh.creation.box((0.2, 0.002, 0.2))
    through = [[-0.03, -0.04, 0], [0.001, -0.02, 0], [0.001, 0.02, 0]]
    ends_inside = [[0, -0.04, 0], [0, -0.02, 0], [0, 0, 0]]
    path = np.array([[through, ends_inside]])
    for mesh, can_slip in ((rod, True), (plate, False)):
        found = piercings(mesh, path)
        np.testing.assert_array_equal(found.where, [[0, 0, 1]])
        assert found.normal[0, 1] < -0.9
        far, aside = sideways_exits(mesh, path[0, :1, 1], path[0, :1, 2])
        assert np.isfinite(far[0]) == can_slip
        if can_slip:
            assert far[0] == pytest.approx(0.003)
            assert aside[0] @ [1, 0, 0] > 0.8


def test_prepared_clips_hold(tmp_path: Path, hand: HandModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A skeleton's fist around a bar, 4 mm too near for its soft tissue: the retargeted hand holds the bar."""
    frames = 10
    stored = clip(frames)
    stored["robot"][:] = 0
    # Fingers bend about z, towards the palm (-y); the thumb does not bend.
    for root in (1, 4, 10, 7):
        first = FIRST_ANGLE[root]
        stored["robot"][:, first], stored["robot"][:, first + 2 : first + 4] = 0.9, 0.8
    stored["robot"][:, 0] = np.linspace(0, 0.01, frames)
    joints = rest_joints()
    stored["object"][:, :3] = np.array([joints[4, 0] - 0.02, -0.032, 0.0]) - REST_PLACE
    stored["object"][:, 0] += stored["robot"][:, 0]
    stored["object"][:, 3:] = [1, 0, 0, 0]
    stored["robot_init"], stored["object_init"] = stored["robot"][3], stored["object"][3]
    bar = trimesh.creation.cylinder(0.017, 0.2, sections=24)
    path = write_wheel(tmp_path / "tiny.whl", {"mug_lift": stored, "ball_roll": clip(frames)}, {"mug": bar})
    spec = pinned(path, shape_clip="mug_lift", left_out={"ball_roll": "no such object in the splits"})
    monkeypatch.setattr(builder, "load_spec", lambda name: spec)
    monkeypatch.setattr(retarget, "ROUNDS", 12)
    folder = builder.prepare(tmp_path / "data", wheel=path, splits=("test",))
    ((name, sequence),) = read_sequences("myodm", "test", tmp_path / "data")
    assert name == "mug_lift"
    assert sequence.n_frames == 6
    vertices, found = (np.asarray(x[0], np.float64) for x in skin(hand, sequence.hands.params))
    centre = np.asarray(sequence.object_motion.translation[0], np.float64)
    height = np.linalg.norm((vertices - centre[:, None])[..., :2], axis=-1) - 0.017
    assert height.min() > -0.003
    assert (height.min(axis=1) < 0.002).all()
    assert np.linalg.norm(found[:, 0] - joints[0], axis=-1).max() < 0.03
    assert "mug_lift" in (folder / "reports.json").read_text()
    # After an interruption, the clip is not made a second time.
    monkeypatch.setattr(builder, "retarget", None)
    assert builder.prepare(tmp_path / "data", wheel=path, splits=("test",)) == folder
