"""Studies: what the rules reach on data, held against what was promised and what others claim (`physnn reproduce`)."""

from physnn.errors import UnknownNameError
from physnn.studies.study import Line, Study, Task

STUDIES: dict[str, Study] = {}
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
