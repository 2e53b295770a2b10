"""Running an experiment's cells in a pool of processes, one thread each."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from physnn.errors import PhysnnError
from physnn.experiments.cell import controls, empty_record, run_cell
from physnn.experiments.schema import Cell, Experiment
from physnn.experiments.store import Store

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def run(
    experiment: Experiment,
    store: Store,
    *,
    workers: int | None = None,
    on_cell: Callable[[dict[str, Any]], None] | None = None,
) -> None:
    """Run every cell that the store does not hold yet.

    Parameters
    ----------
    experiment : Experiment
    store : Store
    workers : int, optional
        Processes; as many as there are cores where not given.
    on_cell : callable, optional
        Called with each finished record.
    """
    missing = [cell for cell in experiment.cells() if store.get(cell) is None]
    if not missing:
        return
    count = max(1, min(workers or os.cpu_count() or 1, len(missing)))
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # read by the children's libraries when they load
    try:
        with ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _start_worker) as pool:
            try:
                _collect(experiment, store, missing, pool, on_cell)
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
    processes = list((pool._processes or {}).values())  # forgotten by the pool once it is told to shut down
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()
    for process in processes:
        process.join()
    signal.signal(signal.SIGINT, before)


def _collect(
    experiment: Experiment,
    store: Store,
    missing: list[Cell],
    pool: ProcessPoolExecutor,
    on_cell: Callable[[dict[str, Any]], None] | None,
) -> None:
    pairs = list(dict.fromkeys((cell.dataset, cell.seed) for cell in missing))
    beside = {pair: pool.submit(controls, experiment, *pair) for pair in pairs}
    running: dict[Future, Cell] = {pool.submit(run_cell, experiment, cell): cell for cell in missing}
    while running:
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            cell = running.pop(future)
            record = _result(future, cell)
            record["controls"] = _controls(beside[cell.dataset, cell.seed], record)
            store.put(cell, _plain(record))
            if on_cell:
                on_cell(record)


def _result(future: Future, cell: Cell) -> dict[str, Any]:
    try:
        return future.result()
    except BrokenProcessPool:
        reason = "its process was ended from outside (out of memory?); run again with fewer --workers"
        return empty_record(cell) | {"status": "failed", "reason": reason}


def _controls(future: Future, record: dict[str, Any]) -> dict[str, float | None]:
    try:
        return future.result()
    except (PhysnnError, BrokenProcessPool) as error:
        record["reason"] = "; ".join(filter(None, [record["reason"], f"no controls: {error}"]))
        return {"linear": None, "frozen_hidden": None}


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """The record as JSON types: numbers that are not finite become null."""
    return json.loads(json.dumps(record, default=float), parse_constant=lambda _: None)


def _start_worker() -> None:
    """In each process: leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
