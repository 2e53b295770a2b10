"""Which parameters of a description are learnt."""

from __future__ import annotations

from collections.abc import Collection

from physnn.errors import UnknownNameError

PARAMETER, TRAINABLE = "(parameter)", "(trainable)"


def declared(equations: str, trainable: Collection[str], where: str) -> str:
    """The equations with the parameters named in `trainable` declared as learnt ones.

    Parameters
    ----------
    equations : str
        One equation or declaration a line; what may be learnt is declared `NAME : UNIT (parameter)`.

    Raises
    ------
    UnknownNameError
        A name is none of these.
    """
    lines = [line for line in equations.splitlines() if line.strip()]
    names = {line.split(":")[0].strip(): k for k, line in enumerate(lines) if line.endswith(PARAMETER)}
    for name in trainable:
        if name not in names:
            raise UnknownNameError(f"trainable parameter of {where}", name, names)
        lines[names[name]] = lines[names[name]].removesuffix(PARAMETER) + TRAINABLE
    return "\n".join(lines)
