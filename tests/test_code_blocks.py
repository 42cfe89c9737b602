"""The Python blocks of README.md and docs/ run unchanged, also a second time.

All blocks of a page run in order, in one namespace and a folder that holds only a reader's own arrays and files:
`joints` (T, 21, 3) of a right hand, `vertices` (T, K, 3) of the package's hand, `mesh`, `rotation` (T, 3, 3),
`translation` (T, 3), `sequence.npz`, `object.obj`, and the outputs of other programs for the same clip (`_others`). A
block that cannot run has a tag other than `python` alone, such as ```python no-test.
"""

import re
from pathlib import Path

import numpy as np
import pytest
import trimesh
from jaxtyping import Array, Float

from toch_jax.base.arrays import take
from toch_jax.hand.files import load_hand
from toch_jax.hand.model import skin_frames
from toch_jax.sequence.file import load_sequence, save_sequence
from toch_jax.sequence.mirror import mirror
from toch_jax.sequence.types import Sequence
from toch_jax.warming import example

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FRAMES = 16


def _blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def test_there_are_blocks() -> None:
    assert _blocks(PAGES[0])


def _right_handed(clip: Sequence) -> Float[Array, "T K 3"]:
    """Vertices of the clip's one hand (mirrored if left) by the package's hand model."""
    clip = clip if clip.hand_side == ("right",) else mirror(clip)
    return skin_frames(load_hand("open", "right"), take(clip.hands.params, 0))[0]


def _others(
    joints: Float[np.ndarray, "T 21 3"], rotation: Float[np.ndarray, "T 3 3"], translation: Float[np.ndarray, "T 3"]
) -> dict[str, object]:
    """The clip in the formats of FoundationPose and HaMeR.

    HaMeR's camera has twice the true focal length, so its depth is twice the true one.
    """
    poses = np.tile(np.eye(4), (len(joints), 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = rotation, translation
    middle = joints.mean(axis=1)
    return {
        "object_in_camera": poses,
        "pred_keypoints_3d": joints - middle[:, None],
        "pred_cam_t_full": middle * [1, 1, 2],
        "focal": 1000.0,
        "hamer_focal": 2000.0,
    }


@pytest.mark.parametrize("page", [page for page in PAGES if _blocks(page)], ids=lambda page: page.name)
def test_blocks_run_twice(page: Path, example_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    clip = example(FRAMES)
    clip = clip if clip.hand_side == ("right",) else mirror(clip)
    assert clip.hands.joints is not None
    save_sequence("sequence.npz", load_sequence(example_file).frames(0, FRAMES))
    names = {
        "joints": np.asarray(clip.hands.joints[0]),
        "mesh": trimesh.Trimesh(np.asarray(clip.object_vertices), np.asarray(clip.object_faces), process=False),
        "rotation": np.asarray(clip.object_motion.rotation[0]),
        "translation": np.asarray(clip.object_motion.translation[0]),
        "vertices": np.asarray(_right_handed(load_sequence(example_file).frames(0, FRAMES))),
    }
    names["mesh"].export("object.obj")
    names |= _others(names["joints"], names["rotation"], names["translation"])
    for _ in range(2):
        for number, block in enumerate(_blocks(page), 1):
            exec(compile(block, f"{page.name}, block {number}", "exec"), names)
