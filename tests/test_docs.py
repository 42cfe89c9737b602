"""Tables of the documentation that are generated from the code."""

import dataclasses
import importlib.util
from pathlib import Path

from toch_jax.metrics import METRICS
from toch_jax.solver.settings import FitSettings

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("docs_hooks", ROOT / "scripts" / "docs_hooks.py")
assert SPEC is not None
assert SPEC.loader is not None
docs_hooks = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(docs_hooks)


def test_every_setting_and_metric_has_its_row() -> None:
    page = docs_hooks.on_page_markdown("<!-- table: settings -->\n\n<!-- table: metrics -->")
    settings, metrics = page.split("\n\n")
    assert [line.split("`")[1] for line in settings.splitlines()[2:]] == [
        field.name for field in dataclasses.fields(FitSettings)
    ]
    assert [line.split("`")[1] for line in metrics.splitlines()[2:]] == list(METRICS)
    assert "| `speed_time` | `0.067` | s | Standard deviation of the Gaussian" in settings
    assert "| `steps` | `10` | 1 |" in settings
    assert "| `last_depths` | `0.004, 0.002, 0.001, 0.0007` | m |" in settings
    assert "| `velocity` | `wrist 1, orient 10, fingers 10` | m/s, rad/s, rad/s |" in settings
    assert all(all(cell.strip() for cell in line.split("|")[1:-1]) for line in settings.splitlines())


def test_links_out_of_the_docs_are_plain_text() -> None:
    page = docs_hooks.on_page_markdown("[all](../README.md#limits), [card](../toch_jax/x.md), [here](own_data.md)")
    assert page == "[all](index.md#limits), card, [here](own_data.md)"
