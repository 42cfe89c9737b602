"""Which optional dependency brings a package that is not installed."""

import re
from importlib.metadata import PackageNotFoundError, requires

from toch_jax.base.errors import InputError, bad_input

DISTRIBUTION = "toch-jax"


def missing_extra(error: ModuleNotFoundError) -> InputError | ModuleNotFoundError:
    """What to raise in place of `error`: for a package of an extra an InputError that names it, else `error` itself."""
    package = (error.name or "").split(".")[0]
    extra = extra_with(package)
    if extra is None:
        return error
    return bad_input(package, "package", f"it installed: pip install '{DISTRIBUTION}[{extra}]'", "none")


def extra_with(package: str) -> str | None:
    """The smallest extra that requires the package, by the name of its distribution or of its import."""
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
