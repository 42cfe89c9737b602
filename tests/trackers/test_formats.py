"""Which format a file has, and what becomes of files that are none, damaged or hostile: one line, and nothing runs."""

import json
import os
import pickle
import resource
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from support import tracker_files as written
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.object_poses import read_object_poses
from toch_jax.trackers.reading import Reading


def test_two_formats_that_fit_are_both_named(tmp_path):
    """Keys of Dyn-HaMR and of Video-to-Data in one file."""
    true = clip("right")
    extra = {"global_orient": np.zeros((1, 28, 3)), "transl": np.zeros((1, 28, 3)), "hand_pose": np.zeros((1, 28, 45))}
    path = written.write_dyn_hamr(tmp_path / "a.npz", [true], flat_hand_mean=True, **extra)
    with pytest.raises(InputError, match="--format: expected one of dyn-hamr and v2d-mano, which both fit"):
        read_tracked(path)
    assert read_tracked(path, Reading(format="dyn-hamr")).format == "dyn-hamr"
    with pytest.raises(InputError, match=r"--format: expected one of plain, .*, found dynhamr"):
        read_tracked(path, Reading(format="dynhamr"))


def test_a_format_that_the_file_has_not(tmp_path):
    true = clip("right")
    np.save(tmp_path / "a.npy", true.joints)
    for name in ("hamer", "hawor", "vitra", "mediapipe", "aria", "dyn-hamr", "v2d-tracks", "v2d-mano", "haptic"):
        with pytest.raises(InputError, match=r"a\.npy"):
            read_tracked(tmp_path / "a.npy", Reading(format=name, camera="900"))


def test_files_of_no_format(tmp_path):
    cases = {
        "a.json": b'{"joints": "none"}',
        "b.txt": b"hello\nworld",
        "c.bin": b"\xff\xfe\x00\x01",
        "d.npz": b"PK\x05\x06" + bytes(18),
        "e.h5": b"\x89HDF\r\n\x1a\n",
        "f.csv": b"a,b\n1,2\n",
        "g.json": b"[1, 2",
        "h.pkl": pickle.dumps({"a": 1}),
        "empty": b"",
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name) as fault:
            read_tracked(tmp_path / name)
        assert len(str(fault.value).splitlines()) == 1
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="a folder of"):
        read_tracked(tmp_path / "folder")
    with pytest.raises(InputError, match="expected a file or a folder, found nothing"):
        read_tracked(tmp_path / "no.npy")


class Evil:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def hostile(folder):
    """Small files that ask for much, or for code to be run."""
    np.save(folder / "code.npy", np.array({"extrinsics": Evil()}, dtype=object), allow_pickle=True)
    (folder / "code.pkl").write_bytes(pickle.dumps([Evil()]))
    np.savez(folder / "code.npz", joints=np.array([Evil()], dtype=object))
    (folder / "deep.json").write_text("[" * 1_000_000 + "]" * 1_000_000)
    (folder / "wide.json").write_text("[" + "[]," * 1_000_000 + "[]]")
    header = {"descr": "<f4", "fortran_order": False, "shape": (1_000_000_000, 21, 3)}
    with (folder / "frames.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    with (
        zipfile.ZipFile(folder / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("joints.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(11):
            member.write(bytes(100_000_000))
    inner: list = [0.0] * 100
    for _ in range(5):
        inner = [inner] * 100
    (folder / "laughs.pkl").write_bytes(pickle.dumps({"pred_cam_t_full": inner, "is_right": inner}))
    (folder / "memo.pkl").write_bytes(b"\x80\x02]r\xff\xff\xff\xff.")
    numbered = {f"{number}.jpg": [{"is_right": 1, "pred_cam_t_full": [0, 0, 1]}] for number in (0, 1, 999_999_999)}
    for detections in numbered.values():
        detections[0] |= {"scaled_focal_length": 1000.0, "pred_keypoints_3d": clip().joints[0].tolist()}
    (folder / "numbers.json").write_text(json.dumps(numbered))


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (6 * 10**9, 6 * 10**9))


def test_hostile_files_run_nothing_and_take_little_memory(tmp_path):
    """Each in one line; 6 GB of addresses are what JAX and its threads reserve."""
    (tmp_path / "in").mkdir()
    hostile(tmp_path / "in")
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from toch_jax.base.errors import InputError\n"
        "from toch_jax.trackers.formats import read_tracked\n"
        "from toch_jax.trackers.object_poses import read_object_poses\n"
        "from toch_jax.trackers.reading import Reading\n"
        "for path in sorted(Path('in').iterdir()):\n"
        "    for read in (read_tracked, read_object_poses):\n"
        "        try:\n"
        "            read(path, Reading(camera='900'))\n"
        "            print('READ', path)\n"
        "        except InputError as fault:\n"
        "            print(fault)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    call = [sys.executable, "-c", code]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False, preexec_fn=limited)
    assert done.returncode == 0, done.stderr[-2000:]
    *lines, memory = done.stdout.splitlines()
    files = sorted(path.name for path in (tmp_path / "in").iterdir())
    assert [line.split(":")[0].removeprefix("in/") for line in lines] == [name for name in files for _ in range(2)]
    assert sum("which was not run" in line for line in lines) == 6
    assert not (tmp_path / "ran").exists()
    assert int(memory) < 2e6


def test_object_poses_of_hostile_folders(tmp_path):
    (tmp_path / "999999999.txt").write_text("1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    (tmp_path / "0.txt").write_text("1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    (tmp_path / "2.txt").write_text("1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    with pytest.raises(InputError, match="at most 100,000 frames"):
        read_object_poses(tmp_path, Reading())
