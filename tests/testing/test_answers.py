"""Known answers: what holds and what does not, and the quick ones measured. `physnn media verify` measures all."""

import pytest

from physnn.testing.answers import ANSWERS, at_least, at_most, close


@pytest.mark.parametrize(
    ("answer", "holds"),
    [
        (close("c", 1.009, 1.0, relative=0.01), True),
        (close("c", 1.011, 1.0, relative=0.01), False),
        (close("c", -0.99, -1.0, relative=0.011), True),
        (close("c", 0.5, 0.4, absolute=0.11), True),
        (close("c", 0.5, 0.4, absolute=0.09), False),
        (close("c", float("nan"), 0.4, absolute=9.0), False),
        (at_least("c", 0.96, 0.96), True),
        (at_least("c", 0.95, 0.96), False),
        (at_least("c", float("nan"), 0.96), False),
        (at_most("c", -201.0, -200.0), True),
        (at_most("c", -199.0, -200.0), False),
    ],
)
def test_bars(answer, holds):
    assert answer.holds is holds


QUICK = (
    "waveguide layers",
    "waveguide relaxation",
    "isospectral drums",
    "standing waves",
    "conserved energy",
    "neural waves",
    "TLM drums",
    "L-shaped drum",
    "TLM stubs",
    "TLM edges",
    "TLM gradients",
    "kinks",
    "cables",
    "turning of evanescent waves",
    "harmonic oscillator",
    "Duffing oscillator",
    "coRNN",
    "LinOSS",
    "Stuart-Landau oscillator",
    "Kuramoto pair",
    "conv-LSTM",
    "critical modes: critical point",
    "ring equations",
    "ring as adjoint",
    "ring onset",
    "ring distances",
    "ring gains",
    "LIF: surrogate gradient",
    "carrier: frequency response",
    "carrier: harmonics",
    "carrier: envelope",
    "impedance steps",
    "terminations",
    "junctions",
    "ladders",
    "passivity",
    "bounces",
    "couplers and repeaters",
    "matrices as meshes",
    "matrices as transformers",
    "imperfect interferometers",
    "parameter counts",
    "readouts",
    "encoders",
)
"""Subjects that take a second or two."""


@pytest.mark.parametrize("subject", QUICK)
def test_quick_subjects_hold(subject):
    missed = [f"{a.claim}: {a.measured}, wanted {a.bar}" for a in ANSWERS[subject]() if not a.holds]
    assert missed == []
