"""Reading of MANO files, against the `smplx` package on the same files (tests/golden/make_smplx_mano.py)."""

import io
import os
import pickle
import struct
import sys
import types
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

from toch_jax.base.errors import InputError
from toch_jax.hand.conventions import absolute_pose, pose_from_pca
from toch_jax.hand.files import has_left_fault, load_hand
from toch_jax.hand.model import HandModel, HandParams, Side, skin_frames

Arrays = dict[str, np.ndarray]


def assert_same(found: HandModel, expected: HandModel, atol: float = 0) -> None:
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


def mano_arrays(golden: Arrays, side: Side) -> Arrays:
    start = f"{side}_model_"
    return {key.removeprefix(start): value for key, value in golden.items() if key.startswith(start)}


@pytest.fixture
def folder(golden: Arrays, tmp_path: Path) -> Path:
    """A folder with the layout of MANO's own."""
    models = tmp_path / "mano_v1_2" / "models"
    models.mkdir(parents=True)
    sides: tuple[Side, Side] = ("right", "left")
    for side in sides:
        arrays = mano_arrays(golden, side)
        content = arrays | {"J_regressor": scipy.sparse.csc_matrix(arrays["J_regressor"]), "bs_style": "lbs"}
        (models / f"MANO_{side.upper()}.pkl").write_bytes(pickle.dumps(content, protocol=2))
    return tmp_path


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("kind", ["full", "pca"])
def test_agrees_with_smplx(golden: Arrays, folder: Path, side: Side, flat: bool, kind: str) -> None:
    model = load_hand(folder, side)
    given = jnp.asarray(golden[f"input_{kind}"])
    convert = absolute_pose if kind == "full" else pose_from_pca
    orient, betas, transl = (jnp.asarray(golden[f"input_{key}"]) for key in ("global_orient", "betas", "transl"))
    params = HandParams(orient, convert(model, given, flat_hand_mean=flat), betas, transl)
    vertices, joints = skin_frames(model, params)
    np.testing.assert_allclose(vertices, golden[f"{side}_vertices_{kind}_{flat}"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(joints[:, :16], golden[f"{side}_joints_{kind}_{flat}"], rtol=0, atol=1e-6)


def test_the_other_sides_file_serves_mirrored(golden: Arrays, folder: Path) -> None:
    models = folder / "mano_v1_2" / "models"
    expected = load_hand(folder, "left")
    for place in (models / "MANO_RIGHT.pkl", models):
        if place.is_dir():
            (place / "MANO_LEFT.pkl").unlink()
        found = load_hand(place, "left")
        assert found.side == "left"
        assert_same(found, expected, atol=1e-7)


def test_npz(golden: Arrays, tmp_path: Path, folder: Path) -> None:
    np.savez(tmp_path / "MANO_LEFT.npz", **mano_arrays(golden, "left"), allow_pickle=False)
    assert_same(load_hand(tmp_path / "MANO_LEFT.npz", "left"), load_hand(folder, "left"))


def test_left_fault_is_mended_and_only_then(golden: Arrays, tmp_path: Path, folder: Path) -> None:
    arrays = mano_arrays(golden, "left")
    assert not has_left_fault(arrays["v_template"], arrays["shapedirs"])
    faulty = arrays | {"shapedirs": arrays["shapedirs"] * np.array([-1, 1, 1], np.float32)[:, None]}
    (tmp_path / "MANO_LEFT.pkl").write_bytes(pickle.dumps(faulty))
    mended = load_hand(tmp_path / "MANO_LEFT.pkl", "left")
    np.testing.assert_array_equal(mended.shapedirs, arrays["shapedirs"])


class _Python2Pickler(pickle._Pickler):  # the C version does not allow it
    """Pickler that writes bytes as Python 2 wrote its strings."""

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)

    def _save_bytes(self, data: bytes) -> None:
        self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(data)

    dispatch[bytes] = _save_bytes


def _chumpy_class(monkeypatch: pytest.MonkeyPatch, module: str, name: str) -> type:
    made = type(name, (), {"__module__": module})
    holder = types.ModuleType(module)
    setattr(holder, name, made)
    monkeypatch.setitem(sys.modules, module, holder)
    return made


def test_a_file_as_python_2_and_chumpy_wrote_it(
    golden: Arrays, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = mano_arrays(golden, "right")
    n_vertices = len(arrays["v_template"])
    whole = np.concatenate([arrays["shapedirs"], np.ones_like(arrays["shapedirs"])], axis=-1).astype(np.float64)
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    base = _chumpy_class(monkeypatch, "chumpy.ch", "Ch")()
    base.x = whole
    view = _chumpy_class(monkeypatch, "chumpy.reordering", "Select")()
    view.a, view.preferred_shape = base, (n_vertices, 3, 10)
    view.idxs = np.arange(whole.size).reshape(whole.shape)[..., :10].ravel()
    content = arrays | {"shapedirs": view, "J_regressor": scipy.sparse.csc_matrix(arrays["J_regressor"])}
    content["hands_mean"] = np.asfortranarray(arrays["hands_mean"].astype(np.float64))
    stream = io.BytesIO()
    _Python2Pickler(stream, protocol=2).dump(content)
    old = stream.getvalue().replace(b"numpy._core.", b"numpy.core.").replace(b"scipy.sparse._csc", b"scipy.sparse.csc")
    monkeypatch.undo()
    assert b"chumpy.reordering" in old
    assert b"_codecs" not in old
    (tmp_path / "old.pkl").write_bytes(old)
    assert_same(load_hand(tmp_path / "old.pkl"), load_hand(folder))


class _Trap:
    def __init__(self, call: object, *args: object) -> None:
        self.call = call, args

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_runs_code_does_not(golden: Arrays, tmp_path: Path, protocol: int) -> None:
    witness = tmp_path / "witness"
    trap = mano_arrays(golden, "right") | {"bs_type": _Trap(os.system, f"touch {witness}")}
    path = tmp_path / "trap.pkl"
    path.write_bytes(pickle.dumps(trap, protocol))
    with pytest.raises(InputError, match=r"trap\.pkl: pickle: .*system, which was not run") as raised:
        load_hand(path)
    assert "\n" not in str(raised.value)
    assert not witness.exists()


@pytest.mark.parametrize("call", [(eval, "1"), (getattr, 1, "real"), (__import__, "os"), (np.load, "x"), (exec, "")])
def test_nothing_but_arrays_is_built(tmp_path: Path, call: tuple) -> None:
    path = tmp_path / "trap.pkl"
    path.write_bytes(pickle.dumps({"v_template": _Trap(*call)}))
    with pytest.raises(InputError, match="which was not run"):
        load_hand(path)


def test_bad_files_say_what_is_wrong(golden: Arrays, tmp_path: Path) -> None:
    arrays = mano_arrays(golden, "right")
    path = tmp_path / "MANO_RIGHT.pkl"
    whole = pickle.dumps(arrays)
    without = {key: value for key, value in arrays.items() if key != "posedirs"}
    loose = arrays | {"f": np.concatenate([arrays["f"][:40], arrays["f"][80:]])}
    cases = [
        (whole[: len(whole) // 2], "pickle: expected the arrays of a hand model, found .*truncated"),
        (b"", "pickle: .*EOFError"),
        (b"not a pickle", "pickle: "),
        (pickle.dumps([1, 2]), "pickle: "),
        (pickle.dumps(without), "posedirs: .*no such key"),
        (pickle.dumps(arrays | {"weights": arrays["weights"][:, :15]}), r"weights: expected shape \(82, 16\), found"),
        (pickle.dumps(arrays | {"J_regressor": arrays["J_regressor"][:, 1:]}), "J_regressor: expected shape"),
        (pickle.dumps(arrays | {"v_template": "hand"}), "v_template: expected numbers"),
        (pickle.dumps(arrays | {"hands_mean": np.full(45, np.nan)}), "hands_mean: expected finite"),
        (pickle.dumps(arrays | {"f": arrays["f"] + 1}), "f: expected vertices 0 to 81, found 1 to 82"),
        (pickle.dumps(loose), "f: expected a mesh with one opening"),
    ]
    for content, message in cases:
        path.write_bytes(content)
        with pytest.raises(InputError, match=message) as raised:
            load_hand(path)
        assert "\n" not in str(raised.value)
        assert str(raised.value).startswith(str(path))


def test_bad_npz(golden: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "MANO_RIGHT.npz"
    np.savez(path, **mano_arrays(golden, "right"), allow_pickle=False)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="npz: expected plain arrays"):
        load_hand(path)
    np.savez(path, v_template=np.array({"a": 1}, dtype=object))
    with pytest.raises(InputError, match="npz: expected plain arrays"):
        load_hand(path)


def test_where_mano_is_looked_for(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCH_MANO", str(folder))
    assert load_hand("mano", "left").side == "left"
    monkeypatch.setenv("TOCH_MANO", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"nowhere: hand model: .*nothing there; set \$TOCH_MANO"):
        load_hand("mano")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: MANO: expected MANO_RIGHT.pkl"):
        load_hand(tmp_path / "empty")
