"""Batched execution of any System, written once for NumPy and for libraries with the same array interface."""

from physnn.execution.arrays import Arrays, NumpyArrays
from physnn.execution.engine import Engine
from physnn.execution.stepping import Run

__all__ = ["Arrays", "Engine", "NumpyArrays", "Run"]
