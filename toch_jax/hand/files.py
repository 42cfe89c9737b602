"""Hand models from files: the open hand of this package, and MANO."""

import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import platformdirs

from toch_jax.base.arrays import put
from toch_jax.base.errors import bad_input
from toch_jax.hand.mano import find_mano, read_mano
from toch_jax.hand.mesh import mirror
from toch_jax.hand.model import HandModel, Side
from toch_jax.hand.prior import pose_prior


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
