"""What is measured on media and traces: responses and modes, stability, spectra, synchrony, distances, reflections."""

from physnn.analysis import impedance
from physnn.analysis.delayed import DelayedLoops, LoopVerdict, check_delayed_loops
from physnn.analysis.dispersion import (
    DrumModes,
    drum_frequency,
    drum_modes,
    group_velocity,
    lattice_frequency,
    tlm_decay_rate,
    tlm_frequency,
)
from physnn.analysis.graph import (
    causal_distance,
    element_distance,
    gain_table,
    population_distance,
    state_distance,
)
from physnn.analysis.linear import Modes, dc_gain, frequency_response, linearised, modes, step_matrix
from physnn.analysis.point import point, rest
from physnn.analysis.radius import Sheet, spectral_radius
from physnn.analysis.spectrum import (
    Peaks,
    Spectrum,
    amplitude_spectrum,
    crossing_times,
    effective_frequency,
    harmonic_amplitudes,
    harmonic_distortion,
    harmonic_level,
    instantaneous_phase,
    instantaneous_wavelength,
    peaks,
    phase_crossing_times,
)
from physnn.analysis.stability import fastest_rate, kernel_bound, leaky_step_limit, stability_limit, wave_step_limit
from physnn.analysis.state_space import Linearised
from physnn.analysis.synchrony import (
    frequency_spread,
    locked,
    order_parameter,
    spike_jitter,
    synchronisation_time,
)

__all__ = [
    "DelayedLoops",
    "DrumModes",
    "Linearised",
    "LoopVerdict",
    "Modes",
    "Peaks",
    "Sheet",
    "Spectrum",
    "amplitude_spectrum",
    "causal_distance",
    "check_delayed_loops",
    "crossing_times",
    "dc_gain",
    "drum_frequency",
    "drum_modes",
    "effective_frequency",
    "element_distance",
    "fastest_rate",
    "frequency_response",
    "frequency_spread",
    "gain_table",
    "group_velocity",
    "harmonic_amplitudes",
    "harmonic_distortion",
    "harmonic_level",
    "impedance",
    "instantaneous_phase",
    "instantaneous_wavelength",
    "kernel_bound",
    "lattice_frequency",
    "leaky_step_limit",
    "linearised",
    "locked",
    "modes",
    "order_parameter",
    "peaks",
    "phase_crossing_times",
    "point",
    "population_distance",
    "rest",
    "spectral_radius",
    "spike_jitter",
    "stability_limit",
    "state_distance",
    "step_matrix",
    "synchronisation_time",
    "tlm_decay_rate",
    "tlm_frequency",
    "wave_step_limit",
]
