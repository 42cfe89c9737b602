"""What a long call is doing: the name of each stage as it begins, and that code is being compiled."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from functools import partial
from threading import Timer
from typing import TypeVar

import jax
from tqdm import tqdm

Progress = Callable[[str], None]
"""Called with the name of each stage when it begins, perhaps from another thread."""
Clip = TypeVar("Clip")

COMPILING = "compiling, once, about a minute"
PATIENCE_S = 2.0
"""A compilation that takes less is not told."""
_LOWERED = "/jax/core/compile/jaxpr_to_mlir_module_duration"
"""JAX's event just before it compiles a program or reads it from its cache."""
_COMPILED = "/jax/core/compile/backend_compile_duration"
"""Just after."""


def silent(stage: str) -> None:
    """Says nothing."""


def to_stderr(stage: str) -> None:
    """One line on standard error."""
    print(f"{stage} ...", file=sys.stderr, flush=True)


def reporter(progress: bool | Progress) -> Progress:
    """What the argument `progress` of a call means: a callback, or whether to write to standard error."""
    if callable(progress):
        return progress
    return to_stderr if progress else silent


def each_clip(clips: Iterable[Clip], progress: bool | Progress) -> Iterator[tuple[Clip, Progress]]:
    """The clips, each with the callback for its stages.

    With `progress` True: a bar on a terminal, elsewhere lines that begin with "clip 3 of 12: ".
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
    """Within, `tell` is called with COMPILING the first time that JAX has compiled one program for PATIENCE_S seconds.

    JAX says when it begins and ends, not whether its cache has the program: that takes less.
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
