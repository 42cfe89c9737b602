"""Hand models from files: the open hand that comes with the package."""

from importlib.resources import files
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from toch_jax.hand.mesh import mirror
from toch_jax.hand.model import HandModel, Side


def load_hand(model: str | Path = "open", side: Side = "right") -> HandModel:
    """The hand model `model`, for one side: "open" is the one that comes with the package."""
    hand = _open_hand()
    return hand if side == "right" else mirror(hand)


def _open_hand() -> HandModel:
    with files("toch_jax.hand.open_hand").joinpath("open_hand.npz").open("rb") as file, np.load(file) as asset:
        n_vertices = len(asset["v_template"])
        return HandModel(
            v_template=jnp.asarray(asset["v_template"]),
            shapedirs=jnp.asarray(asset["shapedirs"]),
            posedirs=jnp.zeros((n_vertices, 3, 135)),
            joint_regressor=jnp.asarray(asset["joint_regressor"]),
            weights=jnp.asarray(asset["weights"]),
            faces=jnp.asarray(asset["faces"], jnp.int32),
            tips=jnp.asarray(asset["tips"], jnp.int32),
            wrist_ring=jnp.zeros(0, jnp.int32),
            pose_mean=jnp.zeros(45),
            pose_components=jnp.asarray(asset["pose_components"]),
            parents=tuple(int(parent) for parent in asset["parents"]),
            side="right",
            name="open",
        )
