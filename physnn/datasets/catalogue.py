"""The data sets that physnn knows by name."""

from __future__ import annotations

from physnn.datasets.dataset import Dataset
from physnn.datasets.digits import digits, digits_parity
from physnn.datasets.idx import fashion_mnist, mnist
from physnn.errors import UnknownNameError

_BUILDERS = {"digits": digits, "digits-parity": digits_parity, "fashion-mnist": fashion_mnist, "mnist": mnist}


def dataset_names() -> tuple[str, ...]:
    """Names that `load` takes, sorted."""
    return tuple(sorted(_BUILDERS))


def load(name: str) -> Dataset:
    """A data set by name.

    Raises
    ------
    UnknownNameError
        No data set has this name; the nearest one is offered.
    DataError
        Its files are not there or not the original ones ("mnist" and "fashion-mnist": see `physnn.datasets.idx`).

    Examples
    --------
    >>> data = load("digits")
    >>> data.inputs.shape, data.classes, len(data.test)
    ((1797, 64), 10, 360)
    """
    if name not in _BUILDERS:
        raise UnknownNameError("dataset", name, _BUILDERS)
    return _BUILDERS[name]()
