import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toch_jax.hand.files import load_hand
from toch_jax.hand.limits import pose_prior
from toch_jax.hand.model import HandModel, HandParams


@pytest.fixture(scope="session")
def open_hand() -> HandModel:
    return load_hand("open")


@pytest.fixture(scope="session")
def cut_hand(open_hand: HandModel) -> HandModel:
    """The open hand without the fan over its wrist: open there, as MANO is."""
    centre = open_hand.v_template.shape[0] - 1
    faces = np.asarray(open_hand.faces)
    fan = faces[(faces == centre).any(axis=1)]
    after = {int(face[(k + 1) % 3]): int(face[(k + 2) % 3]) for face in fan for k in range(3) if face[k] == centre}
    ring = [min(after)]
    while len(ring) < len(after):
        ring.append(after[ring[-1]])
    return dataclasses.replace(
        open_hand,
        v_template=open_hand.v_template[:-1],
        shapedirs=open_hand.shapedirs[:-1],
        posedirs=open_hand.posedirs[:-1],
        joint_regressor=open_hand.joint_regressor[:, :-1],
        weights=open_hand.weights[:-1],
        faces=jnp.asarray(faces[~(faces == centre).any(axis=1)]),
        # the fan runs along the ring against the other faces' winding
        wrist_ring=jnp.asarray(ring[::-1]),
    )


@pytest.fixture(scope="session")
def golden() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parents[1] / "golden" / "smplx_mano.npz") as file:
        return dict(file)


@pytest.fixture(scope="session")
def params() -> HandParams:
    """Six likely states of a right hand."""
    prior = pose_prior("right")
    pose, orient, betas, transl = jax.random.split(jax.random.key(3), 4)
    drawn = jax.random.multivariate_normal(pose, prior.mean, prior.covariance + 1e-6 * jnp.eye(45), (6,))
    return HandParams(
        global_orient=jax.random.normal(orient, (6, 3)),
        pose=jnp.clip(drawn, prior.lower, prior.upper),
        betas=jax.random.normal(betas, (6, 10)),
        transl=jax.random.normal(transl, (6, 3)) * 0.3,
    )
