"""A data set's own hand shapes as additional MANO shape directions, so that one hand model serves all its clips.

An unposed hand is the template plus a weighted sum of directions, so any given hand (a scan, for example) can be added
as one more direction. Each side gets the directions of both hands, the other hand's mirrored: a mirrored clip then
belongs to the other side's model with the same shape coefficients.
"""

from collections.abc import Mapping
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from toch_jax.hand.files import write_mano
from toch_jax.hand.model import HandModel, Side

FOLDER = "hand"
_FLIP = np.array([-1.0, 1.0, 1.0])[:, None]


def with_shapes(
    models: dict[Side, HandModel], right: Float[np.ndarray, "V 3 R"], left: Float[np.ndarray, "V 3 L"]
) -> dict[Side, HandModel]:
    """The models with S + R + L shape directions: their own S, then the R of the right hand, then the L of the left.

    A direction is the displacement (m) of the unposed hand's vertices per unit of its coefficient.
    """
    added = {"right": (right, left * _FLIP), "left": (right * _FLIP, left)}
    return {
        side: model.replace(
            shapedirs=jnp.asarray(np.concatenate([np.asarray(model.shapedirs), *added[side]], axis=-1), jnp.float32)
        )
        for side, model in models.items()
    }


def write_hands(folder: Path, models: Mapping[Side, HandModel]) -> None:
    """Write the models as MANO files to `folder`/hand, where `load_hand` finds them."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    for side, model in models.items():
        write_mano(folder / FOLDER / f"MANO_{side.upper()}.npz", model)
