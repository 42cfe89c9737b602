"""Imports run one way: a folder imports only itself and folders before it in this list."""

import ast
from pathlib import Path

ORDER = (
    *(
        "base",
        "hand",
        "object",
        "sequence",
        "perturb",
        "field",
        "metrics",
        "denoiser",
        "solver",
        "track",
        "critic",
        "observe",
    ),
    *(
        "fit",
        "trackers",
        "pipeline",
        "stream",
        "surface_fields",
        "warming",
        "exporters",
        "datasets",
        "training",
        "benchmark",
        "view",
        "cli",
    ),
)
PACKAGE = Path(__file__).parents[1] / "toch_jax"


def test_imports_run_one_way() -> None:
    upward = []
    for path in sorted(PACKAGE.rglob("*.py")):
        stage = path.relative_to(PACKAGE).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if stage in ORDER else ():
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("toch_jax."):
                other = (node.module or "").split(".")[1]
                if other not in ORDER or ORDER.index(other) > ORDER.index(stage):
                    upward.append(f"{path.relative_to(PACKAGE)} imports {node.module}")
    assert not upward
