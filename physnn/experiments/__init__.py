"""Experiments: their files, their cells, where records are kept, and how they are run."""

from physnn.experiments.cell import run_cell
from physnn.experiments.runner import run
from physnn.experiments.schema import Cell, Experiment, built_in, read_experiment
from physnn.experiments.store import SCHEMA, Store, write_json

__all__ = ["SCHEMA", "Cell", "Experiment", "Store", "built_in", "read_experiment", "run", "run_cell", "write_json"]
