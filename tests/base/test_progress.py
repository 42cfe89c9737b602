"""Progress messages of long calls."""

import time

import jax
import pytest

from toch_jax.base import progress
from toch_jax.base.progress import COMPILING, compilation_told, each_clip, reporter

LOWERED = "/jax/core/compile/jaxpr_to_mlir_module_duration"
COMPILED = "/jax/core/compile/backend_compile_duration"


def test_true_writes_to_standard_error_and_false_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    reporter(True)("fit")
    reporter(False)("picture")
    told: list[str] = []
    reporter(told.append)("metrics")
    assert capsys.readouterr() == ("", "fit ...\n")
    assert told == ["metrics"]


def test_clips_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    for clip, tell in each_clip(["a", "b"], True):
        tell(f"fit {clip}")
    assert capsys.readouterr().err == "clip 1 of 2: fit a ...\nclip 2 of 2: fit b ...\n"
    told: list[str] = []
    for _, tell in each_clip(iter("ab"), told.append):
        tell("fit")
    assert told == ["clip 1: fit", "clip 2: fit"]


def test_a_long_compilation_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE_S", 0.05)
    told: list[str] = []
    with compilation_told(told.append):
        for wait in (0.0, 0.5, 0.5):
            jax.monitoring.record_event_duration_secs(LOWERED, 0.01)
            time.sleep(wait)
            assert told == ([COMPILING] if wait else [])
            jax.monitoring.record_event_duration_secs(COMPILED, wait)
        told.clear()
    jax.monitoring.record_event_duration_secs(LOWERED, 0.01)
    time.sleep(0.2)
    assert told == []


def test_jax_sends_these_events() -> None:
    """A compilation by JAX sends the events listened for; fails if JAX renames them."""
    observed: list[str] = []

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        observed.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        jax.jit(lambda x: 3 * x + 0.123)(1.0)
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert [event for event in observed if event in (LOWERED, COMPILED)] == [LOWERED, COMPILED]
