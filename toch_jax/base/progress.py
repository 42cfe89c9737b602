"""Progress of a long call: the name of each stage when it begins, and a message while code is compiled."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from functools import partial
from threading import Timer
from typing import TypeVar

import jax
from tqdm import tqdm

Progress = Callable[[str], None]
"""Callback with the name of each stage when it begins; may be called from another thread."""
Clip = TypeVar("Clip")

COMPILING = "compiling, once, about a minute"
PATIENCE_S = 2.0
"""Seconds after which a compilation is reported."""
_LOWERED = "/jax/core/compile/jaxpr_to_mlir_module_duration"
"""JAX's event just before it compiles a program or reads it from the cache."""
_COMPILED = "/jax/core/compile/backend_compile_duration"
"""JAX's event just after that."""


def silent(stage: str) -> None:
    """Report nothing."""


def to_stderr(stage: str) -> None:
    """Print the stage as one line on standard error."""
    print(f"{stage} ...", file=sys.stderr, flush=True)


def reporter(progress: bool | Progress) -> Progress:
    """The callback for an argument `progress`: itself, or `to_stderr` for True and `silent` for False."""
    if callable(progress):
        return progress
    return to_stderr if progress else silent


def each_clip(clips: Iterable[Clip], progress: bool | Progress) -> Iterator[tuple[Clip, Progress]]:
    """The clips, each with the callback for its stages.

    With `progress` True a terminal shows a bar. Otherwise each stage has the prefix "clip 3 of 12: ".
    """
    total = len(clips) if isinstance(clips, Sized) else None
    if progress is True and sys.stderr.isatty():
        with tqdm(clips, total=total, unit="clip") as bar:
            for clip in bar:
                yield clip, bar.set_postfix_str
        return
    tell = reporter(progress)
    of_all = "" if total is None else f" of {total}"
    for number, clip in enumerate(clips, 1):
        yield clip, partial(_of_clip, tell, f"clip {number}{of_all}")


def _of_clip(tell: Progress, clip: str, stage: str) -> None:
    tell(f"{clip}: {stage}")


@contextmanager
def compilation_told(tell: Progress) -> Iterator[None]:
    """Call `tell` with COMPILING once, when JAX has compiled one program in the block for PATIENCE_S seconds.

    JAX's events do not show whether the program is in the cache; reading it takes less than PATIENCE_S.
    """
    timer: Timer | None = None
    told = False

    def overdue() -> None:
        nonlocal told
        told = True
        tell(COMPILING)

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        nonlocal timer
        if event not in (_LOWERED, _COMPILED):
            return
        if timer is not None:
            timer.cancel()
        timer = None
        if event == _LOWERED and not told:
            timer = Timer(PATIENCE_S, overdue)
            timer.daemon = True
            timer.start()

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
        if timer is not None:
            timer.cancel()
