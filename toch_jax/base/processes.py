"""A function mapped over items by several processes, each on one CPU core."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection, get_context, parent_process
from typing import TypeVar

import jax

from toch_jax.base.device import keep_compiled

MOST = 8
"""Largest number of processes that `usual_processes` gives: each takes up to 1 GB of memory."""

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def usual_processes() -> int:
    """As many processes as this one may use cores, at most MOST."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST)


def map_in_processes(function: Callable[[_In], _Out], items: Sequence[_In], processes: int) -> Iterator[_Out]:
    """The results in the order of the items. With one process it is this one; function and items must pickle else.

    An interruption ends the processes when they have done the items they have begun.
    """
    if processes == 1 or len(items) <= 1:
        yield from map(function, items)
        return
    count = min(processes, len(items))
    with ProcessPoolExecutor(count, get_context("spawn"), initializer=_begin) as pool:
        # the first item alone: what it has compiled is then in the cache for all
        yield from pool.map(function, items[:1])
        yield from pool.map(function, items[1:])


def _begin() -> None:
    """Make this process a worker: on one core of the CPU, ended by its parent only."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # the sizes of the thread pools of XLA and libigl
    os.environ["NPROC"] = os.environ["IGL_NUM_THREADS"] = "1"
    jax.config.update("jax_platforms", "cpu")
    keep_compiled()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Exit when the parent is gone, however it ended: the pool's processes would wait for ever."""
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
