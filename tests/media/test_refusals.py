"""What media refuse when they are described: values that let them run away, and things of another kind."""

import numpy as np
import pytest

from physnn.errors import EquationError, ParameterError, ShapeError
from physnn.media import (
    LIF,
    ConvLSTM,
    CriticalModes,
    Demodulated,
    EffectiveFrequency,
    Head,
    LotkaVolterra,
    Perceptron,
    Readout,
    Ring,
)
from physnn.media.carrier import CarrierMedium
from physnn.media.envelope import EnvelopeMedium
from physnn.media.fields import Cable, EvanescentField, ExcitableField, NeuralWave, NonlinearField, WaveField
from physnn.media.impedances import Rational, SeriesJunction, ShuntJunction, Termination
from physnn.media.oscillators import CoRNN, Duffing, Kuramoto, MeanFieldKuramoto, StuartLandau
from physnn.media.potential import Potential, harmonic

NAN, INF = float("nan"), float("inf")
UNBOUNDED = [
    *((WaveField, {name: value}) for name in ("speed", "damping", "restoring") for value in (-0.1, NAN, INF, "a", 1j)),
    (WaveField, {"damping": [[0.1, -0.1], [0.1, 0.1]]}),
    (NonlinearField, {"damping": -0.1}),
    (NonlinearField, {"restoring": NAN}),
    *((NeuralWave, {name: value}) for name in ("omega", "alpha") for value in (-0.1, NAN)),
    *((ExcitableField, {name: -0.1}) for name in ("diffusion", "rate", "recovery", "decay")),
]


@pytest.mark.parametrize(("field", "values"), UNBOUNDED)
def test_a_field_that_would_grow_without_bound(field, values):
    with pytest.raises(ParameterError, match=f"{next(iter(values))}.*finite and at least 0"):
        field("field", (2, 2), **values)


@pytest.mark.parametrize(
    ("oscillators", "values"),
    [
        (Duffing, {"damping": -0.1}),
        (Duffing, {"stiffness": NAN}),
        (Duffing, {"stiffness": -1.0, "hardening": 0.0}),
        (Duffing, {"stiffness": [1.0, -1.0], "hardening": [1.0, -1.0]}),
        (CoRNN, {"damping": -0.1}),
        (CoRNN, {"stiffness": -0.1}),
        (StuartLandau, {"saturation": -1.0}),
        (StuartLandau, {"saturation": 0.0, "growth": [-1.0, 1.0]}),
    ],
)
def test_oscillators_that_would_grow_without_bound(oscillators, values):
    with pytest.raises(ParameterError, match=f"'cells'.*{next(iter(values))}"):
        oscillators("cells", 2, **values)


def test_oscillators_that_stay_bounded_are_taken():
    Duffing("cells", 2, stiffness=[-1.0, 1.0], hardening=[1.0, 0.0])
    StuartLandau("cells", 2, growth=[-1.0, 1.0], saturation=[0.0, 1.0])
    with pytest.raises(ShapeError):  # told where shapes are known
        Duffing("cells", 2, stiffness=[-1.0, 1.0, 1.0], hardening=[0.0, 1.0]).lower()


LEARNT = [
    lambda names: LIF("cells", 2, trainable=names),
    lambda names: CriticalModes("cells", 2, trainable=names),
    lambda names: Ring("cells", 2, trainable=names),
    lambda names: LotkaVolterra("cells", 2, 1.0, np.eye(2), trainable=names),
    lambda names: Kuramoto("cells", 2, trainable=names),
    lambda names: Duffing("cells", 2, trainable=names).lower(),
    lambda names: Potential("k*x**2", {"k": 1.0}, trainable=names),
    *(
        lambda names, field=field: field("field", (2, 2), trainable=names)
        for field in (WaveField, ExcitableField, Cable, EvanescentField)
    ),
]


@pytest.mark.parametrize("build", LEARNT)
@pytest.mark.parametrize("names", [True, None, 3, "tau"])
def test_what_is_learnt_is_a_tuple_of_names(build, names):
    with pytest.raises(ParameterError, match="no tuple of names; write trainable="):
        build(names)


