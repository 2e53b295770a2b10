"""Known answers of critical amplitude-phase modes: their frequency, their critical point, how they lock."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import fsolve

from physnn import streams
from physnn.analysis.spectrum import effective_frequency
from physnn.analysis.synchrony import order_parameter, synchronisation_time
from physnn.equations import Input, Population
from physnn.equations.adjoint import partials
from physnn.equations.generate import function
from physnn.equations.operators import Dense
from physnn.media.medium import Medium
from physnn.media.network import Link, Network
from physnn.media.oscillators.critical import CriticalModes
from physnn.media.oscillators.critical_frequency import (
    effective_frequency_ratio,
    published_frequency,
    synchronising_couplings,
)
from physnn.media.readout import Readout
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_least, at_most, close

RATIOS = {
    0.125: 0.97773,
    0.25: 0.92728,
    0.5: 0.78478,
    0.75: 0.56394,
    0.945: 0.25353,
    0.99: 0.10295,
    0.995: 0.07184,
    0.9975: 0.05029,
}
"""omega_s / omega at the criticalities of the paper's figures S1 to S8: integrated apart from this package, with a
Runge-Kutta method of order 8 in log-amplitude; five digits."""
MODES, STARTS = 10, 20
TARGET_OMEGA, TARGET_GAMMA = 1.0, 1.8
"""the locked state: frequency [rad/s] and excitation [1/s] of criticality 0.9"""
IN_PHASE = 0.95
"""order parameter from which on modes count as synchronised"""
PHASE_ONLY = """
da/dt = (gamma + 1j*omega)*a + a*(growth - alpha*abs(a) + 1j*w*re(a)) + 1j*a*im(z*conj(a))/abs(a)**2 : 1 (complex)
growth = w*(re(a)*cos(psi) + im(a)*sin(psi)) : 1/s
z     : 1/s (arrival, complex)
gamma : 1/s (parameter)
omega : 1/s (parameter)
w     : 1/s (parameter)
psi   : 1   (parameter)
alpha : 1/s (parameter)
"""


def frequencies() -> Iterator[Answer]:
    """F(cr) of single modes, all criticalities as one batch, and silence beyond the critical point."""
    step, transient, beyond = 0.05, 120.0, 1.0025
    criticalities = np.array([*RATIOS, beyond])
    modes = CriticalModes("modes", 1, integrator="rk4")
    network = Network([modes], [], Readout("modes", "a"), inputs={"gamma": Input("modes", "gamma")})
    substrate = build(network, "ideal-torch", step=step)
    excitation = substrate.asarray((modes.critical.excitation * criticalities)[:, None])
    a = as_numpy(substrate.run({"gamma": excitation}, 400.0).outputs["y"])[:, :, 0]
    phases = np.unwrap(np.angle(a), axis=1)
    measured = effective_frequency(phases, step, start=transient)
    for found, (criticality, wanted) in zip(measured, RATIOS.items(), strict=False):
        yield close(f"critical mode, cr = {criticality}: omega_s/omega", found, wanted, relative=1e-4)
    yield at_least("critical mode, cr = 0.9975: turns", phases[-2, -1] / (2 * np.pi), 2.0)
    yield at_most("critical mode, cr = 1.0025: turns, then silence", phases[-1, -1] / (2 * np.pi), 1.0)
    yield at_most("critical mode, cr = 1.0025: speed |da/dt| at the end", abs(a[-1, -1] - a[-1, -2]) / step, 1e-6)


def critical_points() -> Iterator[Answer]:
    """The saddle-node of the medium's own right side, found by Newton's method, against the closed form."""
    modes = CriticalModes("modes", 1)
    amplitude, phase, gamma = _saddle_node(modes.lower())
    point = modes.critical
    yield close("critical mode: gamma_c/omega from its right side", gamma, float(point.excitation), relative=1e-6)
    yield close("critical mode: amplitude at gamma_c", amplitude, float(point.amplitude), relative=1e-6)
    yield close("critical mode: phase at gamma_c", phase, float(point.phase), relative=1e-6)
    yield close("critical mode: w = omega/gamma_c of the paper's parameters", 1.0 / gamma, 0.5, relative=1e-6)
    spline = float(effective_frequency_ratio(1 - 1e-9) / published_frequency(1.0, 2.0 * (1 - 1e-9)))
    yield close("critical mode: true over published frequency as cr -> 1", spline, 2 * 3**0.5 / 5, relative=1e-4)


def locking() -> Iterator[Answer]:
    """Ten unlike modes: couplings solved for lock them in phase at once; with the printed sign they do not."""
    step, omega, starts = 0.02, _natural_frequencies(), _starts()
    solved = synchronising_couplings(omega, 0.0, TARGET_OMEGA, TARGET_GAMMA)
    network = _network(omega, 0.0, solved)
    order = _order(_run(network, starts, 60.0, step))
    yield at_least("ten modes, K = 1.8: starts of 20 locked in phase", _in_phase(order), STARTS)
    yield at_most("ten modes, K = 1.8: median synchronisation [periods]", _median_time(order, step), 0.4)
    printed = _order(_run(_network(omega, 0.0, solved.conj()), starts, 60.0, step))
    late = printed[:, printed.shape[1] // 2 :].mean(axis=1)
    yield at_most("ten modes, printed sign of (30): largest order parameter", float(late.max()), IN_PHASE)
    coarse, fine = (
        float(effective_frequency(np.angle(_run(network, starts[:1], 60.0, h)[0, :, 0]), h, start=15.0))
        for h in (0.04, 0.02)
    )
    # Arrivals are held within a step, which makes coupled modes of order 1 in it.
    wanted = float(effective_frequency_ratio(0.9))
    yield close("ten modes, K = 1.8: common frequency, step -> 0", 2 * fine - coarse, wanted, relative=1e-3)


def phase_coupling_alone() -> Iterator[Answer]:
    """The fair control: the same couplings and excitation, but acting on phases only."""
    omega, starts = _natural_frequencies(), _starts()
    strong = synchronising_couplings(omega, 0.0, TARGET_OMEGA, TARGET_GAMMA)
    weak = synchronising_couplings(omega, TARGET_GAMMA - 0.2, TARGET_OMEGA, TARGET_GAMMA)
    order = _order(_run(_phase_only(omega, strong), starts, 60.0, 0.02))
    median = _median_time(order, 0.02)
    yield at_most("control, phases coupled alone, K = 1.8: median synchronisation [periods]", median, 0.4)
    alone = _order(_run(_phase_only(omega, weak), starts, 120.0, 0.05))
    yield at_most("control, phases coupled alone, K = 0.2: starts of 20 locked in phase", _in_phase(alone), 0)
    both = _order(_run(_network(omega, TARGET_GAMMA - 0.2, weak), starts, 120.0, 0.05))
    yield at_least("ten modes, K = 0.2: starts of 20 locked in phase", _in_phase(both), STARTS)


def _natural_frequencies() -> NDArray:
    """Ten frequencies with mean 1 and standard deviation 0.57, as in the paper's figures 2 and 3 [rad/s]."""
    return (np.arange(MODES) + 0.5) / 5.0


