"""The error for bad input, also for a package that is not installed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

DISTRIBUTION = "toch-jax"
LONGEST_FOUND = 300
"""Maximum number of characters quoted from the input, because a file may hold text of any length."""
MOST_FAULTS = 10
"""Maximum number of faults listed in one error."""


class InputError(ValueError):
    """Bad input. The message has one line for each fault: where, which field, what was expected, what was found."""


def bad_input(where: str | Path, field: str, expected: str, found: str) -> InputError:
    """The error, to be raised, for `field` of the file (or call) `where`."""
    if len(found) > LONGEST_FOUND:
        found = f"{found[:LONGEST_FOUND]}..."
    return InputError(_printable(f"{where}: {field}: expected {expected}, found {found}"))


@contextmanager
def caught(faults: list[InputError]) -> Iterator[None]:
    """Append an InputError that the block raises to `faults`, and continue after the block: for independent checks."""
    try:
        yield
    except InputError as fault:
        faults.append(fault)


def raise_all(faults: list[InputError]) -> None:
    """Raise one InputError with the lines of all faults (at most MOST_FAULTS), if there are any."""
    if faults:
        lines = [line for fault in faults for line in str(fault).splitlines()]
        more = [f"and {len(lines) - MOST_FAULTS} more faults"] if len(lines) > MOST_FAULTS else []
        raise InputError("\n".join(lines[:MOST_FAULTS] + more))


def naming(where: str | Path, fault: InputError) -> InputError:
    """The fault with `where` at the start of each line; it may be about another file, such as a hand model."""
    lines = str(fault).splitlines()
    return InputError("\n".join(line if line.startswith(str(where)) else f"{where}: {line}" for line in lines))


def missing_extra(error: ModuleNotFoundError) -> InputError | ModuleNotFoundError:
    """The error to raise instead of `error`: an InputError that names the extra of the package, else `error` itself."""
    package = (error.name or "").split(".")[0]
    extra = extra_with(package)
    if extra is None:
        return error
    return bad_input(package, "package", f"it installed: pip install '{DISTRIBUTION}[{extra}]'", "none")


def extra_with(package: str) -> str | None:
    """The smallest extra that requires a distribution named `package` (`-` equals `_`); None if there is none."""
    try:
        lines = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return None
    members: dict[str, list[str]] = {}
    for line in lines:
        if marker := re.search(r"extra == ['\"]([^'\"]+)['\"]", line):
            required = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
            members.setdefault(marker.group(1), []).append(required.replace("-", "_"))
    fitting = [extra for extra, packages in members.items() if package.replace("-", "_") in packages]
    return min(fitting, key=lambda extra: len(members[extra]), default=None)


def _printable(text: str) -> str:
    """The text with line breaks and terminal control characters escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
