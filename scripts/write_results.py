"""Writes a benchmark's tables into README.md and docs/results.md, between `<!-- table: NAME -->` and `<!-- end -->`.

    toch benchmark filters -o runs/filters           # the README's table
    toch benchmark benchmark -o runs/benchmark       # docs/results.md
    toch benchmark two_hands -o runs/two_hands
    toch benchmark object_noise -o runs/object_noise
    python scripts/write_results.py                  # or with another folder than runs/

Tables of a run without results are left as they are; one line says so. Figures in the text around the tables are not
updated: check them by hand.
"""

import json
import re
import shutil
import sys
from pathlib import Path

from toch_jax.base.errors import bad_input
from toch_jax.benchmark.methods.filters import FILTERS

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "results.md")
NOISES = {
    "T(0.01)": "translation, 10 mm",
    "T(0.02)": "translation, 20 mm",
    "R(0.3)": "fingers, 0.3 rad",
    "R(0.5)": "fingers, 0.5 rad",
    "B(0.01,0.3)": "translation, 10 mm, and fingers, 0.3 rad",
    "missing(0.2,0.01)": "a fifth of the frames lost, error in those",
    "beta(0.01,0.3,0.05)": "one-sided (GeneOH's Beta noise)",
    "drift(0.01)": "slow drift, 10 mm",
    "bias(0.01)": "constant offset, 10 mm",
}
"""The README's words for the noises, in its order."""
RUNS = ("filters", "benchmark", "two_hands", "object_noise")
COPIED = {
    "myodm errors": ("benchmark", "myodm", "MPJPE, and depth"),
    "myodm ratios": ("benchmark", "myodm", "Ours over the others"),
    "open_grasps errors": ("benchmark", "open_grasps", "MPJPE, and depth"),
    "open_grasps ratios": ("benchmark", "open_grasps", "Ours over the others"),
    "two hands": ("two_hands", "open_grasps", "Hand by hand"),
    "object myodm": ("object_noise", "myodm", "Hand seen from the object"),
}
"""Tables copied from a run's results.md: the run, the data set, the beginning of the line above the table."""


def main(runs: Path) -> None:
    there = {run: (runs / run / "results.md").is_file() for run in RUNS}
    if not any(there.values()):
        raise bad_input(runs, "runs", "a folder with one of " + ", ".join(there), "none of them")
    tables = {}
    if there["filters"]:
        tables["readme"] = readme_table(json.loads(read(runs / "filters" / "results.json")))
    for name, (run, dataset, line) in COPIED.items():
        if there[run]:
            tables[name] = table_below(runs / run / "results.md", dataset, line)
    for page in PAGES:
        page.write_text(with_tables(page, tables), encoding="utf-8")
    if there["benchmark"]:
        shutil.copy(runs / "benchmark" / "plots" / "myodm_error.png", ROOT / "docs" / "benchmark_error.png")
    for run, is_there in there.items():
        print(f"{runs / run}: {'written' if is_there else 'no results, its tables stay as they are'}")


def readme_table(results: list[dict]) -> str:
    """Table of mean joint errors (mm) on real grasps, the smallest of each row in bold."""
    found = {(r["noise"], r["method"], r["metric"]): r["mean"] for r in results if r["dataset"] == "myodm"}
    lines = ["| noise | input | best filter | ours, no network | ours |", "| --- | --- | --- | --- | --- |"]
    for noise, words in NOISES.items():
        metric = "mpjpe_missing" if (noise, "ours", "mpjpe_missing") in found else "mpjpe"
        filters = [found[noise, filter.name, metric] for filter in FILTERS if (noise, filter.name, metric) in found]
        errors = [f"{found[noise, 'input', metric]:.1f}", f"{min(filters):.1f}"]
        errors += [f"{found[noise, method, metric]:.1f}" for method in ("fit", "ours")]
        least = min(errors, key=float)
        lines.append(f"| {words} | {' | '.join(f'**{e}**' if e == least else e for e in errors)} |")
    return "\n".join(lines)


def table_below(path: Path, dataset: str, line: str) -> str:
    """The table that follows the line in the data set's section of a results.md."""
    section = re.search(rf"^## {dataset},.*?(?=^## |\Z)", read(path), re.MULTILINE | re.DOTALL)
    table = section and re.search(rf"^{re.escape(line)}.*?\n\n((?:\|.*\n)+)", section[0], re.MULTILINE)
    if not table:
        raise bad_input(path, dataset, f"a table below '{line} ...'", "none")
    return table[1].rstrip()


def with_tables(page: Path, tables: dict[str, str]) -> str:
    """The page's text with the tables between its marks replaced by those of the same name."""
    return re.sub(
        r"(<!-- table: (.*?) -->\n)(.*?)(\n<!-- end -->)",
        lambda match: match[1] + tables.get(match[2], match[3]) + match[4],
        read(page),
        flags=re.DOTALL,
    )


def read(path: Path) -> str:
    if not path.is_file():
        raise bad_input(path, "file", "a benchmark's results", "no such file")
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "runs")
