"""The register of formats, and its page in the documentation."""

import re
from pathlib import Path

import pytest
from support.tracker_files import write_camera

from toch_jax.exporters.endings import ENDINGS, FOLDER
from toch_jax.exporters.formats import export_sequence
from toch_jax.exporters.writing import Writing

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "export.md"


def test_the_page_has_a_row_for_each_format():
    """With the endings of its file."""
    rows = re.findall(r"^\| \[([\w-]+)\]\(#[\w-]+\) \| ([^|]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    expected = [(name, ", ".join(each or "folder" for each in endings)) for name, (endings, _) in ENDINGS.items()]
    assert rows == expected
    assert FOLDER == ""


NEED_THE_FILE = {"wilor-mini", "v2d-tracks", "mediapipe", "haptic", "hold", "hot3d", "aria", "leap", "plain"}
"""Formats that are written into the tracker's own file alone."""


@pytest.mark.parametrize("to", [name for name in ENDINGS if name not in NEED_THE_FILE])
def test_a_clip_of_one_frame(to, make, tmp_path):
    """And nothing but what is named is written."""
    target = tmp_path / "out" / f"clip{ENDINGS[to][0][0]}"
    export_sequence(target, make("right").frames(0, 1), to, Writing(camera=str(write_camera(tmp_path))))
    expected = {target.name} | ({"clip_bones.txt"} if to == "bvh" else set())
    assert {path.name for path in target.parent.iterdir()} == expected
