"""A data set's own hand shapes as further shape numbers of MANO, so that one hand model serves all its clips.

An unposed hand is the template plus a sum of directions, so a whole hand, scanned or otherwise given, is one direction
more. Both sides get the directions of both, those of the other hand mirrored: a clip seen in the mirror then belongs
to the other side's model with the same shape numbers.
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from toch_jax.hand.mano import write_mano
from toch_jax.hand.model import HandModel, Side

FOLDER = "hand"
_FLIP = np.array([-1.0, 1.0, 1.0])[:, None]


def with_shapes(
    models: dict[Side, HandModel], right: Float[np.ndarray, "V 3 R"], left: Float[np.ndarray, "V 3 L"]
) -> dict[Side, HandModel]:
    """The models with shape numbers S + R + L: their own S, then the right hand's directions, then the left's.

    A direction is metres by which the vertices of the unposed hand move for each unit of its number.
    """
    added = {"right": (right, left * _FLIP), "left": (right * _FLIP, left)}
    return {
        side: model.replace(
            shapedirs=jnp.asarray(np.concatenate([np.asarray(model.shapedirs), *added[side]], axis=-1), jnp.float32)
        )
        for side, model in models.items()
    }


def write_hands(folder: Path, models: dict[Side, HandModel]) -> None:
    """As MANO files, for `load_hand` to find in `folder`/hand."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    for side, model in models.items():
        write_mano(folder / FOLDER / f"MANO_{side.upper()}.npz", model)
