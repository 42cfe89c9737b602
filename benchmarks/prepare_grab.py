"""Time, memory and disk space of `toch prepare grab`: `PYTHONPATH=tests python -m benchmarks.prepare_grab --clips 200`.

Writes a temporary folder in GRAB's layout (ten synthetic recordings, copied; an object of 10,242 vertices and 10,475
contact labels of the body, as in GRAB) and prepares it in a separate process.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import trimesh
import tyro
from support.grab_folder import SUBJECTS, recording, write_grab, write_recording
from support.mano_files import write_mano

GRAB_FRAMES = 1_622_459
"""Number of frames of the real data set, at 120 Hz."""
BODY_VERTICES = 10_475
"""Number of vertices of the body, each with a contact label."""


def write_folder(root: Path, clips: int, frames: int) -> None:
    """Writes `clips` recordings of `frames` frames, of ten subjects, in GRAB's layout."""
    write_grab(root, {})
    sphere = trimesh.creation.icosphere(5, 0.04)
    place = root / "tools/object_meshes/contact_meshes/cup.ply"
    place.parent.mkdir(parents=True, exist_ok=True)
    sphere.export(place)
    rng = np.random.default_rng(0)
    for number in range(clips):
        subject = SUBJECTS[number % len(SUBJECTS)]
        path = root / "grab" / subject / f"cup_lift_{number}.npz"
        first = root / "grab" / subject / f"cup_lift_{number % len(SUBJECTS)}.npz"
        if path == first:
            content = recording(rng, subject, "cup", frames, len(sphere.vertices))
            content["contact"]["body"] = rng.integers(0, 56, (frames, BODY_VERTICES)).astype(np.int8)
            write_recording(path, content)
        else:
            shutil.copy(first, path)


def main(clips: int = 200, frames: int = 480, toch_rules: bool = False) -> None:
    """Prints raw frames a second, peak memory, and the time that the real data set would take."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_folder(root / "raw", clips, frames)
        command = [sys.executable, "-m", "toch_jax", "prepare", "grab", "--raw", str(root / "raw")]
        command += ["--data-dir", str(root / "data"), *(["--toch-rules"] if toch_rules else [])]
        environment = os.environ | {"TOCH_MANO": str(write_mano(root / "mano"))}
        start = time.perf_counter()
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        written = sum(path.stat().st_size for path in (root / "data").rglob("*") if path.is_file())
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    rate = clips * frames / seconds
    whole = GRAB_FRAMES / rate / 60
    print(f"{clips} recordings of {frames} frames at 120 Hz: {seconds:.0f} s, {rate:.0f} frames/s, peak {peak:.2f} GiB")
    print(f"GRAB's {GRAB_FRAMES} frames at that rate: {whole:.0f} min; {written / 2**20:.0f} MiB written")


if __name__ == "__main__":
    tyro.cli(main)
