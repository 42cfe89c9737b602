from collections.abc import Callable

import jax
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from toch_jax.base.errors import InputError
from toch_jax.sequence.arrays import arrays_from_sequence, sequence_from_arrays
from toch_jax.sequence.record import sequence_from_record
from toch_jax.sequence.types import Sequence

Record = dict[str, np.ndarray]


def _assert_same(one: Sequence, other: Sequence) -> None:
    assert jax.tree.structure(one) == jax.tree.structure(other.replace(source=one.source))
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def _call(record: Record, **changes: object) -> Sequence:
    arguments = {key: value for key, value in record.items() if key not in ("format", "version")}
    plain = {key: value.item() for key, value in arguments.items() if value.ndim == 0}
    return sequence_from_arrays(**(arguments | plain | changes))  # type: ignore[arg-type]


def test_the_same_as_the_file(record: Record) -> None:
    _assert_same(_call(record), sequence_from_record("file", record))


@pytest.mark.parametrize("n_frames", [3, 6])
@pytest.mark.parametrize("matrices", [False, True])
@pytest.mark.parametrize("parts", [False, True])
def test_one_hand_and_one_part_without_their_axes(
    make_record: Callable[..., Record], n_frames: int, matrices: bool, parts: bool
) -> None:
    """Including three frames, where one matrix per frame has the shape of axis-angles of three parts."""
    record = make_record(n_frames)
    hand = {k: v[0] for k, v in record.items() if k.startswith(("hand_", "truth_")) and v.ndim > 1}
    rotation, translation = record["object_rotation"], record["object_translation"]
    if matrices:
        rotation = Rotation.from_rotvec(rotation.reshape(-1, 3)).as_matrix().reshape(1, n_frames, 3, 3)
    if not parts:
        rotation, translation = rotation[0], translation[0]
    found = _call(record, **hand, hand_side="right", object_rotation=rotation, object_translation=translation)
    assert (found.hand_axis, found.part_axis) == (False, parts)
    _assert_same(found.replace(hand_axis=True, part_axis=True), sequence_from_record("file", record))


def test_lost_frames_of_an_object_given_as_matrices(record: Record) -> None:
    """NaN, all zero or marked; the arrays that come back have no axis P either."""
    turns = Rotation.from_rotvec(record["object_rotation"][0]).as_matrix()
    turns[1], turns[2] = 0, np.nan
    valid = np.arange(6) != 4
    given = {"object_rotation": turns, "object_translation": record["object_translation"][0], "object_valid": valid}
    found = _call(record, **given)
    expected = np.array([1, 0, 0, 1, 0, 1], bool)
    np.testing.assert_array_equal(found.object_observed, expected[None])
    np.testing.assert_array_equal(found.numpy()["object_valid"], expected)
    assert found.frames(3, 6).object_valid.tolist() == [[True, False, True]]


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (-np.eye(3), r"a mirror \(determinant -1\)"),
        (np.diag([1.0, -1.0, 1.0]), r"a mirror \(determinant -1\)"),
        (1.1 * np.eye(3), r"one that is not orthogonal \(R R\^T differs from the identity by 0.21\)"),
        (np.array([[1, 0.5, 0], [0, 1, 0], [0, 0, 1]]), r"one that is not orthogonal .* by 0.5\)"),
    ],
)
def test_names_the_first_matrix_that_does_not_rotate(record: Record, wrong: np.ndarray, what: str) -> None:
    turns = np.tile(np.eye(3), (1, 6, 1, 1))
    turns[0, 4:] = wrong
    expected = f"^my tracker: object_rotation: expected rotation matrices, found {what} in object_rotation"
    with pytest.raises(InputError, match=rf"{expected}\[0, 4\] \(part, frame\)$"):
        _call(record, object_rotation=turns, where="my tracker")
    with pytest.raises(InputError, match=rf"{expected}\[4\] \(frame\)$"):
        _call(record, object_rotation=turns[0], object_translation=np.zeros((6, 3)), where="my tracker")
    bends = np.tile(np.eye(3), (1, 6, 15, 1, 1))
    bends[0, 2, 7] = wrong
    with pytest.raises(InputError, match=rf"found {what} in hand_pose\[0, 2, 7\] \(hand, frame, joint\)$"):
        _call(record, hand_pose=bends)


