"""Versions of hands that are shown together."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from toch_jax.base.errors import InputError
from toch_jax.view.scene import load_rows

MESH_KEYS = ("object_vertices", "object_faces")


@pytest.fixture
def arrays(example_file: Path) -> dict[str, np.ndarray]:
    with np.load(example_file) as file:
        return dict(file)


def write(path: Path, arrays: dict[str, np.ndarray], without: tuple[str, ...] = ()) -> Path:
    np.savez(path, **{key: value for key, value in arrays.items() if key not in without})
    return path


def test_the_object_comes_from_whichever_file_holds_it(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    whole, bare = write(tmp_path / "whole.npz", arrays), write(tmp_path / "bare.npz", arrays, MESH_KEYS)
    mesh = tmp_path / "object.ply"
    trimesh.Trimesh(arrays["object_vertices"], arrays["object_faces"], process=False).export(mesh)
    for tracked, clean, object_mesh in ((bare, whole, None), (whole, bare, None), (bare, bare, mesh)):
        sequence, rows = load_rows(tracked, clean, object_mesh)
        assert list(rows) == ["before", "after", "truth"]
        np.testing.assert_allclose(sequence.object_vertices, arrays["object_vertices"], atol=1e-6)


def test_without_a_mesh_the_missing_key_is_named(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    bare = write(tmp_path / "bare.npz", arrays, MESH_KEYS)
    with pytest.raises(InputError, match="object_vertices"):
        load_rows(bare)
    with pytest.raises(InputError, match="object_vertices"):
        load_rows(bare, bare)


def test_files_of_two_clips_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    tracked = write(tmp_path / "tracked.npz", arrays)
    shorter = {
        key: value[:, :-3] if value.ndim > 1 and value.shape[1] == arrays["hand_valid"].shape[1] else value
        for key, value in arrays.items()
    }
    with pytest.raises(InputError, match=r"shorter\.npz: frames"):
        load_rows(tracked, write(tmp_path / "shorter.npz", shorter))
