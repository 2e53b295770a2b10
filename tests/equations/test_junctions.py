"""Constraints: Newton's method, and passive networks of lines (delayed couplings) and junctions (constraints)."""

import numpy as np
import pytest
from scipy.optimize import brentq

from physnn.equations import Coupling, Dense, Input, Interpreter, OneToOne, Output, Population, System
from physnn.errors import NumericsError

DIODES = """
0 = left + right - v - Z*I_s*sinh(v/V_t) : V (solves v)
left  : V (arrival)
right : V (arrival)
Z     : ohm (parameter)
I_s   : A (parameter)
V_t   : V (parameter)
"""
"""A pair of diodes i = 2 I_s sinh(v/V_t) across the middle of a line: 2(a_left + a_right) - 2 v = Z i."""


def solved(text, values=None, inputs=None, size=1):
    population = Population.from_text("j", size, text, values or {})
    system = System.of([population], [], {name: Input("j", name) for name in inputs or {}})
    given = {name: np.asarray(value)[None] for name, value in (inputs or {}).items()}
    fields = Interpreter(system).run(given, 0, 1.0).fields
    return {name: fields[f"j.{name}"][0, 0] for name in population.role("unknown")}


class TestNewton:
    @pytest.mark.parametrize("scale", [1e-15, 1e-9, 1.0, 1e9])
    def test_tiny_and_large_quantities_are_equally_exact(self, scale):
        u = np.array([-3.0, 0.0, 1e-3, 2.0]) * scale
        v = solved("0 = v + v**3/c**2 - u : A (solves v)\nu : A (input)\nc : A (parameter)", {"c": scale}, {"u": u}, 4)[
            "v"
        ]
        wanted = [brentq(lambda x, u=u: x + x**3 - u, -10, 10, xtol=1e-16) for u in u / scale]
        assert v == pytest.approx(np.array(wanted) * scale, rel=1e-14, abs=1e-300)

    @pytest.mark.parametrize("drive", [0.0, 1e-9, 0.1, -5.0, 100.0, 1e4])
    def test_an_exponential_characteristic_under_strong_drive(self, drive):
        values = {"Z": 50.0, "I_s": 1e-12, "V_t": 0.025}
        text = DIODES.replace("(arrival)", "(input)")
        v = solved(text, values, {"left": [drive], "right": [0.0]})["v"][0]
        # v is exact to a few roundings; the difference drive - v is, relative to the drive.
        assert 50e-12 * np.sinh(v / 0.025) == pytest.approx(drive - v, rel=1e-11, abs=4e-16 * abs(drive))

    def test_compression_like_asinh(self):
        values = {"Z": 50.0, "I_s": 1e-3, "V_t": 0.025}
        drives = np.array([10.0, 100.0, 1000.0])
        v = solved(DIODES.replace("(arrival)", "(input)"), values, {"left": drives, "right": 0 * drives}, 3)["v"]
        assert v == pytest.approx(0.025 * np.arcsinh((drives - v) / 0.05), rel=1e-12)

    def test_several_unknowns_of_unlike_units(self):
        text = """
        0 = v - E + R*i          : V (solves v)
        0 = i - I_s*sinh(v/V_t)  : A (solves i)
        E : V (input)
        R : ohm (parameter)
        I_s : A (parameter)
        V_t : V (parameter)
        """
        found = solved(text, {"R": 1e3, "I_s": 1e-12, "V_t": 0.025}, {"E": [0.2, 5.0, -12.0]}, 3)
        assert found["v"] + 1e3 * found["i"] == pytest.approx([0.2, 5.0, -12.0], rel=1e-12)
        assert found["i"] == pytest.approx(1e-12 * np.sinh(found["v"] / 0.025), rel=1e-9)

    def test_complex_unknowns_with_conjugate_and_modulus(self):
        text = (
            "0 = a + k*abs(a)**2*a + 0.3*conj(a) - u : 1 (solves a, complex)\nu : 1 (input, complex)\nk : 1 (parameter)"
        )
        u = np.array([1 + 2j, -3j, 0, 0.5])
        a = solved(text, {"k": 0.7}, {"u": u}, 4)["a"]
        assert a + 0.7 * np.abs(a) ** 2 * a + 0.3 * np.conj(a) == pytest.approx(u, abs=1e-14)

    def test_the_start_chooses_the_branch(self):
        for start in (-2.0, 3.0):
            assert solved("0 = v**2 - 1 : 1 (solves v)", {"v": start})["v"][0] == pytest.approx(
                np.sign(start), abs=1e-15
            )

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("0 = v**2 + 1 : 1 (solves v)", "population 'j'"),
            ("0 = 1 + 0*v : 1 (solves v)", "no unique solution"),
            ("0 = exp(v) : 1 (solves v)", "population 'j'"),
            ("0 = v + w - 1 : 1 (solves v)\n0 = 2*v + 2*w : 1 (solves w)", "no unique"),
            ("0 = log(v) : 1 (solves v)", "not finite"),
        ],
    )
    def test_what_has_no_solution_is_said(self, text, says):
        with pytest.raises(NumericsError, match=says):
            solved(text, {"v": 0.0})


