"""scripts/write_results.py: a benchmark's tables replace those in README.md and docs/results.md."""

import importlib.util
import json
import re
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from toch_jax.base.errors import InputError
from toch_jax.benchmark.experiment import Benchmark, Dataset, results_text
from toch_jax.benchmark.results import Result, Table, summarise

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("write_results", ROOT / "scripts" / "write_results.py")
assert SPEC is not None
assert SPEC.loader is not None
write_results = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(write_results)

ERRORS = {"input": 31.0, "filter:kalman:object": 21.0, "filter:gaussian:world": 22.0, "fit": 12.0, "ours": 11.0}
METRICS = ("mpjpe", "mpjpe_missing", "mpjpe_right", "mpjpe_left", "mpjpe_in_object", "object_add")


def run(folder: Path, datasets: tuple[str, ...]) -> None:
    """Write a folder like that of `toch benchmark`, for two clips with the errors above."""
    table: Table = {clip: {m: dict.fromkeys(METRICS, e) for m, e in ERRORS.items()} for clip in ("a", "b")}
    tables = {dataset: dict.fromkeys(write_results.NOISES, table) for dataset in datasets}
    results: list[Result] = []
    for dataset, under in tables.items():
        for noise, scores in under.items():
            results += summarise(dataset, noise, scores)
    (folder / "plots").mkdir(parents=True)
    (folder / "plots" / "myodm_error.png").write_bytes(b"picture")
    (folder / "results.json").write_text(json.dumps([asdict(result) for result in results]))
    experiment = Benchmark(tuple(Dataset(name, tuple(write_results.NOISES)) for name in datasets))
    (folder / "results.md").write_text(results_text(experiment, folder, tables, results))


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Copies of the pages, which the script uses instead of the originals."""
    (tmp_path / "docs").mkdir()
    copies = [tmp_path / page.relative_to(ROOT) for page in write_results.PAGES]
    for copy in copies:
        shutil.copy(ROOT / copy.relative_to(tmp_path), copy)
    monkeypatch.setattr(write_results, "ROOT", tmp_path)
    monkeypatch.setattr(write_results, "PAGES", copies)
    return copies


def test_every_table_is_written(tmp_path: Path, pages: list[Path]) -> None:
    before = [page.read_text(encoding="utf-8") for page in pages]
    run(tmp_path / "runs" / "filters", ("myodm",))
    run(tmp_path / "runs" / "benchmark", ("myodm", "open_grasps"))
    run(tmp_path / "runs" / "two_hands", ("open_grasps",))
    run(tmp_path / "runs" / "object_noise", ("myodm",))
    write_results.main(tmp_path / "runs")
    block = re.compile(r"<!-- table: (.*?) -->\n(.*?)\n<!-- end -->", re.DOTALL)
    names = []
    for page, old in zip(pages, before, strict=True):
        new = page.read_text(encoding="utf-8")
        assert block.sub("", new) == block.sub("", old)
        for name, table in block.findall(new):
            names.append(name)
            rows = table.splitlines()[2:]
            assert len(rows) == len(write_results.NOISES)
            # the tables are the run's: each row has our 11 mm, or the ratio of it to another method
            assert all(re.search(r"\b11\.0\b|\b0\.52\b", row) for row in rows), name
    assert sorted(names) == sorted(["readme", *write_results.COPIED])
    assert "| translation, 10 mm | 31.0 | 21.0 | 12.0 | **11.0** |" in pages[0].read_text(encoding="utf-8")
    assert (tmp_path / "docs" / "benchmark_error.png").read_bytes() == b"picture"


def test_tables_without_a_run_stay(tmp_path: Path, pages: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    results = pages[1].read_text(encoding="utf-8")
    run(tmp_path / "runs" / "filters", ("myodm",))
    write_results.main(tmp_path / "runs")
    assert "| translation, 10 mm | 31.0 | 21.0 | 12.0 | **11.0** |" in pages[0].read_text(encoding="utf-8")
    assert pages[1].read_text(encoding="utf-8") == results
    assert "benchmark: no results, its tables stay as they are" in capsys.readouterr().out


def test_no_run_at_all_is_refused(tmp_path: Path, pages: list[Path]) -> None:
    with pytest.raises(
        InputError, match="runs: expected a folder with one of filters, benchmark, two_hands, object_noise"
    ):
        write_results.main(tmp_path / "runs")
