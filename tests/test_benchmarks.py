"""The gate of the benchmarks: which losses it names, and what it counts as one."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import timing


def test_ratios_that_fell_are_named() -> None:
    before = {"field": {"trimesh": 20.0, "embree": 0.5}}
    assert timing.losses(before, {"field": {"trimesh": 17.1, "embree": 0.43}}) == []
    assert timing.losses(before, {"field": {"trimesh": 16.9, "embree": 0.6}}) == ["field, trimesh: 16.9, was 20"]
    assert timing.losses(before, {"field": {"trimesh": 25.0}}) == ["field, embree: nothing, was 0.5"]
    assert "--write" in timing.losses({}, {"field": {"trimesh": 25.0}})[0]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets time pass."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    def passes(seconds: float) -> None:
        now[0] += seconds

    return passes


def test_times_are_for_one_unit(clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]) -> None:
    def takes(seconds: float, units: float) -> Callable[[], float]:
        def run() -> float:
            clock(seconds)
            return units

        return run

    race = timing.Race("a race", "frame", {"ours": takes(1.0, 100), "slow": takes(3.0, 10)}, frozenset({"slow"}))
    assert timing._ratios(race, 3) == {"slow": 30.0}
    assert "10.000" in capsys.readouterr().out.splitlines()[-2]


def test_the_gate_ends_with_1_after_a_loss(
    clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(timing, "BASELINE", tmp_path / "baseline.json")

    def run(seconds: float, *words: str) -> int | None:
        def other() -> float:
            clock(seconds)
            return 1

        def ours() -> float:
            clock(1.0)
            return 1

        monkeypatch.setattr(sys, "argv", ["benchmark", *words])
        try:
            timing.benchmark("made up", lambda: [timing.Race("a race", "clip", {"ours": ours, "other": other})])
        except SystemExit as end:
            return int(end.code or 0)
        return None

    assert run(3.0, "--gate") == 1
    assert run(3.0, "--write") is None
    assert json.loads((tmp_path / "baseline.json").read_text()) == {"made up": {"a race": {"other": 3.0}}}
    assert run(2.6, "--gate") == 0
    assert run(2.5, "--gate") == 1
