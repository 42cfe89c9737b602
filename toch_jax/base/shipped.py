"""The folders data_specs/ and experiments/, which are inside the package in a wheel and beside it in a checkout."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def shipped_folder(name: str) -> Path:
    """The folder `name` in the installed package, or beside the package in a checkout."""
    installed = PACKAGE / name
    return installed if installed.is_dir() else PACKAGE.parent / name
