"""Ten critical modes that are coupled through spikes: do they lock, and at the right frequency?

    python tests/spiking_modes.py [--duration 240] [--step 0.02] [--starts 3] [--no-payload]

Modes of natural frequencies 0.1, 0.3, ... 1.9 with couplings solved for a common mode of frequency 1 and criticality
0.5 and 0.9; strong coupling (excitations 0 of their own) and weak. For each start: frequency in the second half against
that of the single mode, spread between modes, lowest order parameter of the second half, time to synchronise. A row is
locked where the spread is below 1e-6 and the order parameter above 0.95, right where the frequency is within 0.5 %.
"""

import argparse

import numpy as np

from physnn import streams
from physnn.analysis.spectrum import effective_frequency
from physnn.analysis.synchrony import frequency_spread, order_parameter, synchronisation_time
from physnn.media import Network, Readout
from physnn.media.oscillators.critical import CriticalModes
from physnn.media.oscillators.critical_frequency import effective_frequency_ratio, synchronising_couplings
from physnn_brian2.replicas import SpikingModes

ROWS = {"strong": ((0.5, 0.0), (0.9, 0.0)), "weak": ((0.5, 0.8), (0.9, 1.6))}
"""(criticality of the locked state, excitation of each mode [1/s])"""
OMEGA = (np.arange(10) + 0.5) / 5.0
HEAD = f"{'coupling':9}{'cr':>5}{'gamma':>7}{'start':>6}{'frequency':>11}{'true':>10}{'error %':>9}{'spread':>9}"


def measured(criticality, gamma, options):
    """For each start: frequency, spread, lowest order parameter in the second half, periods until synchronised."""
    couplings = synchronising_couplings(OMEGA, gamma, 1.0, 2.0 * criticality)
    modes = CriticalModes("modes", 10, gamma, OMEGA, couplings, integrator="rk4")
    shape = (options.starts, 10)
    amplitudes = 0.05 + 0.45 * streams.uniform(0, "spiking modes", "amplitudes", shape)
    start = amplitudes * np.exp(2j * np.pi * streams.uniform(0, "spiking modes", "phases", shape))
    system = Network([modes], [], Readout("modes", "a")).lower()
    made = SpikingModes(system, "modes", start, options.step, payload=not options.no_payload)
    for phases in np.angle(made.run(options.duration)).transpose(0, 2, 1):
        frequencies = effective_frequency(phases, options.step, start=options.duration / 2)
        order = order_parameter(phases)
        locked = float(order[len(order) // 2 :].min())
        yield (
            float(frequencies.mean()),
            frequency_spread(frequencies),
            locked,
            synchronisation_time(order, options.step),
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--duration", type=float, default=240.0, help="[s]")
    parser.add_argument("--step", type=float, default=0.02, help="[s]")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--no-payload", action="store_true", help="spikes carry no amplitude")
    options = parser.parse_args()
    print(HEAD + f"{'order':>8}{'periods':>9}  verdict")
    failed = 0
    for kind, rows in ROWS.items():
        for criticality, gamma in rows:
            true = float(effective_frequency_ratio(criticality))
            for number, (frequency, spread, order, late) in enumerate(measured(criticality, gamma, options)):
                error = frequency / true - 1.0
                locked = spread < 1e-6 and order > 0.95
                right = abs(error) < 0.005
                verdict = ("locked" if locked else "not locked") + (", right" if right else ", wrong frequency")
                failed += kind == "strong" and not (locked and right)
                print(
                    f"{kind:9}{criticality:5.2f}{gamma:7.2f}{number:6d}{frequency:11.5f}{true:10.5f}{100 * error:9.3f}"
                    f"{spread:9.1e}{order:8.4f}{late * true / (2 * np.pi):9.2f}  {verdict}"
                )
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
