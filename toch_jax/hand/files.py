"""Hand models from files: the open hand of this package; MANO (Romero et al. 2017), from MANO_RIGHT.pkl, MANO_LEFT.pkl
or the .npz files of smplx."""

import os
import zipfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import platformdirs

from toch_jax.base.arrays import put
from toch_jax.base.errors import bad_input
from toch_jax.base.pickles import read_pickle
from toch_jax.hand.mesh import mirror
from toch_jax.hand.model import LAST_JOINTS, N_SKELETON_JOINTS, HandModel, Side
from toch_jax.hand.prior import pose_prior

_MANO_VERTICES = 778
"""Vertices of MANO's mesh (Romero et al. 2017)."""
_MANO_TIPS = (744, 320, 443, 554, 671)
"""Vertices at the tips of thumb, index, middle, ring, pinky: `VERTEX_IDS["mano"]` of smplx."""
_SHAPES: dict[str, tuple[int | str, ...]] = {
    "v_template": ("V", 3),
    "shapedirs": ("V", 3, "S"),
    "posedirs": ("V", 3, 135),
    "J_regressor": (16, "V"),
    "weights": ("V", 16),
    "f": ("F", 3),
    "kintree_table": (2, 16),
    "hands_components": (45, 45),
    "hands_mean": (45,),
}


def load_hand(model: str | Path = "open", side: Side = "right") -> HandModel:
    """The hand model `model` of one side.

    "open" is the open hand of this package. "mano" is searched in the folder $TOCH_MANO, or without that variable in
    the folder `mano` of the user's data folder. Anything else is a path: a MANO file (.pkl or .npz) or its folder.

    Raises InputError if the file is missing or is not a hand model.
    """
    if model == "open":
        hand = _open_hand()
        return hand if side == "right" else mirror(hand)
    path = mano_folder() if model == "mano" else Path(os.path.expanduser(model))
    if not _exists(path):
        hint = "; set $TOCH_MANO to the folder of MANO_RIGHT.pkl (mano.is.tue.mpg.de)" if model == "mano" else ""
        raise bad_input(path, "hand model", '"open", "mano" or the path of a MANO file', f"nothing there{hint}")
    return read_mano(find_mano(path, side) if path.is_dir() else path, side)


def _exists(path: Path) -> bool:
    """Whether the path is a file or a folder: false for devices and for names that the system does not allow."""
    try:
        return path.is_file() or path.is_dir()
    except OSError:
        return False


def mano_folder() -> Path:
    """The folder of the MANO files: $TOCH_MANO, else `mano` in the user's data folder."""
    return Path(os.environ.get("TOCH_MANO") or platformdirs.user_data_path("toch_jax") / "mano").expanduser()


def _open_hand() -> HandModel:
    with files("toch_jax.hand.open_hand").joinpath("open_hand.npz").open("rb") as file, np.load(file) as asset:
        n_vertices = len(asset["v_template"])
        return HandModel(
            v_template=put(asset["v_template"]),
            shapedirs=put(asset["shapedirs"]),
            posedirs=put(np.zeros((n_vertices, 3, 135)), np.float32),
            joint_regressor=put(asset["joint_regressor"]),
            weights=put(asset["weights"]),
            faces=put(asset["faces"], np.int32),
            tips=put(asset["tips"], np.int32),
            wrist_ring=put(np.zeros(0), np.int32),
            pose_mean=put(np.zeros(45), np.float32),
            pose_components=put(asset["pose_components"]),
            prior=pose_prior("right"),
            parents=tuple(int(parent) for parent in asset["parents"]),
            side="right",
            name="open",
        )


def find_mano(folder: Path, side: Side) -> Path:
    """The MANO file of `side` in a folder or its subfolders `models`, `mano` and `mano_v*/models`.

    If only the other hand's file exists, that one: `read_mano` mirrors it. Raises InputError if there is none.
    """
    other: Side = "left" if side == "right" else "right"
    for wanted in (side, other):
        for pattern in ("", "models/", "mano/", "mano_v*/models/"):
            for ending in (".pkl", ".npz"):
                if found := sorted(folder.glob(f"{pattern}MANO_{wanted.upper()}{ending}")):
                    return found[-1]
    raise bad_input(folder, "MANO", "MANO_RIGHT.pkl or .npz there, or in models/", "none")


def read_mano(path: Path, side: Side) -> HandModel:
    """The hand model in a MANO file, mirrored if the file holds the other side. Raises InputError."""
    content = _read_npz(path) if path.suffix == ".npz" else read_pickle(path)
    arrays = _check(path, content)
    model = _model(path, arrays)
    return model if model.side == side else mirror(model)


def write_mano(path: Path, model: HandModel) -> None:
    """Write the model as a MANO .npz file, which `read_mano` reads."""
    parents = np.asarray(model.parents)
    arrays = {
        "v_template": model.v_template,
        "shapedirs": model.shapedirs,
        "posedirs": model.posedirs,
        "J_regressor": model.joint_regressor,
        "weights": model.weights,
        "f": model.faces,
        "kintree_table": np.stack([np.where(parents < 0, 2**32 - 1, parents), np.arange(N_SKELETON_JOINTS)]),
        "hands_components": model.pose_components,
        "hands_mean": model.pose_mean,
    }
    np.savez(path, **{key: np.asarray(value) for key, value in arrays.items()}, allow_pickle=False)


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in _SHAPES if key in file}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise bad_input(path, "npz", "plain arrays of a hand model", f"{error!r:.100}") from error


