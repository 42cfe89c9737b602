"""The optional dependency group (extra) that installs a missing package."""

import re
from importlib.metadata import PackageNotFoundError, requires

from toch_jax.base.errors import InputError, bad_input

DISTRIBUTION = "toch-jax"


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
