"""The formats' names, what they are, and to what files they are written. Imports nothing that takes long."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from toch_jax.base.errors import bad_input

FOLDER = ""
ENDINGS: Mapping[str, tuple[tuple[str, ...], str]] = MappingProxyType(
    {
        "mano-smplx": ((".npz",), "MANO's parameters as smplx takes them"),
        "mano-manopth": ((".npz",), "MANO's parameters as manopth takes them"),
        "keypoints": ((".npy", ".npz", ".csv", ".json"), "21 joints of each hand"),
        "contact": ((".npz",), "distance and contact of each vertex and joint"),
        "contact-image": ((FOLDER,), "contact over the clip as an image on each surface"),
        "object-poses": ((".npy", ".npz"), "the object's pose in each frame"),
        "foundationpose": ((FOLDER,), "the object's pose in each frame, as text files"),
        "gltf": ((".glb",), "hands with skin and skeleton, and the object, moving"),
        "usd": ((".usda",), "hands with skin and skeleton, and the object, moving"),
        "bvh": ((".bvh",), "the hands' skeletons, moving"),
        "obj": ((FOLDER,), "the meshes of hands and object in each frame"),
        "ply": ((FOLDER,), "the meshes of hands and object in each frame"),
        "hamer": ((".npz", ".pkl", ".json"), "detections of HaMeR or WiLoR"),
        "wilor-mini": ((".pkl", ".json"), "detections of WiLoR-mini"),
        "hawor": ((".pth",), "HaWoR's world_space_res.pth"),
        "dyn-hamr": ((".npz",), "Dyn-HaMR's world results"),
        "vitra": ((".npy",), "VITRA's episode"),
        "v2d-tracks": ((FOLDER,), "Video-to-Data's tracks"),
        "v2d-mano": ((".npz",), "Video-to-Data's mano_params.npz"),
        "haptic": ((FOLDER,), "HaPTIC's folder of pickles"),
        "hold": ((".npy",), "HOLD's build/data.npy"),
        "hot3d": ((FOLDER, ".jsonl"), "HOT3D's hands and objects"),
        "aria": ((".csv",), "Project Aria's hand_tracking_results.csv"),
        "leap": ((".json", ".jsonl"), "Ultraleap's frames"),
        "plain": ((".npy", ".npz", ".json", ".csv", ".txt"), "your own arrays of joints, of headsets too"),
        "mediapipe": ((".json", ".jsonl"), "MediaPipe's hand landmarks"),
        "dex-retargeting": ((".npz",), "keypoints in the wrist's frame, for dex-retargeting"),
        "lerobot": ((FOLDER,), "features of a LeRobot data set, with names"),
        "spider": ((FOLDER,), "keypoints and object, for SPIDER"),
        "maniptrans": ((FOLDER,), "joints, wrist and object, for ManipTrans"),
        "soma": ((".npz",), "MANO's parameters for SOMA-X's conversion to the SOMA hand"),
    }
)
"""For each format the endings of its file (FOLDER: a folder), and what it holds."""


def check_target(path: Path, to: str) -> None:
    """Raise InputError if there is no format `to`, or if it is not written to such a path."""
    if to not in ENDINGS:
        raise bad_input("toch export", "--to", f"one of {', '.join(ENDINGS)}", to)
    endings, _ = ENDINGS[to]
    if FOLDER in endings and path.suffix not in endings[1:]:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise bad_input(path, "-o", "a new folder, or an empty one", "a file" if path.is_file() else "a full one")
    elif path.suffix not in endings:
        raise bad_input(path, "-o", f"a file name that ends in {' or '.join(filter(None, endings))}", path.name)
    elif path.is_dir():
        raise bad_input(path, "-o", "a file", "a folder")