def _starts() -> NDArray:
    shape = (STARTS, MODES)
    amplitudes = 0.05 + 0.45 * streams.uniform(0, "critical modes", "amplitudes", shape)
    return amplitudes * np.exp(2j * np.pi * streams.uniform(0, "critical modes", "phases", shape))


def _network(omega: NDArray, gamma: float, couplings: NDArray) -> Network:
    modes = CriticalModes("modes", MODES, gamma, omega, couplings)
    return Network([modes], [], Readout("modes", "a"), inputs={"start": Input("modes", "a")})


def _phase_only(omega: NDArray, couplings: NDArray) -> Network:
    """Modes with the excitation of the locked state, whose couplings turn phases and leave amplitudes alone."""
    published = CriticalModes("modes", MODES).anharmonicity
    values = {"gamma": TARGET_GAMMA, "omega": omega, "w": published.w_a, "psi": published.psi, "alpha": published.alpha}
    medium = Medium("modes", MODES, PHASE_ONLY, values, integrator="exponential")
    link = Link(
        "modes", "modes", "r", Dense(MODES, MODES), signal="a", into="z", unit="1/s", weights=couplings, trainable=False
    )
    return Network([medium], [link], Readout("modes", "a"), inputs={"start": Input("modes", "a")})


def _run(network: Network, starts: NDArray, duration: float, step: float) -> NDArray:
    """a of all modes from the given starts, (starts, times, modes)."""
    substrate = build(network, "ideal-torch", step=step)
    return as_numpy(substrate.run({"start": substrate.asarray(starts)}, duration).outputs["y"])


def _order(a: NDArray) -> NDArray:
    """Order parameter over the modes, (starts, times)."""
    return np.array([order_parameter(np.angle(start).T) for start in a])


def _in_phase(order: NDArray) -> int:
    """How many starts stay in phase over the second half."""
    return int(np.sum(order[:, order.shape[1] // 2 :].min(axis=1) >= IN_PHASE))


def _median_time(order: NDArray, step: float) -> float:
    """Median over the starts of the last time out of phase, in linear periods 2 pi / omega."""
    return float(np.median([synchronisation_time(row, step, IN_PHASE) for row in order])) * TARGET_OMEGA / (2 * np.pi)


def _saddle_node(population: Population) -> tuple[float, float, float]:
    """Amplitude, phase and excitation at which the flow vanishes with a Jacobian of determinant 0."""
    flow, mode = population.flows["a"], population.variables["a"]
    held = {name: float(population.values[name]) for name in population.role("parameter") if name != "gamma"}
    names = ("a", "gamma", *population.role("arrival"), *held)
    compute = function(tuple(population.symbols[name] for name in names), (flow, *partials(flow, mode)))

    def conditions(unknown: NDArray) -> list[float]:
        amplitude, phase, gamma = unknown
        a = np.array([amplitude * np.exp(1j * phase)])
        silent = [np.zeros(1) for _ in population.role("arrival")]
        arguments = (a, np.array([gamma]), *silent, *(np.array([value]) for value in held.values()))
        rest, along_real, along_imaginary = (complex(np.ravel(v)[0]) for v in compute(np, *arguments))
        return [rest.real, rest.imag, along_real.real * along_imaginary.imag - along_imaginary.real * along_real.imag]

    amplitude, phase, gamma = fsolve(conditions, (0.6, 2.5, 2.2), xtol=1e-13)
    return float(amplitude), float(phase), float(gamma)


ANSWERS = {
    "critical modes: frequency": frequencies,
    "critical modes: critical point": critical_points,
    "critical modes: locking": locking,
    "critical modes: phase coupling alone": phase_coupling_alone,
}
