"""EgoDex's episodes, and arrays of HDF5."""

import sys
from pathlib import Path

import numpy as np
import pytest
from support.tracker_clip import clip

from toch_jax.base.errors import InputError
from toch_jax.trackers.egodex import read
from toch_jax.trackers.formats import read_tracked
from toch_jax.trackers.reading import Reading
from toch_jax.trackers.source import Source

WORDS = ("Knuckle", "IntermediateBase", "IntermediateTip", "Tip")
JOINTS = ["Hand", *(f"Thumb{word}" for word in WORDS)]
JOINTS += [f"{finger}Finger{word}" for finger in ("Index", "Middle", "Ring", "Little") for word in WORDS]


def episode():
    """The arrays of an episode by path: hands, other joints, metacarpals, the camera."""
    rng = np.random.default_rng(6)
    true = {side: clip(side) for side in ("left", "right")}
    count = true["left"].n_frames

    def poses(places):
        found = np.tile(np.eye(4), (count, 1, 1))
        found[:, :3, 3] = places
        return found.astype(np.float32)

    names = {"hip": rng.normal(size=(count, 3)), "leftForearm": rng.normal(size=(count, 3))}
    for side, each in true.items():
        names |= {f"{side}{name}": each.joints[:, joint] for joint, name in enumerate(JOINTS)}
        names |= {f"{side}IndexFingerMetacarpal": rng.normal(size=(count, 3))}
    content = {f"transforms/{name}": poses(places) for name, places in names.items()}
    content["transforms/camera"] = poses(np.array([0.1, 0.2, 0.3]))
    content["camera/intrinsic"] = np.array([[736.6339, 0, 960], [0, 736.6339, 540], [0, 0, 1]], np.float32)
    content |= {f"confidences/{name}": np.ones(count, np.float32) for name in names}
    return content, true


def test_both_hands():
    content, true = episode()
    tracked = read(Source(Path("0.hdf5"), content), Reading())
    assert (tracked.format, tracked.sides, tracked.fps, tracked.is_world) == ("egodex", ("left", "right"), 30, True)
    for hand, side in enumerate(tracked.sides):
        np.testing.assert_allclose(tracked.joints[hand], true[side].joints, atol=1e-6)
    np.testing.assert_allclose(tracked.camera.from_world[0][:3, 3], [-0.1, -0.2, -0.3], atol=1e-6)
    assert tracked.camera.intrinsics[0, 2] == 960


def test_faults():
    content, _ = episode()
    short = {**content, "transforms/leftThumbTip": content["transforms/leftThumbTip"][:3]}
    with pytest.raises(InputError, match="transforms/leftThumbTip: expected the 28 frames of the camera, found 3"):
        read(Source(Path("0.hdf5"), short), Reading())
    del content["transforms/rightRingFingerTip"]
    with pytest.raises(InputError, match="right hand: expected all of its joints in transforms, found 1 missing"):
        read(Source(Path("0.hdf5"), content), Reading())


def test_without_h5py(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "0.hdf5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(
        InputError, match=r"0\.hdf5: h5py: expected this package: pip install 'toch-jax\[hdf5\]', found none"
    ):
        read_tracked(tmp_path / "0.hdf5")


def test_files(tmp_path):
    h5py = pytest.importorskip("h5py")
    content, true = episode()
    with h5py.File(tmp_path / "0.hdf5", "w") as file:
        for name, value in content.items():
            file[name] = value
        file["note"] = "text is left out"
        file["outside"] = h5py.ExternalLink("secret.hdf5", "/x")
        file.attrs["llm_description"] = "fold"
    tracked = read_tracked(tmp_path / "0.hdf5")
    np.testing.assert_allclose(tracked.joints[1], true["right"].joints, atol=1e-6)
    (tmp_path / "1.hdf5").write_bytes((tmp_path / "0.hdf5").read_bytes()[:3000])
    with pytest.raises(InputError, match=r"1\.hdf5: file: expected a whole HDF5 file"):
        read_tracked(tmp_path / "1.hdf5")
    with h5py.File(tmp_path / "2.hdf5", "w") as file:
        file.create_dataset("transforms/camera", shape=(10**9, 4, 4), dtype="f4", chunks=(1, 4, 4))
    with pytest.raises(InputError, match=r"2\.hdf5: file: expected arrays of at most"):
        read_tracked(tmp_path / "2.hdf5")
