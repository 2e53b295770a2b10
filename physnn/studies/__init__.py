"""Studies: what the rules reach on data, held against what was promised and what others claim (`physnn reproduce`)."""

from physnn.errors import UnknownNameError
from physnn.studies import digits, images, mismatch, passive, spiking
from physnn.studies.study import Line, Study, Task

_ALL = (digits.STUDY, spiking.STUDY, mismatch.STUDY, passive.STUDY, images.MNIST, images.FASHION)
STUDIES: dict[str, Study] = {study.name: study for study in _ALL}
"""Name -> study."""


def find_study(name: str) -> Study:
    """The study of that name.

    Raises
    ------
    UnknownNameError
    """
    if name not in STUDIES:
        raise UnknownNameError("study", name, STUDIES)
    return STUDIES[name]


__all__ = ["STUDIES", "Line", "Study", "Task", "find_study"]
