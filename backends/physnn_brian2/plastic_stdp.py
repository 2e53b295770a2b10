"""Spike-timing-dependent plasticity as event-driven `Synapses`: nothing is computed between spikes.

    db/dt = -b/tau+,  b += 1 where a spike arrives          w += eta A+ b at a spike of the cell behind
    da/dt = -a/tau-,  a += 1 at a spike of the cell behind  w -= eta A- a where a spike arrives

Traces decay in closed form from one spike to the next. Every pair counts; at spikes of one step both weights' changes
come before both traces', so that a pair at the same time counts nothing, as in `physnn.learning.stdp.PairSTDP`.
"""

from __future__ import annotations

from typing import Any, Protocol

import brian2
import numpy as np
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from numpy.typing import ArrayLike, NDArray

from physnn.errors import ParameterError

MODEL = """
w : 1
db/dt = -b/tau_rise : 1 (event-driven)
da/dt = -a/tau_fall : 1 (event-driven)
"""
ARRIVING = {"shrink": "w -= shrinking*a", "leave": "b += 1"}
BEHIND = {"grow": "w += growing*b", "mark": "a += 1"}
ORDER = {"shrink": -2, "grow": -1, "leave": 1, "mark": 2}
PHASES = """
w : 1
before_c : 1
before_s : 1
behind_c : 1
behind_s : 1
"""
PHASE_ARRIVING = """
w += size*(behind_c*cos(turning*t) + behind_s*sin(turning*t))
before_c += cos(turning*t)
before_s += sin(turning*t)
"""
PHASE_BEHIND = """
w += size*(before_c*cos(turning*t) + before_s*sin(turning*t))
behind_c += cos(turning*t)
behind_s += sin(turning*t)
"""
"""a pair at the same time is met once, by the spike behind"""


class PairRule(Protocol):
    """What is asked of a rule for pairs of spikes, such as `physnn.learning.stdp.PairSTDP`."""

    @property
    def potentiation(self) -> float:
        """A+ [1]"""
        ...

    @property
    def depression(self) -> float:
        """A- [1]"""
        ...

    @property
    def rise(self) -> float:
        """tau+ [s, model time]"""
        ...

    @property
    def fall(self) -> float:
        """tau- [s, model time]"""
        ...


class PhaseRule(Protocol):
    """What is asked of a rule of phases, such as `physnn.learning.stdp.PhaseSTDP`."""

    @property
    def period(self) -> float:
        """[s, model time]"""
        ...


def window(rule: PairRule, lag: ArrayLike) -> NDArray[np.float64]:
    """K(d) of one pair, d = t_post - t_pre [s]:  A+ exp(-d/tau+) for d > 0, -A- exp(d/tau-) for d < 0, K(0) = 0."""
    d = np.asarray(lag, dtype=float)
    grown = rule.potentiation * np.exp(-np.abs(d) / rule.rise)
    shrunk = rule.depression * np.exp(-np.abs(d) / rule.fall)
    return np.where(d > 0, grown, np.where(d < 0, -shrunk, 0.0))


def stdp_synapses(
    before: Any,
    behind: Any,
    rule: PairRule,
    joined: tuple[ArrayLike, ArrayLike],
    *,
    rate: float = 1.0,
    delay: float = 0.0,
    scale: float = 1.0,
    name: str = "physnn_stdp*",
) -> Any:
    """Synapses whose `w` follows pairs of spikes,  dw = eta sum over pairs K(t_post - t_pre).

    Parameters
    ----------
    before, behind : brian2.NeuronGroup or brian2.SpikeGeneratorGroup
        What spikes at the two ends.
    rule : PairRule
        Amplitudes and times [s, model time] of the window.
    joined : pair of arrays of int
        The neurons (before, behind) that each synapse joins; weights are in this order.
    rate : float
        eta.
    delay : float
        How long spikes travel [s, model time]; t_pre is when they arrive.
    scale : float
        Physical seconds per second of model time.
    name : str
        What the object is called in Brian2.

    Returns
    -------
    brian2.Synapses
        `w` starts at 0; set it as always.

    Raises
    ------
    ParameterError
        A number is not finite, or the delay is below 0.

    Source
    ------
    A. Morrison, M. Diesmann, W. Gerstner, Biological Cybernetics 98:459 (2008), section 4.1.
    """
    for what, value in (("rate", rate), ("delay", delay), ("scale", scale)):
        if not np.isfinite(value) or (what != "rate" and value < 0):
            raise ParameterError(f"STDP synapses: {what} = {value} must be finite, and a time not below 0")
    made = brian2.Synapses(
        before,
        behind,
        MODEL,
        on_pre=ARRIVING,
        on_post=BEHIND,
        namespace={
            "tau_rise": rule.rise * scale * brian2.second,
            "tau_fall": rule.fall * scale * brian2.second,
            "growing": rate * rule.potentiation,
            "shrinking": rate * rule.depression,
        },
        method="exact",
        name=name,
        codeobj_class=NumpyCodeObject,
    )
    made.connect(i=np.asarray(joined[0]), j=np.asarray(joined[1]))
    for pathway, order in ORDER.items():
        getattr(made, pathway).order = order
    for pathway in ARRIVING:
        getattr(made, pathway).delay = delay * scale * brian2.second
    return made


def phase_synapses(
    before: Any,
    behind: Any,
    rule: PhaseRule,
    joined: tuple[ArrayLike, ArrayLike],
    periods: float,
    *,
    rate: float = 1.0,
    scale: float = 1.0,
    name: str = "physnn_phases*",
) -> Any:
    """Synapses whose `w` follows the phases of spikes about a clock,  dw = eta/N^2 sum over pairs cos(2 pi d/T).

    With a spike a period at either end this is eta cos(phi_post - phi_pre) after N periods. Both ends keep the sums of
    cos and sin of their phases, which change at spikes alone.

    Parameters
    ----------
    before, behind, joined, rate, scale, name
        As for `stdp_synapses`.
    rule : PhaseRule
        The clock's period T [s, model time].
    periods : float
        N, of the run.

    Returns
    -------
    brian2.Synapses
        `w` starts at 0; set it as always.

    Raises
    ------
    ParameterError
        A number is not finite, or `periods` or `scale` not above 0.
    """
    if not np.isfinite(rate) or not all(np.isfinite(value) and value > 0 for value in (periods, scale)):
        raise ParameterError(f"phase synapses: rate {rate}, periods {periods} and scale {scale} must be finite numbers")
    made = brian2.Synapses(
        before,
        behind,
        PHASES,
        on_pre=PHASE_ARRIVING,
        on_post=PHASE_BEHIND,
        namespace={
            "turning": 2 * np.pi / (rule.period * scale * brian2.second),
            "size": rate / periods**2,
        },
        name=name,
        codeobj_class=NumpyCodeObject,
    )
    made.connect(i=np.asarray(joined[0]), j=np.asarray(joined[1]))
    made.pre.order, made.post.order = -1, 1
    return made


def forget(synapses: Any) -> None:
    """Empty the traces and let go of spikes on their way, as at the start of a run from rest; weights stay.

    Parameters
    ----------
    synapses : brian2.Synapses
        Those of `stdp_synapses`.
    """
    for own in ("b", "a", "lastupdate"):
        synapses.variables[own].get_value()[:] = 0
    for name in ORDER:
        pathway = getattr(synapses, name)
        pathway.queue._restore_from_full_state(None)
        pathway.initialise_queue()
