"""Running an experiment's cells in a pool of processes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from physnn.errors import PhysnnError
from physnn.experiments.cell import controls, empty_record, run_cell
from physnn.experiments.pool import ENDED, processes
from physnn.experiments.schema import Cell, Experiment
from physnn.experiments.store import Store, plain


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
    with processes(workers, len(missing)) as pool:
        _collect(experiment, store, missing, pool, on_cell)


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
            store.put(cell, plain(record))
            if on_cell:
                on_cell(record)


def _result(future: Future, cell: Cell) -> dict[str, Any]:
    try:
        return future.result()
    except BrokenProcessPool:
        return empty_record(cell) | {"status": "failed", "reason": ENDED}


def _controls(future: Future, record: dict[str, Any]) -> dict[str, float | None]:
    try:
        return future.result()
    except (PhysnnError, BrokenProcessPool) as error:
        record["reason"] = "; ".join(filter(None, [record["reason"], f"no controls: {error}"]))
        return {"linear": None, "frozen_hidden": None}
