"""The error lines of a command as a user gets them."""

import pytest

from toch_jax.cli import main


def error_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Lines of standard error, without the names of the first stages."""
    stages = ("loading JAX ...", "reading ...")
    return [line for line in capsys.readouterr().err.strip().splitlines() if line not in stages]


def error_line(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The only error line of a command that is refused."""
    assert main([str(a) for a in arguments]) == 2
    lines = error_lines(capsys)
    assert len(lines) == 1
    return lines[0]
