"""Data sets: the embedded digits, their odd/even parity, and a user's own arrays or files; one split for all."""

from physnn.datasets.catalogue import dataset_names, load
from physnn.datasets.dataset import PARTS, Dataset, Part
from physnn.datasets.files import load_file

__all__ = ["PARTS", "Dataset", "Part", "dataset_names", "load", "load_file"]
