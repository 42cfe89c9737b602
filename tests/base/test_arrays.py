"""Slicing and padding on the host: NumPy's results, without compilation."""

import jax
import numpy as np
import pytest

from toch_jax.base.arrays import pad_last, put, repeat, stack, take


def test_nothing_is_compiled(caplog: pytest.LogCaptureFixture) -> None:
    values = np.arange(7 * 13 * 3).reshape(7, 13, 3)
    with jax.log_compiles():
        leaf = put(values, np.float32)
        tree = stack([take({"a": leaf}, np.s_[:, 2:9]), take({"a": leaf}, np.s_[:, 4:11])])
        padded = pad_last(tree["a"], 17, axis=2)
        repeated = repeat(leaf, 5)
    assert not [record for record in caplog.records if "ompil" in record.message]
    expected = np.stack([values[:, 2:9], values[:, 4:11]])
    np.testing.assert_array_equal(tree["a"], expected)
    np.testing.assert_array_equal(padded, expected[:, :, np.minimum(np.arange(17), 6)])
    np.testing.assert_array_equal(repeated, np.broadcast_to(values, (5, *values.shape)))
    assert leaf.dtype == np.float32


def test_the_guard_sees_what_is_compiled(caplog: pytest.LogCaptureFixture) -> None:
    with jax.log_compiles():
        put(np.zeros((3, 11)), np.float32) + 1
    assert [record for record in caplog.records if "ompil" in record.message]