def line_network(z1, z2, left=1, right=1, delays=(3, 5), diodes=None):
    """Open or shorted end -- line Z1 -- impedance step -- line Z2 -- end; `diodes` across the step."""
    shunt = "g*sinh(v/V_t)" if diodes else "0"
    extra = "g : A (parameter)\nV_t : V (parameter)\n" if diodes else ""
    text = f"""
    0 = 2*a1/Z1 + 2*a2/Z2 - v*(1/Z1 + 1/Z2) - {shunt} : V (solves v)
    b1 = v - a1 : V
    b2 = v - a2 : V
    a1 : V (arrival)
    a2 : V (arrival)
    Z1 : ohm (parameter)
    Z2 : ohm (parameter)
    {extra}"""
    step = Population.from_text("step", 1, text, {"Z1": z1, "Z2": z2} | (diodes or {}))
    ends = [
        Population.from_text(name, 1, "b = r*a + u : V\na : V (arrival)\nr : 1 (parameter)\nu : V (input)", {"r": r})
        for name, r in (("left", left), ("right", right))
    ]
    one = np.ones(1)
    couplings = [
        Coupling("l1", "left", "step", "b", OneToOne((1,)), "a1", delays[0], initial=one),
        Coupling("l2", "step", "left", "b1", OneToOne((1,)), "a", delays[0], initial=one),
        Coupling("r1", "right", "step", "b", OneToOne((1,)), "a2", delays[1], initial=one),
        Coupling("r2", "step", "right", "b2", OneToOne((1,)), "a", delays[1], initial=one),
    ]
    return System.of([step, *ends], couplings, {"in": Input("left", "u")}, {"v": Output("step", "v")})


def in_flight(sent, delay):
    """Energy of what is on a line at each entry: the squares of what entered in the `delay` entries before it."""
    total = np.cumsum(sent**2, axis=1)
    return total[:, delay - 1 : -1] - np.concatenate([np.zeros_like(total[:, :1]), total[:, : -delay - 1]], axis=1)


class TestLines:
    @pytest.mark.parametrize(("z1", "z2"), [(50.0, 75.0), (75.0, 50.0), (50.0, 50.0), (50.0, 5e6), (50.0, 5e-4)])
    def test_reflection_coefficient_of_an_impedance_step(self, z1, z2):
        pulse = np.zeros((1, 12, 1))
        pulse[0, 0] = 1.0
        trace = Interpreter(line_network(z1, z2)).run({"in": pulse}, 12, 1.0)
        r = (z2 - z1) / (z2 + z1)
        assert trace.sent["l2"][0, 3, 0] == pytest.approx(r, abs=1e-14)
        assert trace.sent["r2"][0, 3, 0] == pytest.approx(1 + r, abs=1e-14)
        assert r**2 + z1 / z2 * trace.sent["r2"][0, 3, 0] ** 2 == pytest.approx(1, abs=1e-13)
        assert np.count_nonzero(np.abs(trace.sent["l2"][0, :5, 0]) > 1e-13) == (z1 != z2)

    @pytest.mark.parametrize(("left", "right"), [(1, 1), (-1, 1)])
    def test_energy_is_conserved_in_a_closed_network(self, left, right):
        z1, z2 = 50.0, 130.0
        pulse = np.zeros((2, 1010, 1))
        pulse[:, :3] = np.random.default_rng(0).normal(size=(2, 3, 1))
        trace = Interpreter(line_network(z1, z2, left, right)).run({"in": pulse}, 1010, 1.0)
        sent = {name: value[:, :, 0] for name, value in trace.sent.items()}
        first = (in_flight(sent["l1"], 3) + in_flight(sent["l2"], 3))[:, 2:] / z1
        second = (in_flight(sent["r1"], 5) + in_flight(sent["r2"], 5)) / z2
        energy = (first + second)[:, 3:]
        assert energy.shape[1] > 1000
        assert np.ptp(energy, axis=1) / energy[:, 0] == pytest.approx(0, abs=1e-12)

    def test_diodes_only_take_energy(self):
        network = line_network(50.0, 50.0, diodes={"g": 1e-3, "V_t": 0.5}, delays=(3, 3))
        pulse = np.zeros((1, 400, 1))
        pulse[:, :3] = 5.0
        sent = {n: v[:, :, 0] for n, v in Interpreter(network).run({"in": pulse}, 400, 1.0).sent.items()}
        energy = sum(in_flight(wave, 3) for wave in sent.values())[0]
        assert np.all(np.diff(energy) <= 1e-12 * energy[0])
        assert energy[-1] < 0.9 * energy[0]

    def test_a_shunt_between_half_lines_is_the_papers_scalar_equation(self):
        z, i_s, v_t = 50.0, 1e-3, 0.025
        network = line_network(z, z, diodes={"g": 2 * i_s, "V_t": v_t})
        pulse = np.zeros((1, 5, 1))
        pulse[0, 0] = 2.0
        v = Interpreter(network).run({"in": pulse}, 5, 1.0).outputs["v"][0, 3, 0]
        assert 2 * 2.0 - 2 * v == pytest.approx(z * 2 * i_s * np.sinh(v / v_t), rel=1e-12)


