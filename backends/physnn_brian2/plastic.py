"""Couplings whose weights change while they run, as Brian2 `Synapses`.

dw/dt = f            clock-driven equations of the synapse, explicit Euler as in the interpreter
s+ = g               code that is run once a step; then the flows are part of it, all from the values before
pre, post            what a synapse meets at its two ends, set at the start of each step

Each sample has synapses of its own; after each step they take the mean over the batch. Traces that spikes alone move
are in `physnn_brian2.plastic_stdp`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import brian2
import numpy as np
import sympy as sp
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from numpy.typing import NDArray

from physnn.equations import Coupling, Dense, System
from physnn.equations.generate import function
from physnn.equations.parse import STEP, TIME
from physnn.errors import CapabilityError, EquationError
from physnn.execution import Run
from physnn_brian2.cells import REFUSALS
from physnn_brian2.printer import Printer, hosted, parts, safe_names

_ENDS = ("pre", "post")
_OF_SYNAPSES = {"pre", "post", "delay", "lastupdate"}
"""names that Brian2's Synapses keep for themselves"""


class PlasticCoupling:
    """The weights of one plastic coupling in Brian2, in plain numbers.

    Parameters
    ----------
    system : System
    name : str
        The coupling's.
    batch : int
    scale : float
        Physical seconds per second of model time.
    clock : brian2.Clock
    label : str
        What its objects in Brian2 are called.
    """

    def __init__(self, system: System, name: str, batch: int, scale: float, clock: Any, label: str) -> None:
        coupling = system.couplings[name]
        if coupling.plasticity is None:
            raise EquationError(f"coupling {name!r} is not plastic")
        self.coupling, self.rule, self.batch, self.scale = coupling, coupling.plasticity, batch, scale
        self._target = system.populations[coupling.target]
        self._post = self._target.expression(coupling.post, f"coupling {name!r}, post") if self._meets("post") else None
        self._halves = {
            self.rule.symbols[own]: (sp.Symbol(f"{own}_re", real=True), sp.Symbol(f"{own}_im", real=True))
            for own, variable in self.rule.variables.items()
            if variable.complex
        }
        self._said = self._names()
        self._printer = Printer(self._symbols())
        before, behind = (system.populations[end].shape for end in (coupling.source, coupling.target))
        sizes = {"pre": int(np.prod(before)), "post": int(np.prod(behind))}
        self.ends = {end: self._end(end, batch * sizes[end], clock, f"{label}_{end}") for end in _ENDS}
        """pre, post -> a group whose `value` is what the synapses meet there"""
        self.synapses = self._synapses(sizes, clock, label)
        self.objects = [*self.ends.values(), self.synapses]
        """what a Brian2 network needs of it"""
        if batch > 1:
            self.objects.append(
                brian2.NetworkOperation(self._agree, clock=clock, when="groups", order=-1, name=f"{label}_zmean")
            )
        self._views = {own: [self.synapses.variables[h].get_value() for h in self._said[own]] for own in self._own()}
        for own in self.rule.role("parameter"):
            self._put(own, self.rule.values[own])

    @property
    def equations(self) -> str:
        """The synapses' equations as Brian2 reads them."""
        return self._text

    def put(self, values: Mapping[str, Any]) -> None:
        """Set states of the rule, `w` among them, each of the shape of the weights, for all samples."""
        for own, value in values.items():
            self._put(own, value)

    def get(self, own: str) -> NDArray[Any]:
        """A copy of a state, in the shape of the weights."""
        views = [np.array(view).reshape(self.batch, *self.rule.shape)[0] for view in self._views[own]]
        return views[0] if len(views) == 1 else views[0] + 1j * views[1]

    def meet(self, pre: NDArray[Any] | None, here: Mapping[str, Any]) -> None:
        """Set what is at the two ends: what leaves the coupling now, (batch, *source), and the target's variables."""
        met: dict[str, Any] = {"pre": 0.0 if pre is None else pre}
        if self._post is not None:
            names = sorted(map(str, self._post.free_symbols))
            compiled = function(tuple(self._target.symbols[name] for name in names), (self._post,))
            value = compiled(np, *(here[name] for name in names))[0]
            met["post"] = np.broadcast_to(value, (self.batch, *self._target.shape))
        for end, value in met.items():
            if self._meets(end):
                for half, part in zip(self._at_end(end), (np.real(value), np.imag(value)), strict=False):
                    self.ends[end].variables[half].get_value()[:] = np.ravel(part)

    def _agree(self) -> None:
        """All samples share their weights: the mean of what each made of them."""
        for own in self.rule.dynamic:
            for view in self._views[own]:
                each = view.reshape(self.batch, -1)
                each[:] = each.mean(axis=0)

    def _put(self, own: str, value: Any) -> None:
        halves = (np.real(value), np.imag(value))
        for view, part in zip(self._views[own], halves, strict=False):
            whole = np.broadcast_to(part, (self.batch, *self.rule.shape)) if view.size > 1 else part
            view[:] = np.ravel(whole)

    def _meets(self, end: str) -> bool:
        return end in self.rule.variables

    def _own(self) -> list[str]:
        """Variables that each synapse has: states and parameters."""
        return [*self.rule.dynamic, *self.rule.role("parameter")]

    def _names(self) -> dict[str, list[str]]:
        """Variable -> the Brian2 variables that hold it."""
        halves = {own: self._parts_of(own) for own in self._own()}
        flat = [f"{half}_own" if half in _OF_SYNAPSES else half for each in halves.values() for half in each]
        said = safe_names(flat)
        found = {
            own: [said[f"{half}_own" if half in _OF_SYNAPSES else half] for half in each]
            for own, each in halves.items()
        }
        return found | {end: [f"{half}_{end}" for half in self._at_end(end)] for end in _ENDS if self._meets(end)}

    def _parts_of(self, own: str) -> list[str]:
        symbol = self.rule.symbols[own]
        return [str(half) for half in self._halves[symbol]] if symbol in self._halves else [own]

    def _at_end(self, end: str) -> list[str]:
        whole = not self._meets(end) or self.rule.symbols[end] not in self._halves
        return ["value"] if whole else ["value_re", "value_im"]

    def _symbols(self) -> dict[sp.Symbol, str]:
        symbols, unit = self.rule.symbols, f"({self.scale!r}*second)"
        names = {symbols[TIME]: f"(t/{unit})", symbols[STEP]: f"(dt/{unit})"}
        for own, said in self._said.items():
            held = self._halves.get(symbols[own], (symbols[own],))
            names |= dict(zip(held, said, strict=True))
        return names

    def _end(self, end: str, size: int, clock: Any, label: str) -> Any:
        model = "\n".join(f"{half} : 1" for half in self._at_end(end))
        return brian2.NeuronGroup(size, model, clock=clock, name=label, codeobj_class=NumpyCodeObject)

    def _synapses(self, sizes: Mapping[str, int], clock: Any, label: str) -> Any:
        flows, unit = self.rule.flows, f"({self.scale!r}*second)"
        clocked = {} if self.rule.maps else flows
        lines = [f"d{half}/dt = ({text})/{unit} : 1 (clock-driven)" for half, text in self._assigned(clocked)]
        alike = {own for own in self.rule.role("parameter") if np.ndim(self.rule.values[own]) == 0}
        for own in self._own():
            if own not in clocked:
                lines += [f"{half} : 1{' (shared)' if own in alike else ''}" for half in self._said[own]]
        self._text = "\n".join(lines)
        made = brian2.Synapses(
            self.ends["pre"],
            self.ends["post"],
            self._text,
            method="euler",
            namespace=hosted(),
            clock=clock,
            order=-2,  # before the populations move: both ends are still as they were when the signals arrived
            name=label,
            codeobj_class=NumpyCodeObject,
        )
        before, behind = joined(self.coupling, sizes["pre"], sizes["post"], self.batch)
        made.connect(i=before, j=behind)
        if self.rule.maps:
            made.run_regularly("\n".join(self._together()), when="groups", order=-2, codeobj_class=NumpyCodeObject)
        return made

    def _together(self) -> list[str]:
        """Code of one step of all states, from the values before."""
        moves = {own: self.rule.symbols[own] + self.rule.symbols[STEP] * flow for own, flow in self.rule.flows.items()}
        pairs = self._assigned({**moves, **self.rule.maps})
        news = [f"new_{number} = {text}" for number, (_, text) in enumerate(pairs)]
        return [*news, *(f"{half} = new_{number}" for number, (half, _) in enumerate(pairs))]

    def _assigned(self, expressions: Mapping[str, sp.Expr]) -> list[tuple[str, str]]:
        """(Brian2 variable, text) of what each variable becomes: two pairs where it is complex."""
        pairs = []
        for own, expression in expressions.items():
            split = parts(expression, self._halves) if self._halves else (expression,)
            pairs += [(half, self._printer.doprint(part)) for half, part in zip(self._said[own], split, strict=False)]
        return pairs


