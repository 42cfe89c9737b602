"""Folders of data sets with annotated hands and objects, each after its public layout; they share no code with the
readers."""

from pathlib import Path

import numpy as np
import trimesh

from support.torch_writer import tensor_pickle
from support.tracker_clip import Clip


def wrists(clip: Clip) -> np.ndarray:
    """Where the wrist is in each frame, (T, 3)."""
    return clip.joints[:, 0]


def write_mesh(path: Path, mesh: trimesh.Trimesh, scale: float = 1.0, shift: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    changed = mesh.copy()
    changed.vertices = changed.vertices * scale + shift
    changed.export(path)
    return path


def write_taco(root: Path, clips: list[Clip], other: np.ndarray) -> Path:
    """A sequence of TACO with its tool (the clips' object), its target (at `other`), meshes and camera; its folder."""
    triplet, name = "(stir, spoon, bowl)", "20231105_019"
    folder = root / "Hand_Poses" / triplet / name
    folder.mkdir(parents=True)
    for clip in clips:
        frames = {
            f"{t + 1:05d}": {
                "hand_pose": np.concatenate([clip.orient[t], clip.pose[t]]).astype(np.float32),
                "hand_trans": wrists(clip)[t].astype(np.float32),
            }
            # not in the frames' order
            for t in reversed(range(clip.n_frames))
        }
        (folder / f"{clip.side}_hand.pkl").write_bytes(tensor_pickle(frames))
        shape = {"hand_shape": clip.betas.astype(np.float32)}
        (folder / f"{clip.side}_hand_shape.pkl").write_bytes(tensor_pickle(shape))
    objects = root / "Object_Poses" / triplet / name
    objects.mkdir(parents=True)
    np.save(objects / "tool_007.npy", clips[0].object_poses)
    np.save(objects / "target_101.npy", other)
    write_mesh(root / "Object_Models" / "007_cm.obj", clips[0].mesh, 100.0)
    camera = root / "Egocentric_Camera_Parameters" / triplet / name
    camera.mkdir(parents=True)
    np.savetxt(camera / "egocentric_intrinsic.txt", [[900.0, 0, 960], [0, 901.0, 540], [0, 0, 1]])
    from_world = np.tile(np.eye(4), (clips[0].n_frames, 1, 1))
    from_world[:, 2, 3] = np.linspace(0.1, 0.2, clips[0].n_frames)
    np.save(camera / "egocentric_frame_extrinsic.npy", from_world)
    return folder
