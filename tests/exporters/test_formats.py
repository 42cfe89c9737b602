"""The register of formats, and its page in the documentation."""

import re
from pathlib import Path

from toch_jax.exporters.endings import ENDINGS, FOLDER

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "export.md"


def test_the_page_has_a_row_for_each_format():
    """With the endings of its file."""
    rows = re.findall(r"^\| \[([\w-]+)\]\(#[\w-]+\) \| ([^|]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    expected = [(name, ", ".join(each or "folder" for each in endings)) for name, (endings, _) in ENDINGS.items()]
    assert rows == expected
    assert FOLDER == ""