class PlasticCouplings:
    """All plastic couplings of a System beside a run whose populations Brian2 steps.

    Parameters
    ----------
    system : System
    batch : int
    scale : float
        Physical seconds per second of model time.
    clock : brian2.Clock
    label : str
        What their objects in Brian2 are called.
    """

    def __init__(self, system: System, batch: int, scale: float, clock: Any, label: str) -> None:
        plastic = [c.name for c in system.couplings.values() if c.plasticity is not None]
        self.all = {
            name: PlasticCoupling(system, name, batch, scale, clock, f"{label}_plastic_{number}")
            for number, name in enumerate(plastic)
        }
        """by name of the coupling"""

    @property
    def objects(self) -> list[Any]:
        """What a Brian2 network needs of them."""
        return [each for coupling in self.all.values() for each in coupling.objects]

    def start(self, run: Run) -> None:
        """Weights and traces where the run starts: those that it continues, or those of its parameters."""
        for name, each in self.all.items():
            site = run.sites[each.coupling.target]
            for own in each.rule.dynamic:
                if f"{name}:{own}" not in run.state:
                    first = site.parameters[each.coupling.key] if own == "w" else each.rule.values.get(own, 0.0)
                    kind = complex if each.rule.variables[own].complex else float
                    run.state[f"{name}:{own}"] = np.broadcast_to(first, each.rule.shape).astype(kind)
            each.put({own: run.state[f"{name}:{own}"] for own in each.rule.dynamic})
        self._weigh(run)

    def hand_over(self, run: Run) -> None:
        """What the synapses meet in this step; signals have arrived."""
        for name, each in self.all.items():
            coupling = each.coupling
            delay, line = run.delays[name], run.state[f"{name}:line"]
            late = line[-delay] if delay and len(line) >= delay else None
            each.meet(late if delay else run.sent[name], run.sites[coupling.target].here)

    def take_back(self, run: Run) -> None:
        """What the step made of the weights."""
        for name, each in self.all.items():
            run.state |= {f"{name}:{own}": each.get(own) for own in each.rule.dynamic}
        self._weigh(run)

    def _weigh(self, run: Run) -> None:
        for name, each in self.all.items():
            site = run.sites[each.coupling.target]
            site.weigh(each.coupling, run.state[f"{name}:w"])


