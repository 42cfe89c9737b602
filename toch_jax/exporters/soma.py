"""Input of SOMA-X's conversion from MANO (NVlabs/SOMA-X, tools/hand/mano2soma.py and soma2mano.py): an .npz from which
it makes poses of NVIDIA's SOMA hand.

For each hand, "rh" or "lh": mano_rh, a pickled dict of betas (T, 10), global_orient (T, 1, 3, 3) and hand_pose
(T, 15, 3, 3), absolute, in the parameters of the hand's own side; cam_t_rh (T, 3), where the wrist is, metres: its
MANOLayer (soma/hand/mano.py) takes the wrist off the template. The SOMA hand itself is not written: its mesh, bind pose
and shapes are in files that NVIDIA gives (SOMAHand.npz, SOMA_template_rig.usda).
"""

from pathlib import Path
from typing import Any

import numpy as np

from toch_jax.base.errors import bad_input
from toch_jax.base.files import atomic
from toch_jax.exporters.like import betas_of_frames
from toch_jax.exporters.mano import known_frames, mano_arrays, mano_models, matrices, wrists
from toch_jax.exporters.writing import Writing
from toch_jax.sequence.types import Sequence

N_BETAS = 10


def write_soma(path: Path, sequence: Sequence, writing: Writing) -> tuple[str, ...]:
    """Write the arrays. Raises InputError, also for two hands of a side, and for lost frames."""
    sides = sequence.hand_side
    if len(set(sides)) < len(sides):
        raise bad_input(sequence.source, "hands", "one of each side at most", ", ".join(sides))
    if not known_frames(sequence).all():
        lost = int((~known_frames(sequence)).sum())
        raise bad_input(sequence.source, "hands", "a repaired clip (toch denoise)", f"{lost} lost frames")
    arrays = mano_arrays(sequence)
    betas, place = betas_of_frames(arrays, sequence.n_frames), wrists(mano_models(sequence), arrays)
    if betas.shape[-1] > N_BETAS:
        raise bad_input(sequence.source, "hand_betas", f"{N_BETAS} shape coefficients", f"{betas.shape[-1]}")
    betas = np.pad(betas, ((0, 0), (0, 0), (0, N_BETAS - betas.shape[-1])))
    record: dict[str, Any] = {}
    for hand, side in enumerate(sides):
        params = np.empty((), object)
        params[()] = {
            "betas": betas[hand].astype(np.float32),
            "global_orient": matrices(arrays["global_orient"][hand]).astype(np.float32),
            "hand_pose": matrices(arrays["pose"][hand]).astype(np.float32),
        }
        record |= {f"mano_{side[0]}h": params, f"cam_t_{side[0]}h": place[hand].astype(np.float32)}
    with atomic(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **record)
    return (f"{sequence.fps:g} frames a second, which the file does not say (--fps of its tool)",)
