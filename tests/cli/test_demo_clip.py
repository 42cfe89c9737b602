"""`toch demo`: its table, its files, and the recipe of its clip."""

from pathlib import Path

import numpy as np
import pytest

from toch_jax.cli import demo_clip as demo
from toch_jax.cli import main
from toch_jax.metrics.joints import mpjpe_mm
from toch_jax.sequence.file import load_sequence
from toch_jax.view.scene import load_rows, rows_of

COLUMNS = ["before", "filter", "without network", "with network", "ground truth"]


def test_it_prints_every_method_and_what_to_type_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tracked, recipe = demo.load_example()
    monkeypatch.setattr(demo, "load_example", lambda: (tracked.frames(28, 44), recipe))
    assert main(["demo", str(tmp_path / "new")]) == 0
    text = capsys.readouterr().out
    table = {line[:45].strip(): line[45:].split() for line in text.splitlines()}
    error = dict(zip(COLUMNS, map(float, table["joint error, MPJPE (mm)"]), strict=True))
    assert error["with network"] < error["without network"] < error["before"]
    assert error["with network"] < error["filter"] < error["before"]
    assert error["ground truth"] == 0
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"tracked.npz", "clean.npz", "clean.png"}
    # the next command that it suggests is valid
    command = next(line.split() for line in text.splitlines() if " view " in line)
    sequence, rows = load_rows(*map(Path, command[-2:]))
    assert list(rows) == ["before", "after", "truth"]
    after, truth = (np.asarray(rows[name][0].joints) for name in ("after", "truth"))
    assert mpjpe_mm(after, truth) == pytest.approx(error["with network"], abs=0.01)
    assert sequence.n_frames == 16


def test_the_recipe_is_the_clip_s(example_file: Path) -> None:
    """Figures that need no fit are those of the recipe, and the recipe's choice follows from its figures."""
    tracked, recipe = demo.load_example()
    errors = recipe["errors_mm"]
    rows = rows_of(load_sequence(example_file))
    filtered = demo.recipe_filter(recipe).filter_hands(tracked, rows["before"])
    truth = np.asarray(rows["truth"][0].joints)
    for name, (hand,) in {"before": rows["before"], "filter": filtered}.items():
        assert mpjpe_mm(np.asarray(hand.joints), truth) == pytest.approx(errors[recipe["clip"]][name], abs=0.02)
    ratios = np.log(
        [[e["with network"] / e["filter"], e["with network"] / e["without network"]] for e in errors.values()]
    )
    median = np.median(ratios, axis=0)
    gains = [recipe["median_error_over_filter"], recipe["median_error_over_fit"]]
    np.testing.assert_allclose(np.exp(median), gains, atol=0.002)
    nearest = np.linalg.norm(ratios - median, axis=1)
    assert nearest[list(errors).index(recipe["clip"])] < nearest.min() + 0.002
