"""The repository's folders of data that a wheel carries inside the package: data_specs/ and experiments/."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def shipped_folder(name: str) -> Path:
    """`name` inside the installed package, or, in a checkout, beside the package."""
    installed = PACKAGE / name
    return installed if installed.is_dir() else PACKAGE.parent / name
