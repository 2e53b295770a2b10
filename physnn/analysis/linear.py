"""Systems made linear about a point: state matrices, responses to sinusoids and constants, modes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.linalg import splu

from physnn.analysis.matrices import Matrix
from physnn.analysis.point import Point
from physnn.analysis.state_space import Linearisation, Linearised
from physnn.equations import System
from physnn.equations.run import whole_steps
from physnn.errors import CapabilityError, NumericsError, UnknownNameError

Names = str | Sequence[str]


def linearised(
    system: System,
    parameters: Mapping[str, Any] | None = None,
    about: Point | None = None,
    *,
    step: float | None = None,
) -> Linearised:
    """The state matrices of a System about a point.

    Parameters
    ----------
    system : System
    parameters : mapping, optional
        Parameter key -> array, in place of the System's own values.
    about : mapping, optional
        'POPULATION.VARIABLE' -> value, from `point` of a trace, from `rest`, or by hand, and 't' [s]. States not named
        are as they start, inputs zero; arrivals and unknowns follow.
    step : float, optional
        [s]. Where given, of one step x -> x+ of the System's own integrators and maps, in place of dx/dt.

    Raises
    ------
    CapabilityError
        There are events or plastic couplings; a projection holds a state at this point; or maps, and no step.
    """
    _check_smooth(system)
    return Linearisation(system, parameters, about, stepped=step is not None).at(step)


def step_matrix(
    system: System, step: float, parameters: Mapping[str, Any] | None = None, about: Point | None = None
) -> Matrix:
    """The matrix of one discrete step: states, and what is in flight on delayed couplings, from one step to the next.

    A state decays if the spectral radius is below 1. For explicit Euler it is 1 + dt A; other integrators and maps give
    the Jacobian of their map.

    Returns
    -------
    scipy.sparse.csr_array
        Square; states as in `Linearised.states`, then for each step of delay the signals sent that long ago.

    Raises
    ------
    ParameterError
        A delay is not a whole number of steps.
    CapabilityError
        As `linearised`.
    """
    _check_smooth(system)
    for coupling in system.couplings.values():
        whole_steps(coupling, step)
    return Linearisation(system, parameters, about, stepped=True).embedded(step)


def frequency_response(
    system: System,
    source: Names,
    target: Names,
    omega: ArrayLike,
    parameters: Mapping[str, Any] | None = None,
    about: Point | None = None,
    *,
    step: float | None = None,
) -> NDArray[np.complex128]:
    """The response to small sinusoids,  H(omega) = C (j omega - A)^-1 B + D  with delays as exp(-j omega tau).

    Parameters
    ----------
    source : str or sequence of str
        Input port, or 'POPULATION.VARIABLE': an input, an arrival (a wave added there) or a state (a rate added there).
    target : str or sequence of str
        Output port, or 'POPULATION.VARIABLE' of a state.
    omega : float or array
        Angular frequencies [rad/s].
    step : float, optional
        [s]. Where given, of the System as it is stepped: z = exp(j omega step) in place of j omega.

    Returns
    -------
    array
        (*shape of omega, elements of the targets, elements of the sources); a complex variable counts twice, real parts
        before imaginary parts.

    Raises
    ------
    NumericsError
        A frequency is that of an undamped mode.

    Examples
    --------
    >>> from physnn.equations import Input, Output, Population, System
    >>> from physnn.analysis import frequency_response
    >>> text = "dv/dt = (u - v)/tau : V\\nu : V (input)\\ntau : s (parameter)"
    >>> low_pass = Population.from_text("rc", 1, text, {"tau": 2.0})
    >>> system = System.of([low_pass], (), {"in": Input("rc", "u")}, {"out": Output("rc", "v")})
    >>> float(abs(frequency_response(system, "in", "out", 0.5)[0, 0]).round(6))  # 1/sqrt(2) at omega tau = 1
    0.707107
    """
    frequencies = np.asarray(omega, dtype=float)
    linear = linearised(system, parameters, about, step=step)
    entering, read = _entering(system, linear, source), _read(linear, target)
    found = [_response(linear, w, entering, read) for w in frequencies.ravel()]
    return np.reshape(found, (*frequencies.shape, read[0].shape[0], entering[0].shape[1]))


def dc_gain(
    system: System,
    source: Names,
    target: Names,
    parameters: Mapping[str, Any] | None = None,
    about: Point | None = None,
    *,
    step: float | None = None,
) -> NDArray[np.float64]:
    """The response to small constants,  D - C A^-1 B: `frequency_response` at 0.

    Returns
    -------
    array
        (elements of the targets, elements of the sources)
    """
    return np.real(frequency_response(system, source, target, 0.0, parameters, about, step=step))


@dataclass(frozen=True)
class Modes:
    """Jacobian modes: v exp(lambda t), the slowest to decay first."""

    eigenvalues: NDArray[np.complex128]
    """lambda [1/s], (modes,)"""
    vectors: NDArray[np.complex128]
    """(entries of the states, modes), columns of length 1"""
    states: Mapping[str, slice]
    """'POPULATION.STATE' -> its rows of `vectors`"""

    @property
    def growth(self) -> NDArray[np.float64]:
        """Growth rates [1/s]."""
        return np.real(self.eigenvalues)

    @property
    def angular_frequency(self) -> NDArray[np.float64]:
        """[rad/s]"""
        return np.imag(self.eigenvalues)


def modes(system: System, parameters: Mapping[str, Any] | None = None, about: Point | None = None) -> Modes:
    """Growth rates, angular frequencies and shapes of a System's own motions about a point.

    Raises
    ------
    CapabilityError
        There are delays: such a System has infinitely many modes; `step_matrix` has those of its steps.
    """
    linear = linearised(system, parameters, about)
    if len(linear.delays):
        raise CapabilityError(
            "the System has delays, hence infinitely many modes; take the eigenvalues of its step_matrix"
        )
    values, vectors = np.linalg.eig(linear.A.toarray())
    order = np.lexsort((np.imag(values), -np.real(values)))
    return Modes(values[order].astype(complex), vectors[:, order].astype(complex), linear.states)


def _check_smooth(system: System) -> None:
    """Whether derivatives of the equations are all that acts."""
    for population in system.populations.values():
        if population.events:
            raise CapabilityError(
                f"population {population.name!r} has events, which no derivative describes; run it in time"
            )
    for coupling in system.couplings.values():
        if coupling.plasticity is not None:
            raise CapabilityError(f"coupling {coupling.name!r} is plastic while it runs; freeze it to linearise")


def _response(
    linear: Linearised, omega: float, entering: tuple[Matrix, Matrix, Matrix], read: tuple[Matrix, Matrix, Matrix]
) -> NDArray[np.complex128]:
    """One frequency: (outputs, inputs)."""
    (into_states, into_lines, through), (of_states, of_lines, rows) = entering, read
    count = linear.A.shape[0]
    advance = 1j * omega if linear.step is None else np.exp(1j * omega * linear.step)
    later = sparse.diags_array(np.exp(1j * omega * linear.delays))
    whole = sparse.block_array(
        [
            [advance * sparse.eye_array(count) - linear.A, -linear.from_lines],
            [-linear.sent, later - linear.line_to_line],
        ]
    )
    driven = np.concatenate([into_states.toarray(), into_lines.toarray()])
    try:
        waves = splu(whole.tocsc()).solve(driven.astype(complex)) if whole.shape[0] else driven
    except RuntimeError:
        raise NumericsError(
            f"no response at {omega} rad/s: a mode without damping has this frequency; choose another or add damping"
        ) from None
    return of_states @ waves[:count] + of_lines @ waves[count:] + (rows @ through).toarray()


def _entering(system: System, linear: Linearised, names: Names) -> tuple[Matrix, Matrix, Matrix]:
    """Into states, into lines, and directly into outputs: (entries, elements of the sources)."""
    count, lines, outputs = linear.A.shape[0], len(linear.delays), linear.C.shape[0]
    found = []
    for name in [names] if isinstance(names, str) else names:
        port = system.inputs.get(name)
        key = f"{port.population}.{port.variable}" if port else name
        if key in linear.inputs:
            columns = linear.inputs[key]
            found.append((linear.B[:, columns], linear.line_from_inputs[:, columns], linear.D[:, columns]))
        elif key in linear.states and port is None:
            size = linear.states[key].stop - linear.states[key].start
            direct = sparse.eye_array(count).tocsr()[:, linear.states[key]]
            found.append((direct, sparse.csr_array((lines, size)), sparse.csr_array((outputs, size))))
        else:
            raise UnknownNameError("source", name, [*system.inputs, *linear.inputs, *linear.states])
    into_states, into_lines, through = (sparse.hstack(parts).tocsr() for parts in zip(*found, strict=True))
    return into_states, into_lines, through


def _read(linear: Linearised, names: Names) -> tuple[Matrix, Matrix, Matrix]:
    """Of states, of lines, and which outputs: (elements of the targets, entries)."""
    count, lines, outputs = linear.A.shape[0], len(linear.delays), linear.C.shape[0]
    found = []
    for name in [names] if isinstance(names, str) else names:
        if name in linear.outputs:
            rows = sparse.eye_array(outputs).tocsr()[linear.outputs[name]]
            found.append((rows @ linear.C, rows @ linear.output_from_lines, rows))
        elif name in linear.states:
            rows = sparse.eye_array(count).tocsr()[linear.states[name]]
            found.append((rows, sparse.csr_array((rows.shape[0], lines)), sparse.csr_array((rows.shape[0], outputs))))
        else:
            raise UnknownNameError("target", name, [*linear.outputs, *linear.states])
    of_states, of_lines, rows = (sparse.vstack(parts).tocsr() for parts in zip(*found, strict=True))
    return of_states, of_lines, rows
