"""Hooks of mkdocs.yml: README.md as the first page; tables from the code in place of `<!-- table: NAME -->`."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).parents[1]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds README.md as index.md; links into docs/ remain links, those to other files become plain text."""
    from mkdocs.structure.files import File

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"\]\(docs/", "](", text)
    text = re.sub(r"(?<!!)\[([^\]]*)\]\((?!https?:|#|[\w]+\.(?:md|gif|png))[^)]*\)", r"\1", text)
    files.append(File.generated(config, "index.md", content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with its tables filled in; links to files outside of docs/ become plain text."""
    markdown = markdown.replace("](../README.md", "](index.md")
    markdown = re.sub(r"(?<!!)\[([^\]]*)\]\(\.\./[^)]*\)", r"\1", markdown)
    tables = {"settings": settings_table, "metrics": metrics_table}
    return re.sub(r"<!-- table: (settings|metrics) -->", lambda match: tables[match[1]](), markdown)


def settings_table() -> str:
    """Table of name, default and meaning of each field of FitSettings, from its source."""
    tree = ast.parse((ROOT / "toch_jax" / "solver" / "settings.py").read_text(encoding="utf-8"))
    record = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "FitSettings")
    lines = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for node, after in zip(record.body, [*record.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            meaning = ""
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                meaning = " ".join(str(after.value.value).split())
            lines.append(f"| `{ast.unparse(node.target)}` | `{_default(node.value)}` | {meaning} |")
    return "\n".join(lines)


def metrics_table() -> str:
    """Table of name, unit and meaning of each metric of the benchmark."""
    from toch_jax.metrics import METRICS

    lines = ["| metric | unit | meaning |", "| --- | --- | --- |"]
    return "\n".join(lines + [f"| `{name}` | {each.unit} | {each.meaning} |" for name, each in METRICS.items()])


def _default(value: ast.expr) -> str:
    """Default of a field as text: `struct.field(default=10)` gives 10, `Levels(wrist=1.0, ...)` its arguments."""
    if isinstance(value, ast.Call):
        given = {each.arg: ast.unparse(each.value) for each in value.keywords}
        return given["default"] if "default" in given else ", ".join(f"{name} {each}" for name, each in given.items())
    return ast.unparse(value)
