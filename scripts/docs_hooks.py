"""Hooks of mkdocs.yml: README.md as the first page; tables from the code in place of `<!-- table: NAME -->`."""

from __future__ import annotations

import ast
import dataclasses
import itertools
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
    text = re.sub(r"(?<!!)\[([^\]]*)\]\((?!https?:|#|(?:formats/)?[\w]+\.(?:md|gif|png))[^)]*\)", r"\1", text)
    files.append(File.generated(config, "index.md", content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with its tables filled in; links to files outside of docs/ become plain text."""
    markdown = markdown.replace("](../README.md", "](index.md")
    markdown = re.sub(r"(?<!!)\[([^\]]*)\]\(\.\./[^)]*\)", r"\1", markdown)
    tables = {"settings": settings_table, "metrics": metrics_table}
    return re.sub(r"<!-- table: (settings|metrics) -->", lambda match: tables[match[1]](), markdown)


def settings_table() -> str:
    """Table of name, default, unit, meaning and provenance of each field of FitSettings."""
    from toch_jax.solver.settings import DEFAULT, FitSettings

    meanings = _docstrings_of_fields(ROOT / "toch_jax" / "solver" / "settings.py", "FitSettings")
    lines = ["| setting | default | unit | meaning | value from |", "| --- | --- | --- | --- | --- |"]
    for field in dataclasses.fields(FitSettings):
        default, unit, source = (
            _value_text(getattr(DEFAULT, field.name)),
            field.metadata["unit"],
            field.metadata["source"],
        )
        lines.append(f"| `{field.name}` | `{default}` | {unit} | {meanings[field.name]} | {source} |")
    return "\n".join(lines)


def metrics_table() -> str:
    """Table of name, unit and meaning of each metric of the benchmark."""
    from toch_jax.metrics import METRICS

    lines = ["| metric | unit | meaning |", "| --- | --- | --- |"]
    return "\n".join(lines + [f"| `{name}` | {each.unit} | {each.meaning} |" for name, each in METRICS.items()])


def _docstrings_of_fields(path: Path, record: str) -> dict[str, str]:
    """Text below each field of a class, in one line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == record).body
    return {
        ast.unparse(node.target): " ".join(str(after.value.value).split())
        for node, after in itertools.pairwise(body)
        if isinstance(node, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    }


def _value_text(value: Any) -> str:
    """A default as text: a record's numbers with their names, several numbers with commas."""
    if dataclasses.is_dataclass(value):
        return ", ".join(f"{field.name} {getattr(value, field.name):g}" for field in dataclasses.fields(value))
    return ", ".join(f"{each:g}" for each in (value if isinstance(value, tuple) else (value,)))
