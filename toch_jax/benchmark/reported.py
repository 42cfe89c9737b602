"""Published figures of other methods (data_specs/reported.csv). None is reproduced here."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from toch_jax.base.errors import bad_input
from toch_jax.datasets.spec import SPEC_DIR

PATH = SPEC_DIR / "reported.csv"
REPORTED = "reported, not reproduced"
UNVERIFIED = "reported, not reproduced; unverified"
"""Status of a figure that was not read in the paper itself."""


@dataclass(frozen=True)
class Reported:
    """One published figure."""

    task: str
    method: str
    trained_on: str
    """Training data set; empty if it is `dataset` or not stated."""
    dataset: str
    split: str
    noise: str
    """Perturbation of the input, by the benchmark's own name; empty if there was none."""
    stage: str
    """"input" or "output" of a refiner; else empty."""
    metric: str
    alignment: str
    """"none", "root", "procrustes" or "not told"."""
    unit: str
    value: float
    source: str
    status: str
    """`REPORTED` or `UNVERIFIED`."""
    fault: str
    """Known error of the figure; empty if none is known."""


def load_reported(path: Path = PATH) -> list[Reported]:
    """All figures, in the file's order. Raises InputError for an incomplete or invalid row."""
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
    """The rows that contain every word in some column, ignoring case."""
    wanted = [word.lower() for word in words]

    def text(row: Reported) -> str:
        return "\n".join(str(getattr(row, field.name)) for field in fields(row)).lower()

    return [row for row in rows if all(word in text(row) for word in wanted)]
