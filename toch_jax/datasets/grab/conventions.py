"""GRAB's conventions that differ from this package's. Each gives wrong hands or objects, without an error, if missed.

- Row vectors: GRAB's objects are v R + t, not R v + t (`rotation_of_column_vectors`).
- Mean pose: hand poses are absolute, flat_hand_mean=True; MANO's mean pose is not added (`absolute_pose`).
- PCA: `hand_pose` is 24 coefficients of MANO's principal directions, not angles (`absolute_pose`).
- Personal template: each subject's unposed hand replaces MANO's (`subject_hands`, `subject_betas`).
- Left hand: it has a template of its own, which is not the right one's mirror image (`subject_hands`).
- Contact labels are numbers of body parts; each hand has sixteen (`LABELS`).
"""

import numpy as np
from jaxtyping import Float

from toch_jax.datasets.hand_shapes import with_shapes
from toch_jax.hand.model import HandModel, Side

N_PCA = 24
"""Number of coefficients of a finger pose in GRAB's files."""
LABELS: dict[Side, tuple[int, ...]] = {"right": (22, *range(41, 56)), "left": (21, *range(26, 41))}
"""Labels in contact.object of each side: the hand itself, then its fingers."""


def rotation_of_column_vectors(rotation: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3"]:
    """The object's axis-angle rotation for world = R v + t, from GRAB's, whose vectors are rows: v R.

    v R has the values of R^T v, so the rotation is the inverse of GRAB's: of an axis-angle vector, its negative
    (otaheri/GRAB: tools/objectmodel.py).
    """
    return -rotation


def absolute_pose(coefficients: Float[np.ndarray, "T 24"], model: HandModel) -> Float[np.ndarray, "T 45"]:
    """Absolute finger pose (axis-angle) from GRAB's PCA coefficients; no mean pose is added (flat_hand_mean=True)."""
    return coefficients @ np.asarray(model.pose_components, np.float64)[:N_PCA]


def subject_hands(
    mano: dict[Side, HandModel], templates: dict[Side, list[Float[np.ndarray, "V 3"]]]
) -> dict[Side, HandModel]:
    """MANO with one more shape direction for each subject's unposed hand (`templates`, metres).

    MANO's own directions come first, then the right hands, then the left hands (see datasets/hand_shapes.py).
    """
    right, left = (
        np.stack(templates[side], axis=-1) - np.asarray(mano[side].v_template)[..., None] for side in ("right", "left")
    )
    return with_shapes(mano, right, left)


def subject_betas(model: HandModel, side: Side, subject: int, n_subjects: int) -> Float[np.ndarray, "S"]:
    """Shape coefficients for a model of `subject_hands`: 1 for the subject's own hand, 0 for all others."""
    betas = np.zeros(model.shapedirs.shape[-1])
    betas[len(betas) - 2 * n_subjects + (n_subjects if side == "left" else 0) + subject] = 1.0
    return betas
