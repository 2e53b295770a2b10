"""A pool of processes, one thread each."""

from __future__ import annotations

import multiprocessing
import multiprocessing.process
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from threading import Thread

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
ENDED = "its process was ended from outside (out of memory?); run again with fewer --workers"


@contextmanager
def processes(wanted: int | None, most: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of `wanted` processes (as many as there are cores where None), at most one a task.

    Ctrl-C is left to the parent; where an exception leaves the block, all processes are ended at once.
    """
    count = max(1, min(wanted or os.cpu_count() or 1, most))
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # read by the children's libraries when they load
    try:
        with ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _start_worker) as pool:
            try:
                yield pool
            except BaseException:
                _stop(pool)
                raise
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the pool's processes at once, whatever they are doing; a second Ctrl-C waits until that is done."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    running = list((pool._processes or {}).values())  # forgotten by the pool once it is told to shut down
    pool.shutdown(wait=False, cancel_futures=True)
    for process in running:
        process.kill()
    for process in running:
        process.join()
    signal.signal(signal.SIGINT, before)


def _start_worker() -> None:
    """In each process: leave Ctrl-C to the parent, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
