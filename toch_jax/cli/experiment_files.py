"""Experiments: Python files that bind one record, by path or by the name of one that comes with the project."""

import ast
import difflib
import runpy
from pathlib import Path
from typing import TypeVar

from toch_jax.base.errors import bad_input
from toch_jax.base.files import shipped_folder

T = TypeVar("T")


def experiment_files(variable: str) -> dict[str, tuple[Path, str]]:
    """The project's experiments that bind `variable`, by name: the file, and the first line of its docstring."""
    found = {}
    for path in sorted(shipped_folder("experiments").glob("*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        bound = {
            target.id
            for statement in module.body
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Name)
        }
        if variable in bound:
            found[path.stem] = path, (ast.get_docstring(module) or "").split("\n")[0]
    return found


def experiment_file(where: str | Path, variable: str) -> Path:
    """The file of an experiment: `where` itself, or the project's of that name. Raises InputError if there is none."""
    if Path(where).is_file():
        return Path(where)
    files = experiment_files(variable)
    if str(where) not in files:
        near = difflib.get_close_matches(str(where), files, 1)
        guess = f", did you mean {near[0]}?" if near else ""
        expected = f"a Python file that binds `{variable}`, or one of {', '.join(files)}"
        raise bad_input(where, "experiment", expected, f"no file{guess}")
    return files[str(where)][0]


def read_experiment(where: str | Path, variable: str, kind: type[T]) -> T:
    """What the experiment `where` binds to `variable`. Raises InputError if it binds nothing of that kind."""
    path = experiment_file(where, variable)
    value = runpy.run_path(str(path)).get(variable)
    if not isinstance(value, kind):
        raise bad_input(path, variable, f"a value of type {kind.__name__}", f"one of type {type(value).__name__}")
    return value
