"""Which media of the catalogue each subject of known answers measures."""

COVERS: dict[str, tuple[str, ...]] = {
    "waveguide layers": (
        "waveguide-tanh",
        "waveguide-sigmoid",
        "waveguide-softplus",
        "waveguide-relu",
        "waveguide-identity",
    ),
    "waveguide relaxation": ("waveguide-tanh",),
    "square drums": (
        "wave-field-clamped",
        "wave-field-obstacles",
    ),
    "isospectral drums": (
        "wave-field-clamped",
        "wave-field-obstacles",
    ),
    "standing waves": (
        "wave-field-clamped",
        "wave-field-free",
        "wave-field-periodic",
    ),
    "conserved energy": (
        "wave-field-clamped",
        "wave-field-free",
        "wave-field-periodic",
        "wave-field-obstacles",
    ),
    "reflections": (
        "wave-field-absorbing",
        "wave-field-free",
    ),
    "step limits": (
        "wave-field-clamped",
        "wave-field-free",
        "wave-field-periodic",
    ),
    "neural waves": ("neural-wave",),
    "kinks": (
        "sine-gordon-field",
        "phi4-field",
    ),
    "fronts": ("excitable-field",),
    "pulses": ("excitable-field",),
    "cables": ("passive-cable",),
    "damping of evanescent waves": (
        "evanescent-field",
        "grounded-evanescent-field",
    ),
    "turning of evanescent waves": ("evanescent-field",),
    "harmonic oscillator": ("harmonic",),
    "Duffing oscillator": ("duffing",),
    "coRNN": ("cornn",),
    "LinOSS": (
        "linoss-im",
        "linoss-imex",
    ),
    "Stuart-Landau oscillator": ("stuart-landau",),
    "Kuramoto pair": (
        "kuramoto",
        "kuramoto-lags",
    ),
    "Kuramoto onset": ("kuramoto-mean-field",),
    "Lotka-Volterra": ("lotka-volterra",),
    "conv-LSTM": ("conv-lstm",),
    "critical modes: frequency": ("critical-modes",),
    "critical modes: critical point": ("critical-modes",),
    "critical modes: locking": ("critical-modes-coupled",),
    "critical modes: phase coupling alone": ("critical-modes-coupled",),
    "ring equations": (
        "ring",
        "ring-backward",
    ),
    "ring as adjoint": ("ring-backward",),
    "ring onset": ("ring",),
    "ring distances": (
        "ring",
        "ring-backward",
    ),
    "ring gains": ("ring",),
    "ring and Lotka-Volterra": ("lotka-volterra",),
    "LIF": (
        "lif",
        "lif-synaptic",
    ),
    "adaptive LIF": ("lif-adaptive",),
    "two-compartment LIF": ("lif-two-compartment",),
    "LIF: surrogate gradient": ("lif",),
    "carrier: frequency response": ("carrier-harmonic",),
    "carrier: harmonics": (
        "carrier-harmonic",
        "carrier-duffing",
    ),
    "carrier: envelope": (
        "carrier-duffing",
        "envelope-duffing",
    ),
    "carrier: digits": (
        "carrier-duffing",
        "envelope-duffing",
    ),
    "carrier: parity": (
        "carrier-duffing",
        "envelope-duffing",
    ),
    "impedance steps": ("impedance-step",),
    "terminations": (
        "rlc-termination",
        "rational-termination",
        "stub",
    ),
    "junctions": (
        "series-impedance",
        "shunt-impedance",
    ),
    "passivity": (
        "rlc-termination",
        "rational-termination",
    ),
    "parameter counts": ("neural-wave",),
    "readouts": ("harmonic",),
    "encoders": (
        "encoder-pulse",
        "encoder-gaussian-pulse",
        "encoder-carrier",
        "encoder-rate",
    ),
    "gradients of readouts and heads": (
        "neural-wave",
        "encoder-initial-condition",
        "encoder-natural-frequency",
    ),
}
"""Subject -> media of the catalogue that it measures."""
