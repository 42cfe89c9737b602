"""The one error that a user's input can raise."""

from pathlib import Path


class InputError(ValueError):
    """Bad input. Its text is one line: where, which field, what was expected, what was found."""


def bad_input(where: str | Path, field: str, expected: str, found: str) -> InputError:
    """The error for `field` of the file (or call) `where`; raise what this returns."""
    return InputError(f"{where}: {field}: expected {expected}, found {found}")