def transformer_bank(w, z1, z2):
    """Scattering matrices of ideal transformers v2 = W v1, i1 = -W^T i2 between lines of impedance Z1 and Z2."""
    z1, y2 = np.diag(z1), np.diag(1 / z2)
    inverse = np.linalg.inv(np.eye(len(z1)) + z1 @ w.T @ y2 @ w)
    s11 = inverse @ (np.eye(len(z1)) - z1 @ w.T @ y2 @ w)
    s12, s21 = 2 * inverse @ z1 @ w.T @ y2, 2 * w @ inverse
    return s11, s12, s21, w @ s12 - np.eye(len(w))


class TestTransformerBank:
    rng = np.random.default_rng(4)
    w = rng.normal(size=(3, 2))
    z1, z2 = np.array([50.0, 75.0]), np.array([40.0, 90.0, 60.0])

    def network(self):
        s11, s12, s21, s22 = transformer_bank(self.w, self.z1, self.z2)
        port = "a : V (arrival)"
        end = "b = r*a + u : V\na : V (arrival)\nr : 1 (parameter)\nu : V (input)"
        populations = [
            Population.from_text("p1", 2, port),
            Population.from_text("p2", 3, port),
            Population.from_text("e1", 2, end, {"r": 1.0}),
            Population.from_text("e2", 3, end, {"r": -1.0}),
        ]
        couplings = [
            Coupling("s11", "p1", "e1", "a", Dense(2, 2), "a", 2.0, initial=s11),
            Coupling("s12", "p2", "e1", "a", Dense(2, 3), "a", 2.0, initial=s12),
            Coupling("s21", "p1", "e2", "a", Dense(3, 2), "a", 3.0, initial=s21),
            Coupling("s22", "p2", "e2", "a", Dense(3, 3), "a", 3.0, initial=s22),
            Coupling("b1", "e1", "p1", "b", OneToOne((2,)), "a", 2.0, initial=np.ones(2)),
            Coupling("b2", "e2", "p2", "b", OneToOne((3,)), "a", 3.0, initial=np.ones(3)),
        ]
        return System.of(populations, couplings, {"in": Input("e1", "u")})

    def test_it_is_lossless_and_reciprocal(self):
        s11, s12, s21, s22 = transformer_bank(self.w, self.z1, self.z2)
        s, y = np.block([[s11, s12], [s21, s22]]), np.diag(1 / np.concatenate([self.z1, self.z2]))
        assert s.T @ y @ s == pytest.approx(y, abs=1e-15)
        assert s12 == pytest.approx(np.diag(self.z1) @ s21.T @ np.diag(1 / self.z2), abs=1e-14)

    def test_one_transformer_of_ratio_one_is_the_impedance_step(self):
        s11, _, s21, _ = transformer_bank(np.ones((1, 1)), np.array([50.0]), np.array([75.0]))
        assert s11[0, 0] == pytest.approx(0.2)
        assert s21[0, 0] == pytest.approx(1.2)

    def test_energy_is_conserved_over_a_thousand_steps(self):
        pulse = np.zeros((1, 1015, 2))
        pulse[:, :2] = self.rng.normal(size=(1, 2, 2))
        trace = Interpreter(self.network()).run({"in": pulse}, 1015, 1.0)
        s11, s12, s21, s22 = transformer_bank(self.w, self.z1, self.z2)
        a1, a2 = trace.fields["p1.a"], trace.fields["p2.a"]
        out1, out2 = a1 @ s11.T + a2 @ s12.T, a1 @ s21.T + a2 @ s22.T
        first = (in_flight(out1, 2) + in_flight(trace.sent["b1"], 2)) @ (1 / self.z1)
        second = (in_flight(out2, 3) + in_flight(trace.sent["b2"], 3)) @ (1 / self.z2)
        energy = (first[:, 1:] + second)[0, 4:]
        assert len(energy) > 1000
        assert np.ptp(energy) / energy[0] < 1e-12