@pytest.mark.parametrize(
    ("build", "error", "advice"),
    [
        (lambda: Termination("end", 1, 50.0), ParameterError, r"termination 'end'.*write Resistor\(50\.0\)"),
        (lambda: SeriesJunction("end", 1, impedance=50), ParameterError, r"junction 'end'.*write Resistor\(50\.0\)"),
        (lambda: ShuntJunction("end", 1, impedance=None), ParameterError, r"such as Resistor\(50\.0\)"),
        (lambda: CarrierMedium("layer", 2, "x**2/2"), ParameterError, r"Potential\('k\*x\*\*2/2', \{'k': 1\.0\}\)"),
        (lambda: CarrierMedium("layer", 2, harmonic), ParameterError, r"call it, harmonic\(\)"),
        (lambda: EnvelopeMedium("layer", 2, harmonic), ParameterError, r"call it, harmonic\(\)"),
        (lambda: EnvelopeMedium("layer", 2, 3), ParameterError, "potential is 3; give harmonic"),
        (lambda: Potential(3), EquationError, "a text"),
        (
            lambda: NonlinearField("field", 4, constants={"k": 2.0}),
            ParameterError,
            r"'k' is 2\.0.*\(2\.0, '1/s",
        ),
        (lambda: NonlinearField("field", 4, constants={"k": "1 /s"}), ParameterError, r"\(1\.0, '1/s"),
        (lambda: NonlinearField("field", 4, constants={"k": (NAN, "1/s")}), ParameterError, "not finite"),
        (lambda: NonlinearField("field", 4, constants=1.0), ParameterError, "no mapping"),
        (lambda: Kuramoto("cells", 2.5), ShapeError, r"size 2\.5 must be a whole number"),
        (lambda: Kuramoto("cells", -1), ShapeError, "size -1 must be a whole number"),
        (lambda: Kuramoto("cells", 2, coupling="a"), ParameterError, "coupling 'a'"),
        (lambda: MeanFieldKuramoto("cells", 2.5), ShapeError, r"size 2\.5 must be a whole number"),
        (lambda: Ring("cells", 2, loss="a"), ParameterError, "loss.*'a' must be finite"),
        (lambda: Ring("cells", 2, elements=3), EquationError, "three or more"),
        (lambda: EvanescentField("field", 4, sigma_xx=1j), ParameterError, "Sxx.*1j must hold real numbers"),
        (lambda: EvanescentField("field", 4, sigma_xy="a"), ParameterError, "Sxy.*'a' must hold real numbers"),
        (lambda: ConvLSTM("cells", 4), ShapeError, "shape 4 must be"),
        (lambda: ConvLSTM("cells", (1, 2, 2), gain="a"), ParameterError, "gain 'a' must be"),
        (lambda: Demodulated("a"), ParameterError, "'a' rad/s"),
        (lambda: Demodulated(1.0, "a"), ParameterError, "phase 'a'"),
        (lambda: EffectiveFrequency("a"), ParameterError, "level 'a'"),
        (lambda: Perceptron(3), ShapeError, "a perceptron: 3 must be"),
        (lambda: Head(Perceptron((2, 2))), ParameterError, "must be a sequence of layers"),
        (lambda: Head((3,)), ParameterError, "must be a sequence of layers"),
        (lambda: Readout("x", kind=EffectiveFrequency), ParameterError, r"the class.*call it, EffectiveFrequency\("),
        (lambda: Readout("x", kind=3), ParameterError, "kind is 3; name one of"),
        (lambda: Readout("x", skip=True), ParameterError, "skip True"),
        (lambda: Rational.from_poles([-1.0, -2.0], [1.0]), ParameterError, "one residue for each pole"),
        (lambda: Rational.from_poles("a", [1.0]), ParameterError, "rows of numbers"),
    ],
)
def test_things_of_another_kind(build, error, advice):
    with pytest.raises(error, match=advice) as raised:
        build()
    assert "\n" not in str(raised.value)


def test_a_readout_skips_whatever_whole_number():
    readout = Readout("x", skip=np.int64(5))
    assert readout.skip == 5 and type(readout.skip) is int
