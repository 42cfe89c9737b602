"""Figures that others published: data_specs/reported.csv. None is reproduced here; none is proof of anything."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from toch_jax.base.errors import bad_input
from toch_jax.datasets.spec import SPEC_DIR

PATH = SPEC_DIR / "reported.csv"
REPORTED = "reported, not reproduced"
UNVERIFIED = "reported, not reproduced; unverified"
"""Not read in the paper itself."""


@dataclass(frozen=True)
class Reported:
    """One published figure."""

    task: str
    method: str
    trained_on: str
    """Empty: the data set that it is tested on, or not told."""
    dataset: str
    split: str
    noise: str
    """In the benchmark's own names, where the input was perturbed; else empty."""
    stage: str
    """For refiners, "input" or "output"; else empty."""
    metric: str
    alignment: str
    """"none", "root", "procrustes" or "not told"."""
    unit: str
    value: float
    source: str
    status: str
    """`REPORTED` or `UNVERIFIED`."""
    fault: str
    """What is known to be wrong with it; else empty."""


def load_reported(path: Path = PATH) -> list[Reported]:
    """All figures, in the file's order. Raises InputError for a row that is not complete."""
    columns = [field.name for field in fields(Reported)]
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != columns:
            raise bad_input(path, "columns", ", ".join(columns), ", ".join(reader.fieldnames or []))
        return [_row(path, number, row) for number, row in enumerate(reader, start=2)]


def _row(path: Path, number: int, row: dict[str, str]) -> Reported:
    for column in ("task", "method", "dataset", "metric", "alignment", "unit", "value", "source"):
        if not row[column]:
            raise bad_input(path, f"line {number}", column, "nothing")
    if row["status"] not in (REPORTED, UNVERIFIED):
        raise bad_input(path, f"line {number}", f"a status: {REPORTED!r} or {UNVERIFIED!r}", repr(row["status"]))
    try:
        return Reported(**{**row, "value": float(row["value"])})  # type: ignore[arg-type]
    except ValueError:
        raise bad_input(path, f"line {number}", "a number", repr(row["value"])) from None


def matching(rows: Iterable[Reported], words: Iterable[str]) -> list[Reported]:
    """Those that hold every word in one of their columns, whatever its case."""
    wanted = [word.lower() for word in words]

    def text(row: Reported) -> str:
        return "\n".join(str(getattr(row, field.name)) for field in fields(row)).lower()

    return [row for row in rows if all(word in text(row) for word in wanted)]
