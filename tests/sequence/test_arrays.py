from collections.abc import Callable

import jax
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from toch_jax.errors import InputError
from toch_jax.sequence.arrays import sequence_from_arrays
from toch_jax.sequence.record import sequence_from_record
from toch_jax.sequence.types import Sequence

Record = dict[str, np.ndarray]


def _assert_same(one: Sequence, other: Sequence) -> None:
    assert jax.tree.structure(one) == jax.tree.structure(other)
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
    """Three frames too, where a matrix for each frame has the shape of axis-angles for three parts."""
    record = make_record(n_frames)
    hand = {k: v[0] for k, v in record.items() if k.startswith(("hand_", "truth_")) and v.ndim > 1}
    rotation, translation = record["object_rotation"], record["object_translation"]
    if matrices:
        rotation = Rotation.from_rotvec(rotation.reshape(-1, 3)).as_matrix().reshape(1, n_frames, 3, 3)
    if not parts:
        rotation, translation = rotation[0], translation[0]
    found = _call(record, **hand, hand_side="right", object_rotation=rotation, object_translation=translation)
    _assert_same(found, sequence_from_record("file", record))


@pytest.mark.parametrize("off", [-1.0, 1.1])
def test_refuses_matrices_that_do_not_rotate(record: Record, off: float) -> None:
    matrices = np.tile(off * np.eye(3), (1, 6, 1, 1))
    with pytest.raises(InputError, match="my tracker: object_rotation: expected rotation matrices"):
        _call(record, object_rotation=matrices, where="my tracker")


def test_refuses_what_the_file_refuses(record: Record) -> None:
    with pytest.raises(InputError, match=r"sequence_from_arrays: hand_joints: expected shape .* found \(1, 5, 21, 3\)"):
        _call(record, hand_joints=record["hand_joints"][:, :5])
