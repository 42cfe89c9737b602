"""Write smplx_mano.npz: a small hand in MANO's file format, and its vertices and joints by the `smplx` package.

Not run by the tests. Run it in a separate environment with the CPU build of torch:

    pip install torch==2.13.0 smplx==0.1.28 fast-simplification scipy
    python tests/golden/make_smplx_mano.py

MANO's own files may not be redistributed, so the model is the open hand reduced to about 80 vertices, with random pose
correctives and a random mean pose. Results are computed in float64 from arrays that float32 represents exactly.
"""

import pickle
import tempfile
from pathlib import Path

import fast_simplification
import numpy as np
import scipy.sparse
import smplx
import torch
from scipy.spatial import cKDTree

HERE = Path(__file__).parent
ASSET = HERE.parents[1] / "toch_jax" / "hand" / "open_hand" / "open_hand.npz"
FLIP, TURN = np.array([-1.0, 1.0, 1.0]), np.tile([1.0, -1.0, -1.0], 15)


def small_hand(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A right hand of few vertices, with MANO's keys."""
    asset = dict(np.load(ASSET))
    points, faces = fast_simplification.simplify(asset["v_template"], asset["faces"].astype(np.int32), target_count=160)
    nearest = cKDTree(asset["v_template"]).query(points)[1]
    joints = asset["joint_regressor"] @ asset["v_template"]
    distance, around = cKDTree(points).query(joints, k=8)
    regressor = np.zeros((16, len(points)))
    np.put_along_axis(regressor, around, 1 / distance, axis=1)
    components = np.linalg.qr(rng.normal(size=(45, 45)))[0]
    parents = asset["parents"].astype(np.int64)
    return {
        "v_template": points,
        "shapedirs": asset["shapedirs"][nearest],
        # about a millimetre per joint, in steps that compress well
        "posedirs": rng.integers(-60, 60, (len(points), 3, 135)) * 2.0**-15,
        "J_regressor": regressor / regressor.sum(axis=1, keepdims=True),
        "weights": asset["weights"][nearest],
        "f": faces.astype(np.uint32),
        "kintree_table": np.stack([np.where(parents < 0, 2**32 - 1, parents), np.arange(16)]),
        "hands_components": components,
        "hands_mean": rng.normal(0, 0.2, 45),
    }


def mirrored(model: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The mirrored (left) hand."""
    matrix = np.tile(np.outer(FLIP, FLIP).ravel(), 15)
    return model | {
        "v_template": model["v_template"] * FLIP,
        "shapedirs": model["shapedirs"] * FLIP[:, None],
        "posedirs": model["posedirs"] * FLIP[:, None] * matrix,
        "f": model["f"][:, ::-1],
        "hands_components": model["hands_components"] * TURN,
        "hands_mean": model["hands_mean"] * TURN,
    }


def run(model: dict[str, np.ndarray], side: str, inputs: dict[str, np.ndarray], **options: object) -> list[np.ndarray]:
    """Vertices and joints of `smplx.MANO`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"MANO_{side.upper()}.pkl"
        content = model | {"J_regressor": scipy.sparse.csc_matrix(model["J_regressor"])}
        path.write_bytes(pickle.dumps(content))
        layer = smplx.MANO(str(path), is_rhand=side == "right", dtype=torch.float64, **options)
    output = layer(**{key: torch.tensor(value, dtype=torch.float64) for key, value in inputs.items()})
    return [output.vertices.detach().numpy(), output.joints.detach().numpy()]


def main() -> None:
    rng = np.random.default_rng(5)
    model = small_hand(rng)
    n = 4
    shared = {
        "betas": rng.normal(0, 1, (n, 10)),
        "global_orient": rng.normal(0, 1, (n, 3)),
        "transl": rng.normal(0, 0.3, (n, 3)),
    }
    poses = {"full": rng.normal(0, 0.5, (n, 45)), "pca": rng.normal(0, 1, (n, 12))}
    shared, poses = ({k: v.astype(np.float32) for k, v in group.items()} for group in (shared, poses))
    found = {}
    for side, hand in (("right", model), ("left", mirrored(model))):
        hand = {k: v.astype(np.float32) if v.dtype.kind == "f" else v for k, v in hand.items()}
        found |= {f"{side}_model_{k}": v for k, v in hand.items()}
        for kind, pose in poses.items():
            for flat in (True, False):
                options = {"use_pca": kind == "pca", "num_pca_comps": pose.shape[1], "flat_hand_mean": flat}
                vertices, joints = run(hand, side, shared | {"hand_pose": pose}, **options)
                found[f"{side}_vertices_{kind}_{flat}"] = vertices
                found[f"{side}_joints_{kind}_{flat}"] = joints
    inputs = {f"input_{k}": v for k, v in (shared | poses).items()}
    np.savez_compressed(HERE / "smplx_mano.npz", **inputs, **found)


if __name__ == "__main__":
    main()