def test_says_which_axes_matrices_have(record: Record) -> None:
    hand = {k: v[0] for k, v in record.items() if k.startswith(("hand_", "truth_")) and v.ndim > 1}
    turns, bends = np.tile(np.eye(3), (1, 6, 1, 1)), np.tile(np.eye(3), (1, 6, 15, 1, 1))
    one = r"shape \(T, 3\) or \(T, 3, 3\), as hand_side is 'right', found \(1, 6, 3, 3\)$"
    with pytest.raises(InputError, match=f"hand_global_orient: expected {one}"):
        _call(record, **(hand | {"hand_global_orient": turns}), hand_side="right")
    many = r"shape \(H, T, 45\) or \(H, T, 15, 3, 3\), as hand_side is \['right'\], found \(6, 15, 3, 3\)$"
    with pytest.raises(InputError, match=f"hand_pose: expected {many}"):
        _call(record, hand_pose=bends[0], hand_side=["right"])
    parts = r"\(P, T, 3\) or \(P, T, 3, 3\), as object_translation has the shape \(1, 6, 3\), found \(6, 3, 3\)$"
    with pytest.raises(InputError, match=f"object_rotation: expected shape {parts}"):
        _call(record, object_rotation=turns[0])


def test_refuses_what_the_file_refuses(record: Record) -> None:
    with pytest.raises(InputError, match=r"sequence_from_arrays: hand_joints: expected shape .* found \(1, 5, 21, 3\)"):
        _call(record, hand_joints=record["hand_joints"][:, :5])


@pytest.mark.parametrize("lead", [(), (1,)])
def test_hands_may_turn_by_matrices(record: Record, lead: tuple[int, ...]) -> None:
    """SciPy's matrices of the same rotations; a frame of NaN is lost, as with axis-angle."""
    hand = {k: v if lead else v[0] for k, v in record.items() if k.startswith(("hand_", "truth_")) and v.ndim > 1}
    turn = Rotation.from_rotvec(record["hand_global_orient"].reshape(-1, 3)).as_matrix().reshape(*lead, -1, 3, 3)
    bend = Rotation.from_rotvec(record["hand_pose"].reshape(-1, 3)).as_matrix().reshape(*lead, -1, 15, 3, 3)
    side = ["right"] if lead else "right"
    found = _call(record, **(hand | {"hand_global_orient": turn, "hand_pose": bend}), hand_side=side)
    expected = _call(record, **hand, hand_side=side)
    _assert_same(found, expected)
    turn = turn.copy()
    turn[..., 2, :, :] = np.nan
    found = _call(record, **(hand | {"hand_global_orient": turn, "hand_pose": bend}), hand_side=side)
    assert np.flatnonzero(~np.asarray(found.hand_valid[0])).tolist() == [2]


@pytest.mark.parametrize("zero", [("hand_global_orient", "hand_pose"), ("hand_global_orient",), ("hand_pose",)])
def test_frames_of_zero_matrices_are_lost(record: Record, zero: tuple[str, ...]) -> None:
    """Zero matrices are treated as NaN; a single zero matrix is also accepted in a frame lost by `hand_valid`."""
    turn = Rotation.from_rotvec(record["hand_global_orient"].reshape(-1, 3)).as_matrix().reshape(1, -1, 3, 3)
    bend = Rotation.from_rotvec(record["hand_pose"].reshape(-1, 3)).as_matrix().reshape(1, -1, 15, 3, 3)
    blank, nan = ({"hand_global_orient": turn.copy(), "hand_pose": bend.copy()} for _ in range(2))
    for key in zero:
        blank[key][:, [1, 4]] = 0
        nan[key][:, [1, 4]] = np.nan
    _assert_same(_call(record, **blank), _call(record, **nan))
    valid = np.array([[False, True, True, True, True, True]])
    blank["hand_pose"][0, 0, 3] = 0
    found = _call(record, **blank, hand_valid=valid)
    assert np.flatnonzero(~np.asarray(found.hand_valid[0])).tolist() == [0, 1, 4]
    with pytest.raises(InputError, match=r"found one that is not orthogonal .* hand_pose\[0, 0, 3\]"):
        _call(record, **blank)
    with pytest.raises(InputError, match=r"truth_global_orient: expected rotation matrices"):
        _call(record, truth_global_orient=blank["hand_global_orient"] * 0)


def test_says_how_to_scale_the_mesh_in_python(record: Record) -> None:
    with pytest.raises(InputError, match=r"in millimetres \(object_vertices \* 0.001 makes it 0.08 m\)"):
        _call(record, object_vertices=record["object_vertices"] * 1000)