def _check(path: Path, content: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a hand model. Raises InputError if one is missing, has a wrong shape or type, or is not finite."""
    sizes: dict[str, int] = {}
    arrays = {}
    for key, shape in _SHAPES.items():
        if key not in content:
            raise bad_input(path, key, f"an array of shape {shape}", "no such key")
        array = np.asarray(content[key])
        if array.dtype.kind not in "fiu":
            raise bad_input(path, key, "numbers", f"{array.dtype}")
        expected = tuple(sizes.get(size, size) if isinstance(size, str) else size for size in shape)
        agrees = len(expected) == array.ndim and all(
            isinstance(e, str) or e == n for e, n in zip(expected, array.shape, strict=True)
        )
        if not agrees:
            raise bad_input(path, key, f"shape {expected}", f"{array.shape}")
        if not np.isfinite(array).all():
            raise bad_input(path, key, "finite numbers", "NaN or infinity")
        sizes |= {size: n for size, n in zip(shape, array.shape, strict=True) if isinstance(size, str)}
        arrays[key] = array
    if arrays["f"].min() < 0 or arrays["f"].max() >= sizes["V"]:
        raise bad_input(path, "f", f"vertices 0 to {sizes['V'] - 1}", f"{arrays['f'].min()} to {arrays['f'].max()}")
    parents = arrays["kintree_table"][0, 1:].astype(np.int64)
    if (parents < 0).any() or (parents >= np.arange(1, N_SKELETON_JOINTS)).any():
        raise bad_input(path, "kintree_table", "each joint's parent before it", f"{parents.tolist()}")
    return arrays


def _model(path: Path, arrays: Mapping[str, np.ndarray]) -> HandModel:
    template, faces = arrays["v_template"], arrays["f"].astype(np.int64)
    parents = (-1, *(int(parent) for parent in arrays["kintree_table"][0, 1:]))
    joints = arrays["J_regressor"] @ template
    # the fingers of a right hand point along -x
    side: Side = "right" if joints[4, 0] < joints[0, 0] else "left"
    shapedirs = arrays["shapedirs"]
    # only MANO's own ten shape directions, not those that a data set adds (datasets/recordings.py)
    if side == "left" and has_left_fault(template, shapedirs[..., :10]):
        shapedirs = shapedirs * np.array([-1.0, 1.0, 1.0])[:, None]
    return HandModel(
        v_template=jnp.asarray(template, jnp.float32),
        shapedirs=jnp.asarray(shapedirs, jnp.float32),
        posedirs=jnp.asarray(arrays["posedirs"], jnp.float32),
        joint_regressor=jnp.asarray(arrays["J_regressor"], jnp.float32),
        weights=jnp.asarray(arrays["weights"], jnp.float32),
        faces=jnp.asarray(faces, jnp.int32),
        tips=jnp.asarray(_tips(template, joints, arrays["weights"], parents), jnp.int32),
        wrist_ring=jnp.asarray(_boundary(path, faces), jnp.int32),
        pose_mean=jnp.asarray(arrays["hands_mean"], jnp.float32),
        pose_components=jnp.asarray(arrays["hands_components"], jnp.float32),
        prior=pose_prior(side),
        parents=parents,
        side=side,
        name="mano",
    )


def has_left_fault(template: np.ndarray, shapedirs: np.ndarray) -> bool:
    """Whether x of the shape directions has the wrong sign, as in MANO_LEFT.pkl of MANO 1.2 (smplx issue 48).

    Length and width of people's hands are positively correlated. If the stretches that the shape directions cause
    along x (length) and z (width) are negatively correlated, x has the sign of a right hand.
    """
    centred = template - template.mean(axis=0)
    stretch = np.einsum("vc,vcs->cs", centred, shapedirs)
    return bool(stretch[0] @ stretch[2] < 0)


def _tips(template: np.ndarray, joints: np.ndarray, weights: np.ndarray, parents: tuple[int, ...]) -> list[int]:
    """Vertices at the tips: MANO's; for another mesh the vertex of each last bone that is farthest along the finger."""
    if len(template) == _MANO_VERTICES:
        return list(_MANO_TIPS)
    reach = [
        np.where(weights[:, j] > 0.5, (template - joints[j]) @ (joints[j] - joints[parents[j]]), -np.inf)
        for j in LAST_JOINTS
    ]
    return [int(np.argmax(r)) for r in reach]


def _boundary(path: Path, faces: np.ndarray) -> list[int]:
    """The boundary loop, in the order of the faces' winding; empty for a closed mesh. Raises InputError if several."""
    edges = {(int(a), int(b)) for face in faces for a, b in zip(face, np.roll(face, -1), strict=True)}
    following = {a: b for a, b in edges if (b, a) not in edges}
    if not following:
        return []
    loop = [min(following)]
    while (after := following.get(loop[-1], loop[0])) != loop[0] and len(loop) <= len(following):
        loop.append(after)
    if len(loop) != len(following):
        raise bad_input(path, "f", "a mesh with one opening, at the wrist", f"{len(following)} edges on several")
    return loop
