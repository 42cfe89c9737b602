"""Every number at the top of a module has a docstring below it or a comment above it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "toch_jax"
FOLDERS = ("base", "hand", "object", "sequence", "perturb", "field", "solver", "denoiser", "track", "fit", "metrics")
FILES = sorted(path for folder in FOLDERS for path in (PACKAGE / folder).rglob("*.py"))


def is_number(value: ast.expr | None) -> bool:
    """Whether an expression is a number, arithmetic of numbers, or a tuple of such."""
    match value:
        case ast.Constant():
            return type(value.value) in (int, float)
        case ast.Tuple(elts=parts):
            return all(is_number(part) for part in parts)
        case ast.UnaryOp(operand=part):
            return is_number(part)
        case ast.BinOp(left=left, right=right):
            return is_number(left) or is_number(right)
    return False


def without_a_word(source: str) -> list[str]:
    """Numbers with neither docstring nor comment; constants on lines that follow each other share one."""
    lines, body = source.splitlines(), ast.parse(source).body
    blocks: list[list[ast.stmt]] = []
    for node in body:
        follows = bool(blocks) and blocks[-1][-1].end_lineno == node.lineno - 1
        if follows and isinstance(node, ast.Assign | ast.AnnAssign) and not isinstance(blocks[-1][-1], ast.Expr):
            blocks[-1].append(node)
        else:
            blocks.append([node])
    found = []
    for block, after in zip(blocks, [*blocks[1:], [ast.Pass()]], strict=False):
        said = isinstance(after[0], ast.Expr) or lines[block[0].lineno - 2].startswith("#")
        numbers = [node for node in block if isinstance(node, ast.Assign | ast.AnnAssign) and is_number(node.value)]
        found += [ast.unparse(node) for node in numbers if not said]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_numbers_say_what_they_are(path: Path) -> None:
    assert without_a_word(path.read_text(encoding="utf-8")) == []


def test_a_bare_number_is_found() -> None:
    source = 'import x\n\nA = 3\n"""Threes."""\nB, C = -1.5, 2 * x.pi\n\n# Metres.\nD = (1, 2)\nE = 2\n\nF = "a"\n'
    assert without_a_word(source) == ["B, C = (-1.5, 2 * x.pi)"]
