"""Which parameters of a description are learnt."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from physnn.errors import ParameterError, UnknownNameError

_PARAMETER = re.compile(r"\(parameter(?=[,)])[^)]*\)$")


def declared(equations: str, trainable: Collection[str], where: str) -> str:
    """The equations with the parameters named in `trainable` declared as learnt ones.

    Parameters
    ----------
    equations : str
        One equation or declaration a line; what may be learnt is declared `NAME : UNIT (parameter)`, or with a bound
        below, `NAME : UNIT (parameter, at least 0)`.

    Raises
    ------
    ParameterError, UnknownNameError
        `trainable` is no collection of names, or a name is none of these.
    """
    lines = [line for line in equations.splitlines() if line.strip()]
    names = {line.split(":")[0].strip(): k for k, line in enumerate(lines) if _PARAMETER.search(line)}
    check_learnt(trainable, names, where)
    for name in trainable:
        lines[names[name]] = "(trainable".join(lines[names[name]].rsplit("(parameter", 1))
    return "\n".join(lines)


def check_learnt(trainable: Any, known: Iterable[str], where: str) -> None:
    """Whether these are names of parameters that may be learnt.

    Raises
    ------
    ParameterError, UnknownNameError
    """
    known = tuple(known)
    check_names(trainable, known, where)
    for name in trainable:
        if name not in known:
            raise UnknownNameError(f"trainable parameter of {where}", str(name), known)


def check_names(trainable: Any, known: Iterable[str], where: str) -> None:
    """Whether this is a collection, of names or empty, and not a single name or a bool.

    Raises
    ------
    ParameterError
    """
    known = tuple(known)
    if isinstance(trainable, str) or not isinstance(trainable, Collection):
        one = trainable if isinstance(trainable, str) else next(iter(known), "")
        raise ParameterError(
            f"{where}: trainable {trainable!r} is no tuple of names; write trainable=({one!r},), or () for none of "
            f"{', '.join(known)}"
        )
