"""The plain interpreter: any System, step by step, in NumPy. Slow and simple; it is the oracle of all backends.

One step from t_n to t_n + dt, explicit Euler for flows (other integrators are maps, `physnn.equations.integrators`):

1. signals of states are computed and delivered (after their delay), populations taken in an order in which
   instantaneous signals are known before they are needed; constraints 0 = F are solved for their unknowns;
2. flows x <- x + dt f, with white noise xi = N(0, 1)/sqrt(dt) (Euler-Maruyama, Ito); maps x <- f; plastic weights
   likewise, with the mean over the batch of their equations;
3. projections; then events: where the guard holds and the element is not refractory, resets act and a pulse 1/dt is
   sent during the next step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.equations.coupling import check_weights
from physnn.equations.run import Run, whole_steps
from physnn.equations.system import System
from physnn.equations.trace import Trace
from physnn.errors import EquationError, NumericsError, ParameterError, ShapeError, UnknownNameError

__all__ = ["Interpreter", "whole_steps"]


class Interpreter:
    """Runs one System with given parameters.

    Parameters
    ----------
    system : System
    parameters : mapping, optional
        Parameter key -> array, in place of the System's own values.
    seed : int
        Seed of the noise streams.
    """

    def __init__(self, system: System, parameters: Mapping[str, Any] | None = None, *, seed: int = 0) -> None:
        self.system = system
        given = {key: np.asarray(value) for key, value in (parameters or {}).items()}
        self.parameters = {**system.parameters, **given}
        self.seed = seed
        missing = {c.key for c in system.couplings.values()} - self.parameters.keys()
        if missing:
            raise ParameterError(
                f"no weights for {sorted(missing)}; give them as parameters or as the coupling's `initial`"
            )
        self._check(given)

    def _check(self, given: Mapping[str, NDArray]) -> None:
        """Names and shapes of parameters; a companion is handed those of its original, which it need not use."""
        known = {c.key for c in self.system.couplings.values()} | self.system.parameters.keys()
        for key in given.keys() - known:
            if not self.system.derived:
                raise UnknownNameError("parameter", key, known)
        for coupling in self.system.couplings.values():
            target = self.system.populations[coupling.target]
            if check_weights(coupling, self.parameters[coupling.key]) and not target.variables[coupling.into].complex:
                raise EquationError(f"coupling {coupling.name!r}: complex weights, but {coupling.into!r} is real")
        for population in self.system.populations.values():
            for key in (f"{population.name}.{name}" for name in population.role("parameter")):
                shape = self.parameters[key].shape
                if not _fits(shape, population.shape):
                    raise ShapeError(
                        f"parameter {key!r} has shape {shape}, which does not fit the population's {population.shape}"
                    )

    def run(
        self, inputs: Mapping[str, NDArray], steps: int, dt: float, state: Mapping[str, Any] | None = None
    ) -> Trace:
        """Advance `steps` steps of `dt` [s]; every variable is recorded.

        Parameters
        ----------
        inputs : mapping
            Input port -> array (batch, *shape), held, or (batch, steps, *shape), one entry a step.
        steps : int
        dt : float
            [s]
        state : mapping, optional
            `Trace.state` of the run to be continued.
        """
        if steps < 0 or not (np.isfinite(dt) and dt > 0):
            raise ParameterError(f"a run of {steps} steps of {dt} s: there must be 0 steps or more, and a step above 0")
        run = Run(self.system.discrete, self.parameters, self.seed, inputs, dt, state)
        run.check_length(steps)
        for _ in range(steps):
            run.resolve()
            run.record()
            run.advance()
        # The end is looked at, not lived through: a continued run starts its constraints from where this one left them.
        end = dict(run.state)
        run.resolve()
        run.record()
        return run.trace(end)

    def steady(self, inputs: Mapping[str, NDArray], tolerance: float = 1e-12, sweeps: int = 2000) -> Trace:
        """The stationary state without noise, where no flow moves, no map changes and every constraint holds.

        Feed-forward Systems take one sweep through the populations; loops are swept until nothing changes by more
        than `tolerance` times the largest value met.

        Raises
        ------
        NumericsError
            No stationary state was reached.
        CapabilityError
            There are events, projections or plastic couplings.
        """
        self.system.check_steady()
        run = Run(self.system, self.parameters, self.seed, inputs, 1.0, None, silent=True)
        run.check_held()
        order, change, scale = self.system.steady_order, np.inf, 0.0
        for sweep in range(1 if order else sweeps):
            before = run.values()
            for name in order or self.system.populations:
                run.settle(name)
            after = run.values()
            scale = max([scale, *(float(np.max(np.abs(v))) for v in after.values())])
            change = max((float(np.max(np.abs(v - before[k]))) for k, v in after.items()), default=0.0)
            if not np.isfinite(change) or (sweep and change <= tolerance * scale):
                break
        if not order and not change <= tolerance * scale:
            raise NumericsError(
                f"no stationary state after {sweeps} sweeps (last change {change:.2g}); run it in time instead"
            )
        run.resolve()
        run.record()
        return run.trace(run.state, steady=True)


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether an array of `shape` broadcasts to `wanted`."""
    try:
        return np.broadcast_shapes(shape, wanted) == wanted
    except ValueError:
        return False