def test_says_how_to_split_what_holds_the_wrist_too(record: Record) -> None:
    pose = np.concatenate([record["hand_global_orient"], record["hand_pose"]], axis=-1)
    with pytest.raises(InputError, match=r"hand_pose: expected 45 numbers, found 48, .*pose\[..., :3\]"):
        _call(record, hand_pose=pose)
    matrices = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(1, -1, 16, 3, 3)
    with pytest.raises(InputError, match=r"hand_pose: expected 15 matrices.*the first of the 16 is the wrist's"):
        _call(record, hand_pose=matrices)


@pytest.mark.parametrize("sides", ["right", ("right",), ("left", "right")])
@pytest.mark.parametrize("parts", [None, 1, 2])
@pytest.mark.parametrize("kinds", [("joints",), ("vertices",), ("global_orient", "pose", "transl", "betas", "joints")])
def test_what_comes_out_is_what_went_in(
    make_record: Callable[..., Record], sides: str | tuple[str, ...], parts: int | None, kinds: tuple[str, ...]
) -> None:
    """The same keys, joint order, axes and values; converted back, the same sequence."""
    hands = (sides,) if isinstance(sides, str) else sides
    given = make_record(6, hands)
    given["hand_joint_sigma"] = np.random.default_rng(1).uniform(0.001, 0.01, (len(hands), 6, 21))
    given["hand_valid"] = np.arange(6 * len(hands)).reshape(len(hands), 6) % 5 != 4
    for name in ("global_orient", "pose", "transl", "betas", "joints", "vertices"):
        if name not in kinds:
            given.pop(f"hand_{name}", None)
    if "pose" not in kinds:
        del given["hand_model"]
    if "vertices" not in kinds:
        del given["hand_vertex_order"]
    if parts == 2:
        given["object_vertex_part"] = np.repeat([0, 1], [len(given["object_vertices"]), 5])
        given["object_vertices"] = np.concatenate([given["object_vertices"], given["object_vertices"][:5] + 1.0])
        given["object_faces"] = np.concatenate([given["object_faces"], [[-1, -2, -3], [-1, -3, -4]]])
        given["object_faces"] %= len(given["object_vertices"])
    for key in ("object_rotation", "object_translation"):
        given[key] = given[key][0] if parts is None else np.repeat(given[key], parts, axis=0)
    if isinstance(sides, str):
        given = {k: v[0] if k.startswith(("hand_", "truth_")) and v.ndim else v for k, v in given.items()}
    arguments = {k: v.item() if v.ndim == 0 else v for k, v in given.items() if k not in ("format", "version")}

    sequence = sequence_from_arrays(**arguments)  # type: ignore[arg-type]
    found = arrays_from_sequence(sequence)
    assert found.keys() == arguments.keys()
    for key, value in arguments.items():
        if not isinstance(value, np.ndarray) or value.dtype.kind in "Ub":
            np.testing.assert_array_equal(found[key], value, err_msg=key)
            continue
        observed = given["hand_valid"] if key.startswith("hand_") and key != "hand_betas" else ...
        if key == "object_rotation":
            angle = Rotation.from_rotvec(found[key].reshape(-1, 3)).inv() * Rotation.from_rotvec(value.reshape(-1, 3))
            assert angle.magnitude().max() < 1e-5
            assert found[key].shape == value.shape
        elif observed is ... or key == "hand_joint_sigma":
            np.testing.assert_allclose(found[key], value, atol=1e-6, err_msg=key)
        else:
            assert found[key].shape == value.shape
            np.testing.assert_allclose(found[key][observed], value[observed], atol=1e-6, err_msg=key)
    _assert_same(sequence_from_arrays(**found), sequence)
    assert sequence.numpy().keys() == found.keys()
    found["object_vertices"][:] = 0
    assert np.asarray(sequence.object_vertices).any()


def test_a_sequence_prints_short(record: Record) -> None:
    text = repr(_call(record, hand_valid=np.array([[True, False, True, True, True, True]])))
    assert len(text) < 500
    for part in ("fps=30", "right", "joints (1, 6, 21, 3)", "pose (1, 6, 45)", "lost_frames=[1]", "(162, 3)"):
        assert part in text
    assert "array" not in text.lower()
    # a traced array, which has no values
    observed: list[str] = []
    jax.jit(lambda sequence: observed.append(repr(sequence)))(_call(record))
    assert "pose (1, 6, 45)" in observed[0]
