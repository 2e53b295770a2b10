"""Batched execution of a System: what its runs share, and its stationary state.

Everything is a function of the parameters given, so that automatic differentiation can follow it. Expressions are
compiled once for each population; the arithmetic of a step is that of `physnn.equations.Interpreter`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from functools import partial

from physnn.equations import System, Trace
from physnn.equations.joint_slopes import Kept
from physnn.equations.schedule import Joint, Task
from physnn.errors import NumericsError
from physnn.execution.arrays import Array, Arrays
from physnn.execution.compiled import Compiled
from physnn.execution.joints import JointSite
from physnn.execution.site import Site


class Engine:
    """One System compiled for an array library.

    Parameters
    ----------
    system : System
    arrays : Arrays
    """

    def __init__(self, system: System, arrays: Arrays) -> None:
        self.system, self.arrays = system, arrays
        self.compiled = {name: Compiled(arrays, system, p) for name, p in system.populations.items()}
        self._joints = tuple(task for task in system.schedule if isinstance(task, Joint))
        self._kept = {joint: Kept() for joint in self._joints}
        self._led = {task for joint in self._joints for task in joint.arrivals}
        """arrivals that joints put in their place"""

    def sites(
        self, parameters: Mapping[str, Array], batch: int, step: float, held: Mapping[str, Array]
    ) -> dict[str, Site]:
        """The populations by name, for one run with inputs that are held: input port -> (batch, *shape)."""
        entering: dict[str, dict[str, Array]] = {}
        for name, value in held.items():
            port = self.system.inputs[name]
            entering.setdefault(port.population, {})[port.variable] = value
        found = {}
        for name, compiled in self.compiled.items():
            site = found[name] = Site(compiled, parameters, batch, step)
            site.enter(entering.get(name, {}))
        return found

    def joints(self, sites: Mapping[str, Site], record: Collection[str] | None = None) -> dict[Joint, JointSite]:
        """Constraints that are solved together, for one run that records these fields, or all."""
        return {
            joint: JointSite(self.arrays, self.system, joint, sites, record, self._kept[joint])
            for joint in self._joints
        }

    def steady(
        self,
        inputs: Mapping[str, Array],
        parameters: Mapping[str, Array],
        tolerance: float,
        sweeps: int = 2000,
        errors: Mapping[Task, Array] | None = None,
    ) -> tuple[Trace, int]:
        """The stationary state, and the number of sweeps it took: one where the System is feed-forward.

        Loops are swept until nothing moves by more than `tolerance` times the largest amplitude. `errors` are added to
        what arrives: (population, arrival) -> (batch, *shape).
        """
        self.system.check_steady()
        sites = self.sites(parameters, next((v.shape[0] for v in inputs.values()), 1), 1.0, inputs)
        for (name, arrival), error in (errors or {}).items():
            sites[name].errors[arrival] = error
        joints, order = self.joints(sites), self.system.steady_order
        sent: dict[str, Array] = {}
        if self._joints:
            self._guess(sites)
        with self.arrays.unchecked():
            for name in order or ():
                self._settle(sites[name], joints, sent)
            taken = 1 if order is not None else self._sweep(sites, joints, sent, tolerance, sweeps)
        trace = _steady_trace(sites, sent)
        for name, value in trace.outputs.items():
            if not self.arrays.is_finite(value):
                raise NumericsError(f"output {name!r} is not finite in the stationary state; check inputs and damping")
        return trace, taken

    def _sweep(
        self,
        sites: Mapping[str, Site],
        joints: Mapping[Joint, JointSite],
        sent: dict[str, Array],
        tolerance: float,
        sweeps: int,
    ) -> int:
        """Settle one population after the other, round and round; the number of rounds."""
        change, sizes = math.inf, dict[str, float]()
        for sweep in range(1, sweeps + 1):
            before = dict(sent)
            for site in sites.values():
                self._settle(site, joints, sent)
            # What a clamped population sends is the same array in every sweep.
            moved = [name for name, value in sent.items() if value is not before.get(name)]
            sizes |= {name: self.arrays.largest(sent[name]) for name in moved}
            if before:
                changes = [self.arrays.largest(sent[name] - before[name]) for name in moved if name in before]
                change, scale = max(changes, default=0.0), max(sizes.values())
                if not all(map(math.isfinite, (*changes, *sizes.values()))):
                    break
                if change <= tolerance * scale:
                    return sweep
        raise NumericsError(
            f"no stationary state after {sweep} sweeps (last change {change:.2g}); run it in time instead"
        )

    def _settle(self, site: Site, joints: Mapping[Joint, JointSite], sent: dict[str, Array]) -> None:
        compiled, name = site.compiled, site.population.name
        if compiled.joint is None and name not in self.system.joined:
            self._hear(site, sent)
        if compiled.joint is not None:
            # Once for each of its populations: what others send may have changed in between.
            sites = joints[compiled.joint].sites
            for member in compiled.joint.members:
                self._hear(sites[member], sent)
            joints[compiled.joint].solve(partial(self._given, sites, sent))
            for other, _ in compiled.joint.arrivals:
                sent |= sites[other].values(sites[other].compiled.signals)
        if compiled.stationary is not None:
            for state in compiled.guessed:
                if state not in site.here:
                    site.here[state] = self._first(site, state)
            site.solve(compiled.stationary)
        sent |= site.values(compiled.signals)

    def _hear(self, site: Site, sent: Mapping[str, Array]) -> None:
        """Sum what arrives, but for what is found together with the unknowns of a joint."""
        for arrival, couplings in site.compiled.into.items():
            if (site.population.name, arrival) not in self._led:
                site.receive(arrival, [(c, sent[c.name]) for c in couplings if c.name in sent])

    def _guess(self, sites: Mapping[str, Site]) -> None:
        """First values of all that a joint may meet before its turn has come."""
        for name in self.system.joined:
            for arrival in sites[name].compiled.into:
                sites[name].receive(arrival, ())
        for site in sites.values():
            for own in (*site.population.dynamic, *site.population.constraints):
                if own not in site.here:
                    site.here[own] = self._first(site, own)

    def _first(self, site: Site, own: str) -> Array:
        return site.silence(own) + self.arrays.array(site.population.values.get(own, 0.0))

    @staticmethod
    def _given(sites: Mapping[str, Site], sent: Mapping[str, Array], task: Task, inside: frozenset[str]) -> Array:
        """What arrives by couplings that are not inside a joint."""
        name, arrival = task
        couplings = sites[name].compiled.into[arrival]
        leaving = [(c, sent[c.name]) for c in couplings if c.name in sent and c.name not in inside]
        return sites[name].arriving(arrival, leaving)


def _steady_trace(sites: Mapping[str, Site], sent: Mapping[str, Array]) -> Trace:
    fields = {f"{name}.{n}": site.field(n)[:, None] for name, site in sites.items() for n in site.compiled.recorded}
    outputs = {n: v[:, None] for site in sites.values() for n, v in site.values(site.compiled.outputs).items()}
    return Trace(0.0, fields, {n: v[:, None] for n, v in sent.items()}, outputs)
