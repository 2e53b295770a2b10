"""Running a study's trainings in a pool of processes; a training whose record is there is not run again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from physnn.experiments.pool import ENDED, processes
from physnn.experiments.store import make_folder, plain, read_json, write_json
from physnn.studies.study import Record, Task


def run_tasks(
    tasks: Sequence[Task],
    folder: Path,
    *,
    workers: int | None = None,
    on_record: Callable[[Record], None] | None = None,
) -> dict[str, Record]:
    """The records of some trainings by key, in their order; each is kept in `folder/KEY.json`.

    A record is taken from the folder where version and arguments are those that made it; one that failed is run anew.

    Raises
    ------
    ExperimentError
        The folder cannot be written.
    """
    make_folder(folder)
    found = held(tasks, folder)
    missing = [task for task in tasks if task.key not in found]
    if missing:
        with processes(workers, len(missing)) as pool:
            running = {pool.submit(task.run): task for task in missing}
            for future in as_completed(running):
                task = running[future]
                try:
                    record: Record = future.result()
                except BrokenProcessPool:
                    record = {"key": task.key, "fingerprint": task.fingerprint, "status": "failed", "reason": ENDED}
                found[task.key] = record = plain(record)
                write_json(folder / f"{task.key}.json", record)
                if on_record:
                    on_record(record)
    return {task.key: found[task.key] for task in tasks}


def held(tasks: Sequence[Task], folder: Path) -> dict[str, Record]:
    """The records that a folder holds of some trainings, those that failed left out."""
    found: dict[str, Record] = {}
    for task in tasks:
        path = folder / f"{task.key}.json"
        if path.exists():
            record = read_json(path)
            ours = isinstance(record, dict) and record.get("fingerprint") == task.fingerprint
            if ours and record.get("status") in ("done", "refused"):
                found[task.key] = record
    return found
