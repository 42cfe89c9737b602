"""The one error that a user's input can raise."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST_FOUND = 300
"""Characters that are quoted of what was found: a file may hold anything as text."""
MOST_FAULTS = 10


class InputError(ValueError):
    """Bad input. Its text is one line a fault: where, which field, what was expected, what was found."""


def bad_input(where: str | Path, field: str, expected: str, found: str) -> InputError:
    """The error for `field` of the file (or call) `where`; raise what this returns."""
    if len(found) > LONGEST_FOUND:
        found = f"{found[:LONGEST_FOUND]}..."
    return InputError(_printable(f"{where}: {field}: expected {expected}, found {found}"))


@contextmanager
def caught(faults: list[InputError]) -> Iterator[None]:
    """Add an InputError raised within to `faults` and go on behind: for checks that don't need each other."""
    try:
        yield
    except InputError as fault:
        faults.append(fault)


def raise_all(faults: list[InputError]) -> None:
    """Raise one InputError with the lines of all faults, where there are any."""
    if faults:
        lines = [line for fault in faults for line in str(fault).splitlines()]
        more = [f"and {len(lines) - MOST_FAULTS} more faults"] if len(lines) > MOST_FAULTS else []
        raise InputError("\n".join(lines[:MOST_FAULTS] + more))


def naming(where: str | Path, fault: InputError) -> InputError:
    """The fault, each line of which names the file or clip: one may be of what it refers to, such as a hand model."""
    lines = str(fault).splitlines()
    return InputError("\n".join(line if line.startswith(str(where)) else f"{where}: {line}" for line in lines))


def _printable(text: str) -> str:
    """On one line, without what a terminal would take for commands."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