_TRIALS = itertools.count()


def check_plastic(system: System, name: str) -> None:
    """Whether Brian2 takes a plastic coupling's equations.

    Raises
    ------
    CapabilityError
        It does not, or the coupling is inside a set of constraints that are solved together.
    """
    if any(name in joint.couplings for joint in system.joints.values()):
        raise CapabilityError(
            f"coupling {name!r} is plastic inside constraints that are solved together; freeze it, or run the System "
            "in the interpreter"
        )
    try:
        clock = brian2.Clock(dt=1 * brian2.second, name="physnn_trial_clock*")
        label = f"physnn_trial_{next(_TRIALS)}_plastic"
        made = PlasticCoupling(system, name, 1, 1.0, clock, label)
        brian2.Network(*made.objects).run(0 * brian2.second, namespace={})
    except REFUSALS as error:
        reason = " ".join(str(getattr(error, "__cause__", None) or error).split())
        raise CapabilityError(f"Brian2 cannot take the plasticity of coupling {name!r}: {reason}") from error


def joined(coupling: Coupling, before: int, behind: int, batch: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The neurons (source, target) that each weight joins, sample after sample, in the order of the weights."""
    if isinstance(coupling.operator, Dense):
        rows, columns = np.divmod(np.arange(before * behind), before)
    else:
        rows = columns = np.arange(before)
    samples = np.arange(batch)[:, None]
    return (samples * before + columns).ravel(), (samples * behind + rows).ravel()
