"""Oscillators that are coupled through spikes: receivers keep a replica of each sender.

A mode sends one spike a cycle, where Im a crosses 0 upwards with Re a > 0. On the receiving side a replica of the mode
that all are to become, excitation gamma* and frequency omega*, is set to phase 0 at each spike and runs by itself in
between; couplings act on the replicas' waves:

    z_i = sum_j r_ij b_j,    gamma*_i = gamma_i + Re sum_j r_ij,    omega*_i = omega_i + Im sum_j r_ij

Once the modes are locked their replicas are exact, but for the times of spikes, which are whole steps: the locked
period comes out as a whole number of steps. There are as many replicas as modes, not as couplings, and nothing but
spikes goes from a mode to its replica. Modes should have integrator "rk4"; "exponential" is of order 1 here, since what
arrives is constant within its step.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import brian2
import numpy as np
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from numpy.typing import NDArray

from physnn.equations import Coupling, System
from physnn.errors import CapabilityError, ParameterError, ShapeError, UnknownNameError
from physnn_brian2.cells import cells

ALIKE = 1e-6
"""by how much target modes may differ from each other, relative to the largest"""
AXON = """
re : 1 (linked)
im : 1 (linked)
before : 1
first : 1
resting : 1
turning : 1
"""
"""`before` is Im a before the step, `first` the amplitude of a replica whose mode has not been heard of; a replica of
phase 0 and amplitude A turns by resting + turning A in a step"""
TOLD = "modulus = sqrt(re_pre**2 + im_pre**2)"
KEPT = """
modulus = sqrt(a_re_post**2 + a_im_post**2)
modulus = modulus + first_pre*int(modulus == 0)
"""
ARRIVED = """
turned = 0.5*turning_pre*modulus + 0.5*resting_pre
a_re_post = modulus*cos(turned)
a_im_post = modulus*sin(turned)
"""
"""a spike of a step came in its middle, on average: the phase is what the replica makes of half a step"""
_NUMBER = itertools.count()


class SpikingModes:
    """Critical modes whose couplings carry spikes alone.

    Parameters
    ----------
    system : System
        Holds one population of `physnn.media.CriticalModes` and its coupling to itself.
    population : str
        Its name.
    start : complex array (batch, n)
        a at the start, not 0.
    step : float
        [s, model time]
    payload : bool
        Whether a spike carries the mode's amplitude. Without, only the phase of the replica is set; at its first spike
        it starts from the amplitude at which a mode of phase 0 neither grows nor decays.
    scale : float
        Physical seconds per second of model time.

    Raises
    ------
    UnknownNameError, ShapeError, ParameterError
    CapabilityError
        It is no population of critical modes, or the couplings lead to no common mode.
    """

    def __init__(
        self,
        system: System,
        population: str,
        start: NDArray[Any],
        step: float,
        *,
        payload: bool = True,
        scale: float = 1.0,
    ) -> None:
        self.coupling = _own_coupling(system, population)
        modes = system.populations[population]
        start = np.asarray(start, dtype=complex)
        if start.ndim != 2 or start.shape[1:] != modes.shape:
            raise ShapeError(f"start of shape {start.shape}; (batch, {modes.shape[0]}) is needed")
        if not np.all(np.isfinite(start)) or not start.all():
            raise ParameterError("start holds 0, where a mode stays for ever, or something that is not finite")
        for what, value in (("step", step), ("scale", scale)):
            if not (np.isfinite(value) and value > 0):
                raise ParameterError(f"spiking modes: {what} = {value} must be finite and above 0")
        self.step, self.scale = step, scale
        self.weights = np.asarray(system.parameters[self.coupling.key])
        own = {name: system.parameters[f"{population}.{name}"] for name in modes.role("parameter")}
        gamma, omega = target_mode(self.coupling, self.weights, own["gamma"], own["omega"])
        number = next(_NUMBER)
        self.clock = brian2.Clock(dt=step * scale * brian2.second, name=f"physnn_modes_{number}_clock")
        labels = [f"physnn_modes_{number}_{what}" for what in ("modes", "replicas", "axons")]
        self.modes = cells(system, population, len(start), scale, self.clock, labels[0])
        self.modes.put({**own, "drive": 0.0, "z": 0.0, "a": start})
        self.replicas = cells(system, population, len(start), scale, self.clock, labels[1])
        self.replicas.put({**own, "gamma": gamma, "omega": omega, "drive": 0.0, "z": 0.0, "a": 0.0})
        self.axons = self._axons(labels[2])
        rest = gamma / (own["alpha"] - own["w_a"] * np.cos(own["psi"]))
        known = {"first": rest, "resting": omega * step, "turning": own["w_phi"] * step}
        for name, value in known.items():
            self.axons.variables[name].get_value()[:] = np.broadcast_to(value, self.modes.shape).ravel()
        self.resets = self._resets((TOLD if payload else KEPT) + ARRIVED, f"physnn_modes_{number}_resets")
        self.counter = brian2.SpikeMonitor(self.axons, record=False, name=f"physnn_modes_{number}_spikes")
        """spikes of each mode of each sample"""
        # Replicas hang on nothing that happens within the step, so that their wave is known before modes move.
        for each in self.modes.group.contained_objects:
            each.when = "after_groups" if each.when == "groups" else each.when
        self._path: list[NDArray[Any]] = []
        self._heard = self.replicas.get("a")
        operations = [
            brian2.NetworkOperation(call, clock=self.clock, when=when, order=9, name=f"physnn_modes_{number}_{when}")
            for call, when in ((self._begin, "start"), (self._couple, "groups"))
        ]
        groups = (self.modes.group, self.replicas.group, self.axons)
        self.network = brian2.Network(*groups, self.resets, self.counter, *operations)
        """a plain Brian2 network"""

    def run(self, duration: float) -> NDArray[Any]:
        """a of all modes from now on, the end included, (batch, times, n); a later call continues."""
        steps = round(duration / self.step)
        self._path = []
        with _one_to_one():
            self.network.run(steps * self.step * self.scale * brian2.second, namespace={})
        return np.stack([*self._path, self.modes.get("a")], axis=1)

    @property
    def counts(self) -> NDArray[Any]:
        """Spikes of each mode since the start, (batch, n)."""
        return np.array(self.counter.count).reshape(self.modes.shape)

    def _begin(self) -> None:
        self._path.append(self.modes.get("a"))
        self._heard = self.replicas.get("a")

    def _couple(self) -> None:
        """What arrives in the middle of this step, from replicas alone."""
        middle = (self._heard + self.replicas.get("a")) / 2
        self.modes.put({"z": self.coupling.operator.apply(np, self.weights, middle)})

    def _axons(self, label: str) -> Any:
        """One spike a cycle of each mode."""
        made = brian2.NeuronGroup(
            self.modes.size,
            AXON,
            threshold="before < 0 and im >= 0 and re > 0",
            reset="",
            clock=self.clock,
            name=label,
            codeobj_class=NumpyCodeObject,
        )
        made.re, made.im = (brian2.linked_var(self.modes.group, half) for half in ("a_re", "a_im"))
        made.run_regularly("before = im", when="before_groups", codeobj_class=NumpyCodeObject)
        return made

    def _resets(self, code: str, label: str) -> Any:
        made = brian2.Synapses(
            self.axons, self.replicas.group, on_pre=code, clock=self.clock, name=label, codeobj_class=NumpyCodeObject
        )
        each = np.arange(self.modes.size)
        made.connect(i=each, j=each)
        return made


@contextmanager
def _one_to_one() -> Iterator[None]:
    """Brian2 warns that several spikes could set one replica in an order of their own; each has one sender here."""
    log = logging.getLogger("brian2.codegen.generators.base")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def target_mode(coupling: Coupling, weights: Any, gamma: Any, omega: Any) -> tuple[float, float]:
    """Excitation [1/s] and frequency [rad/s] that the couplings make common to all modes.

        gamma* = gamma_i + Re sum_j r_ij,    omega* = omega_i + Im sum_j r_ij,    the same for all i

    Raises
    ------
    CapabilityError
        They are not the same.
    """
    shape = np.broadcast_shapes(np.shape(gamma), np.shape(omega))
    count = shape[0] if shape else coupling.operator.apply(np, weights, np.ones((1, 1))).shape[1]
    rates = np.asarray(gamma) + 1j * np.asarray(omega) + coupling.operator.apply(np, weights, np.ones((1, count)))[0]
    if np.ptp(rates.real) + np.ptp(rates.imag) > ALIKE * np.abs(rates).max():
        raise CapabilityError(
            f"coupling {coupling.name!r}: its weights lead to modes of excitations from {rates.real.min():.4g} to "
            f"{rates.real.max():.4g} 1/s and frequencies from {rates.imag.min():.4g} to {rates.imag.max():.4g} rad/s; "
            "receivers keep replicas of one mode: take those of `synchronising_couplings`"
        )
    return float(rates.real.mean()), float(rates.imag.mean())


def _own_coupling(system: System, population: str) -> Coupling:
    """The one coupling of critical modes, to themselves.

    Raises
    ------
    UnknownNameError, CapabilityError
    """
    if population not in system.populations:
        raise UnknownNameError("population", population, system.populations)
    modes = system.populations[population]
    if not {"gamma", "omega", "w_a", "w_phi", "alpha", "psi"} <= {*modes.role("parameter")} or modes.dynamic != ("a",):
        raise CapabilityError(f"population {population!r} is none of critical modes, whose waves replicas can be of")
    found = [c for c in system.couplings.values() if population in (c.source, c.target)]
    own = [c for c in found if c.source == c.target and c.into == "z" and not c.delay and c.plasticity is None]
    if len(found) != 1 or found != own:
        names = ", ".join(repr(c.name) for c in found) or "none"
        raise CapabilityError(
            f"population {population!r} needs one coupling, to itself and without delay; it has {names}"
        )
    return own[0]
