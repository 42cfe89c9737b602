"""A folder with GRAB's layout and file formats, and the results of its authors' formulas."""

from pathlib import Path

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from support.mano_files import SIDES, mano_arrays, pose_hand

SUBJECTS = [f"s{number}" for number in range(1, 11)]
KEYS = {"right": "rhand", "left": "lhand"}
# Contact labels; 5 is a part of the body.
LABELS = {"right": (22, 41, 55), "left": (21, 26, 40)}


def smooth(rng: np.random.Generator, frames: int, size: int, scale: float) -> np.ndarray:
    """Slow random motion (T, size)."""
    time = np.linspace(0, 1, frames)[:, None]
    return sum(rng.normal(0, scale / k, size) * np.sin(2 * k * time + rng.uniform(0, 6, size)) for k in (1, 2))


def recording(rng: np.random.Generator, subject: str, name: str, frames: int, n_vertices: int) -> dict:
    """Contents of the file of one recording.

    The right hand touches in the first half, the left in the last third; both are 60 cm away in the last tenth.
    """
    turn, place = smooth(rng, frames, 3, 0.8), smooth(rng, frames, 3, 0.1) + np.array([0.2, -0.4, 1.1])
    hands = {}
    away = np.where(np.arange(frames) >= frames * 9 // 10, 0.6, 0.0)[:, None]
    for side in SIDES:
        pca = smooth(rng, frames, 24, 0.5)
        hands[KEYS[side]] = {
            "params": {
                "global_orient": smooth(rng, frames, 3, 1.0).astype(np.float32),
                "hand_pose": pca.astype(np.float32),
                "transl": (place + away + smooth(rng, frames, 3, 0.01)).astype(np.float32),
                "fullpose": (pca @ mano_arrays(side)["hands_components"][:24]).astype(np.float32),
            },
            "vtemp": f"tools/subject_meshes/male/{subject}_{KEYS[side]}.ply",
        }
    labels = np.zeros((frames, n_vertices), np.int8)
    labels[: frames // 2, rng.integers(n_vertices, size=3)] = rng.choice(LABELS["right"], 3)
    labels[frames * 2 // 3 :, rng.integers(n_vertices, size=3)] = rng.choice(LABELS["left"], 3)
    labels[:, 0] = 5
    return {
        "gender": "male",
        "sbj_id": subject,
        "obj_name": name,
        "motion_intent": "lift",
        "framerate": 120.0,
        "n_frames": frames,
        "n_comps": 24,
        "body": {"params": {"transl": place}, "vtemp": "tools/subject_meshes/male/body.ply"},
        "object": {
            "params": {"transl": place.astype(np.float32), "global_orient": turn.astype(np.float32)},
            "object_mesh": f"tools/object_meshes/contact_meshes/{name}.ply",
        },
        "table": {"params": {"transl": place * 0, "global_orient": place * 0}, "table_mesh": "table.ply"},
        "contact": {"object": labels, "body": np.zeros((frames, 5), np.int8)},
        **hands,
    }


def write_recording(path: Path, content: dict) -> None:
    """Write the recording as GRAB does: each entry is a pickled object array without axes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **{key: np.array(value, dtype=object) for key, value in content.items()})


def write_grab(root: Path, clips: dict[str, str], frames: int = 130, seed: int = 0) -> dict[str, dict]:
    """Write the folder and return the contents of each file.

    `clips` maps subject and number to the name of the recording, `<object>_<action>_<n>`.
    """
    rng = np.random.default_rng(seed)
    for number, subject in enumerate(SUBJECTS):
        for side in SIDES:
            template = subject_hand(side, number)
            mesh = trimesh.Trimesh(template, mano_arrays(side)["f"], process=False)
            path = root / f"tools/subject_meshes/male/{subject}_{KEYS[side]}.ply"
            path.parent.mkdir(parents=True, exist_ok=True)
            mesh.export(path)
        (root / "grab" / subject).mkdir(parents=True, exist_ok=True)
    contents = {}
    for place, name in clips.items():
        thing = name.split("_")[0]
        mesh = object_mesh(thing)
        path = root / f"tools/object_meshes/contact_meshes/{thing}.ply"
        path.parent.mkdir(parents=True, exist_ok=True)
        mesh.export(path)
        subject = place.split("/")[0]
        contents[f"{subject}_{name}"] = recording(rng, subject, name.split("_")[0], frames, len(mesh.vertices))
        write_recording(root / "grab" / subject / f"{name}.npz", contents[f"{subject}_{name}"])
    return contents


def object_mesh(name: str) -> trimesh.Trimesh:
    return trimesh.creation.box((0.05, 0.08, 0.03 + 0.002 * len(name))).subdivide()


def subject_hand(side: str, number: int) -> np.ndarray:
    """A subject's unposed hand: MANO's, slightly larger and slightly different on the two sides."""
    rng = np.random.default_rng([number, len(side)])
    template = mano_arrays(side)["v_template"].astype(np.float64)
    grown = template * (1 + 0.02 * number) + rng.normal(0, 0.001, template.shape)
    return grown.astype(np.float32).astype(np.float64)


def official_hand(content: dict, side: str) -> np.ndarray:
    """Vertices of smplx.MANO(v_template=vtemp, num_pca_comps=24, flat_hand_mean=True)(**params)."""
    mano, params = mano_arrays(side), content[KEYS[side]]["params"]
    template = subject_hand(side, SUBJECTS.index(content["sbj_id"]))
    pose = params["hand_pose"].astype(np.float64) @ mano["hands_components"][:24].astype(np.float64)
    return pose_hand(mano, template, params["global_orient"], pose, params["transl"])


def official_object(content: dict) -> np.ndarray:
    """Vertices of GRAB's ObjectModel, which multiplies row vectors with the matrix."""
    params = content["object"]["params"]
    matrix = Rotation.from_rotvec(params["global_orient"]).as_matrix()
    vertices = np.asarray(object_mesh(content["obj_name"]).vertices, np.float32)
    return np.matmul(vertices.astype(np.float64), matrix) + params["transl"][:, None]
