"""The torch backend against the plain interpreter, and its gradients against autograd, on every kind of equation."""

import numpy as np
import pytest

from physnn.equations import (
    Coupling,
    Dense,
    Event,
    Input,
    Interpreter,
    OneToOne,
    Output,
    Population,
    System,
    companion_inputs,
    gradient,
    reflected,
)
from physnn.errors import CapabilityError, DeviceError, NumericsError
from physnn.substrate.contract import APPROXIMATED, REFUSED, CompanionSpec
from physnn.substrate.placement import place

torch = pytest.importorskip("torch", reason="the torch extra is not installed")

LAYER = """
dx/dt = ({sigma} - gamma*x)/tau : 1
z     : 1 (arrival)
gamma : 1 (trainable)
tau   : s (parameter)
"""
BATCH, STEPS, STEP = 3, 30, 0.05


def source(name="in", size=3):
    return Population.from_text(name, size, "u : 1 (input)")


def layer(name, size, rng, sigma="tanh(z)", text=LAYER, **more):
    values = {"gamma": rng.uniform(0.5, 1.5, size), "tau": float(rng.uniform(0.5, 1.0)), **more}
    return Population.from_text(name, size, text.format(sigma=sigma), values)


def dense(name, a, b, signal, rng, gain=1.0, delay=0.0, into="z", unit="1", trainable=True):
    weights = gain * rng.normal(size=(b.shape[0], a.shape[0]))
    operator = Dense(b.shape[0], a.shape[0])
    return Coupling(name, a.name, b.name, signal, operator, into, delay, unit, trainable, initial=weights)


def chain(populations, couplings, out, expression="x"):
    inputs = {p.name: Input(p.name, "u") for p in populations if p.role("input")}
    return System.of(populations, couplings, inputs, {"y": Output(out, expression)})


def recurrent(rng):
    a, h = source(), layer("h", 4, rng)
    return chain([a, h], [dense("w", a, h, "u", rng), dense("r", h, h, "x", rng, 0.2)], "h")


def delayed(rng):
    a, b, c = source(), layer("b", 4, rng, "sigmoid(z)"), layer("c", 2, rng, "softplus(z)")
    couplings = [
        dense("w1", a, b, "u", rng, delay=2 * STEP),
        dense("w2", b, c, "x*x", rng, delay=STEP),
        dense("back", c, b, "x", rng, 0.5, delay=4 * STEP),
    ]
    return chain([a, b, c], couplings, "c")


JUNCTION = """
0 = z - v - k*v**3 : 1 (solves v)
z : 1 (arrival)
k : 1 (trainable)
"""


def junction(rng):
    """A nonlinear junction between two layers: its wave v solves v + k v^3 = z within the step."""
    a, b, c = source(), layer("b", 3, rng), layer("c", 2, rng)
    j = Population.from_text("j", 3, JUNCTION, {"k": rng.uniform(0.2, 0.6, 3)})
    couplings = [dense("w1", a, b, "u", rng), dense("w2", b, j, "x", rng), dense("w3", j, c, "v", rng, delay=STEP)]
    return chain([a, b, j, c], couplings, "c")


def projected(rng):
    a = source()
    b = Population.from_text(
        "b", 4, LAYER.format(sigma="z"), {"gamma": 1.0, "tau": 0.5}, projections={"x": "max(x, 0)"}
    )
    c = layer("c", 2, rng)
    return chain([a, b, c], [dense("w1", a, b, "u", rng), dense("w2", b, c, "x", rng)], "c")


def noisy(rng):
    a = source()
    text = """
    dx/dt = (tanh(z) - gamma*x)/tau + s*xi_a : 1
    z : 1 (arrival)
    gamma : 1 (trainable)
    tau : s (parameter)
    s : s**-0.5 (parameter)
    """
    b = Population.from_text("b", 4, text, {"gamma": 1.0, "tau": 0.5, "s": 0.3})
    c = layer("c", 2, rng)
    return chain([a, b, c], [dense("w1", a, b, "u", rng), dense("w2", b, c, "x", rng)], "c")


def oscillating(rng):
    """Complex amplitudes (Stuart-Landau), coupled with complex weights, read out as intensities."""
    text = """
    da/dt = (mu + 1j*w)*a - q*a*abs(a)**2 + z : 1 (complex)
    z  : 1/s (arrival, complex)
    mu : 1/s (parameter)
    w  : 1/s (trainable)
    q  : 1/s (trainable)
    """
    values = {"mu": -0.4, "w": rng.normal(size=3), "q": 0.7, "a": 0.3}
    a, ring = source(size=2), Population.from_text("ring", 3, text, values)
    weights = 0.3 * (rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3)))
    mixing = Coupling("mix", "ring", "ring", "a", Dense(3, 3), "z", 2 * STEP, "1/s", initial=weights)
    drive = dense("w", a, ring, "u", rng, unit="1/s", trainable=False)
    return chain([a, ring], [drive, mixing], "ring", "abs(a)**2")


def spiking(rng):
    text = "dv/dt = (i - v)/tau : 1 (unless refractory)\ni : 1 (arrival)\ntau : s (parameter)\nrest : s (parameter)"
    values = {"tau": 0.4, "rest": 3 * STEP}
    event = Event("spike", "v > 1", {"v": "0"}, "rest")
    a, n = source(), Population.from_text("n", 4, text, values, events=[event])
    c = layer("c", 2, rng, "z")
    couplings = [dense("w1", a, n, "u", rng, 4.0, into="i"), dense("w2", n, c, "spike", rng, delay=STEP, unit="s")]
    return chain([a, n, c], couplings, "c")


def mapped(rng):
    text = "h+ = tanh(z) + keep*h : 1\nz : 1 (arrival)\nkeep : 1 (trainable)"
    a, h = source(), Population.from_text("h", 4, text, {"keep": rng.uniform(0.2, 0.6, 4)})
    c = layer("c", 2, rng)
    couplings = [dense("w1", a, h, "u", rng), dense("r", h, h, "h", rng, 0.1), dense("w2", h, c, "h", rng)]
    return chain([a, h, c], couplings, "c")


def two_inputs(rng):
    a, b, c = source("left", 2), source("right", 3), layer("c", 4, rng)
    return chain([a, b, c], [dense("w1", a, c, "u", rng), dense("w2", b, c, "u", rng)], "c")


def cubic(rng):
    """No closed form: the stationary state of dx/dt = (z - x - x^3)/tau needs Newton's method."""
    text = "dx/dt = (z - x - q*x**3)/tau : 1\nz : 1 (arrival)\nq : 1 (trainable)\ntau : s (parameter)"
    a, b = source(), Population.from_text("b", 4, text, {"q": rng.uniform(0.3, 1.0, 4), "tau": 0.7})
    c = layer("c", 2, rng)
    return chain([a, b, c], [dense("w1", a, b, "u", rng), dense("w2", b, c, "x", rng)], "c")


def pair_of_states(rng):
    """Two states an element, one of them trained through a frequency."""
    text = """
    dx/dt = v : 1
    dv/dt = z - g*v - w**2*sin(x) : 1/s
    z : 1/s**2 (arrival)
    g : 1/s (parameter)
    w : 1/s (trainable)
    """
    a, p = source(), Population.from_text("p", 3, text, {"g": 0.8, "w": rng.uniform(0.8, 1.2, 3), "x": 0.1})
    c = layer("c", 2, rng)
    return chain([a, p, c], [dense("w1", a, p, "u", rng, 0.2, unit="1/s**2"), dense("w2", p, c, "x", rng)], "c")


STEADY = [recurrent, delayed, junction, mapped, two_inputs, cubic, pair_of_states]
TIMED = [*STEADY, projected, noisy, oscillating, spiking]
SMOOTH = [*STEADY, projected, noisy, oscillating]


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def inputs_of(system, rng, steps=None):
    def shape(port):
        width = system.populations[port.population].shape
        return (BATCH, *width) if steps is None else (BATCH, steps, *width)

    return {name: rng.normal(size=shape(port)) for name, port in system.inputs.items()}


def tensors(substrate, arrays):
    return {name: substrate.asarray(value) for name, value in arrays.items()}


def assert_same_trace(found, wanted, tolerance=1e-12):
    for kind in ("fields", "sent", "outputs"):
        waves = getattr(wanted, kind)
        assert set(getattr(found, kind)) == set(waves)
        for name, wave in waves.items():
            scale = max(np.abs(wave).max(), 1.0)
            assert getattr(found, kind)[name].shape == wave.shape, name
            assert np.abs(np.asarray(getattr(found, kind)[name]) - wave).max() <= tolerance * scale, name


@pytest.mark.parametrize("make", TIMED, ids=lambda f: f.__name__)
@pytest.mark.parametrize("driven", ["held", "timed"])
def test_runs_agree_with_the_interpreter(make, driven, rng, on_torch):
    system = make(rng)
    x = inputs_of(system, rng, STEPS if driven == "timed" else None)
    substrate = on_torch(system, step=STEP, seed=9)
    wanted = Interpreter(system, seed=9).run(x, STEPS, STEP)
    assert_same_trace(substrate.run(tensors(substrate, x), STEPS * STEP), wanted)
    if make is spiking:
        assert wanted.fields["n.spike"].any()
    if make is projected:
        assert (wanted.fields["b.x"][:, 1:] == 0).any()


@pytest.mark.parametrize("make", STEADY, ids=lambda f: f.__name__)
def test_steady_states_agree_with_the_interpreter(make, rng, on_torch):
    system = make(rng)
    x = inputs_of(system, rng)
    substrate = on_torch(system)
    assert_same_trace(substrate.steady(tensors(substrate, x), 1e-15), Interpreter(system).steady(x, 1e-15))


@pytest.mark.parametrize("make", TIMED, ids=lambda f: f.__name__)
def test_a_run_can_be_continued(make, rng, on_torch):
    system = make(rng)
    x = inputs_of(system, rng, STEPS)
    whole, halves = on_torch(system, step=STEP), on_torch(system, step=STEP)
    wanted = whole.run(tensors(whole, x), STEPS * STEP)
    first = halves.run(tensors(halves, x), 12 * STEP)
    rest = {name: v[:, 12:] if v.ndim > 2 and v.shape[1] == STEPS else v for name, v in x.items()}  # from its own start
    second = halves.run(tensors(halves, rest), (STEPS - 12) * STEP, first.state)
    assert second.start == pytest.approx(12 * STEP)
    for name, wave in wanted.outputs.items():
        assert torch.equal(first.outputs[name], wave[:, :13])
        assert torch.equal(second.outputs[name], wave[:, 12:])
    again = halves.run(tensors(halves, rest), (STEPS - 12) * STEP, first.state)
    assert torch.equal(again.outputs["y"], second.outputs["y"]), "continuing must not use up the state"


def test_noise_is_new_in_every_run_and_follows_from_the_seed(rng, on_torch):
    system = noisy(rng)
    x = inputs_of(system, rng)
    substrate = on_torch(system, step=STEP, seed=9)
    first, second = (substrate.run(tensors(substrate, x), 1.0) for _ in range(2))
    assert not torch.equal(first.outputs["y"], second.outputs["y"])
    assert_same_trace(second, Interpreter(system, seed=9 + 2**32).run(x, 20, STEP))


def test_single_precision(rng, on_torch, make_profile):
    system = delayed(rng)
    x = inputs_of(system, rng)
    substrate = on_torch(system, make_profile(precision={"dtype": "float32"}), step=STEP)
    trace = substrate.run(tensors(substrate, x), STEPS * STEP)
    assert all(wave.dtype == torch.float32 for wave in trace.fields.values())
    # a few dozen operations of 6e-8 each on amplitudes of order one
    assert_same_trace(trace, Interpreter(system).run(x, STEPS, STEP), 1e-5)


def timed_loss(system, x, wanted):
    """L = sum over the trajectory of w_t |y_t|^2 / 2, as a function of the parameters, by the interpreter."""

    def loss(parameters):
        y = Interpreter(system, parameters, seed=9).run(x, STEPS, STEP).outputs["y"]
        return float(np.sum(wanted * y**2) / 2)

    return loss


@pytest.mark.parametrize("make", SMOOTH, ids=lambda f: f.__name__)
def test_reflected_gradient_of_a_trajectory(make, rng, on_torch, slope_error):
    from physnn.execution import Run

    system = make(rng)
    x = inputs_of(system, rng, STEPS)
    substrate = on_torch(system, step=STEP, seed=9)
    incident = substrate.run(tensors(substrate, x), STEPS * STEP)
    wanted = rng.uniform(0.5, 1.5, incident.outputs["y"].shape)
    cotangent = {"y": torch.tensor(wanted) * incident.outputs["y"]}
    echo = substrate.companion(CompanionSpec(), incident).run(cotangent)
    found = gradient(substrate.xp, system, substrate.placed.companion("transpose"), incident, echo)

    parameters = {key: value.clone() for key, value in substrate.read().items()}
    for key in system.trainable:
        parameters[key].requires_grad_(True)
    y = Run(substrate.engine, parameters, tensors(substrate, x), STEP, 9, None).advance(STEPS).outputs["y"]
    (torch.tensor(wanted) * y**2).sum().div(2).backward()
    size = max(float(parameters[key].grad.abs().max()) for key in system.trainable)
    for key in system.trainable:
        assert float((found[key] - parameters[key].grad).abs().max()) <= 1e-8 * size, key
    if make is projected:  # the interpreter's central differences cross the kink of the projection
        return
    real = {key: value for key, value in found.items() if not value.is_complex()}
    assert slope_error(timed_loss(system, x, wanted), system.parameters, real) < 1e-6


@pytest.mark.parametrize("make", STEADY, ids=lambda f: f.__name__)
def test_reflected_gradient_of_a_stationary_state(make, rng, on_torch, slope_error):
    system = make(rng)
    x = inputs_of(system, rng)
    substrate = on_torch(system)
    incident = substrate.steady(tensors(substrate, x), 1e-15)
    echo = substrate.companion(CompanionSpec(), incident).steady({"y": incident.outputs["y"]}, 1e-15)
    found = gradient(substrate.xp, system, substrate.placed.companion("transpose"), incident, echo)
    parameters = {key: value.clone() for key, value in substrate.read().items()}
    for key in system.trainable:
        parameters[key].requires_grad_(True)
    trace, _ = substrate.engine.steady(tensors(substrate, x), parameters, 1e-15)
    trace.outputs["y"].square().sum().div(2).backward()
    size = max(float(parameters[key].grad.abs().max()) for key in system.trainable)
    for key in system.trainable:
        assert float((found[key] - parameters[key].grad).abs().max()) <= 1e-8 * size, key

    def loss(moved):
        return float(np.sum(Interpreter(system, moved).steady(x, 1e-15).outputs["y"] ** 2) / 2)

    assert slope_error(loss, system.parameters, found) < 1e-6


@pytest.mark.parametrize("make", [delayed, junction, oscillating], ids=lambda f: f.__name__)
def test_companions_agree_with_the_interpreter(make, rng, on_torch):
    system = make(rng)
    x = inputs_of(system, rng)
    substrate = on_torch(system, step=STEP)
    incident = substrate.run(tensors(substrate, x), STEPS * STEP)
    echo = substrate.companion(CompanionSpec(), incident).run({"y": incident.outputs["y"]})
    plain = Interpreter(system).run(x, STEPS, STEP)
    companion = reflected(system)
    drive = companion_inputs(companion, plain, {"y": plain.outputs["y"]})
    wanted = Interpreter(companion.system).run(drive, STEPS + 1, STEP)
    for name, wave in wanted.outputs.items():
        scale = np.abs(wave).max()
        assert np.abs(np.asarray(echo.outputs[name]) - wave).max() <= 1e-11 * scale, name


class TestRefusals:
    def test_a_gpu_that_is_not_there(self, rng, make_profile):
        import physnn_torch

        if torch.cuda.is_available():
            pytest.skip("this machine has a CUDA GPU")
        with pytest.raises(DeviceError, match="no CUDA GPU is available here; use device 'cpu'") as caught:
            physnn_torch.Backend().build(place(cubic(rng), make_profile(), device="cuda"))
        assert isinstance(caught.value, CapabilityError)

    def test_plastic_couplings(self, rng, make_profile, on_torch):
        import physnn_torch

        rule = Population.from_text(
            "hebb",
            (4, 3),
            "dw/dt = rate*pre*post : 1\npre : 1 (input)\npost : 1 (input)\nrate : 1/s (parameter)",
            {"rate": 0.1},
        )
        a, b = source(), layer("b", 4, rng)
        plastic = Coupling("w", "in", "b", "u", Dense(4, 3), "z", initial=np.ones((4, 3)), plasticity=rule, post="x")
        system = chain([a, b], [plastic], "b")
        findings = physnn_torch.Backend().check(system, make_profile())
        assert [f.part for f in findings if f.status == REFUSED] == ["coupling w"]
        with pytest.raises(CapabilityError, match="coupling w: weights that change while it runs"):
            on_torch(system)

    def test_stationary_states_of_spiking_cells(self, rng, on_torch):
        substrate = on_torch(spiking(rng), step=STEP)
        with pytest.raises(CapabilityError, match=r"'n' has events.*run it in time"):
            substrate.steady(tensors(substrate, inputs_of(substrate.placed.system, rng)))

    def test_delays_that_are_no_whole_number_of_steps(self, rng, on_torch):
        substrate = on_torch(delayed(rng), step=0.03)
        with pytest.raises(Exception, match="not a whole number of steps"):
            substrate.run({}, 0.3)

    def test_loops_that_do_not_settle(self, rng, on_torch):
        a, h = source(), layer("h", 4, rng, "z")
        substrate = on_torch(chain([a, h], [dense("w", a, h, "u", rng), dense("r", h, h, "x", rng, 5.0)], "h"))
        with pytest.raises(NumericsError, match="run it in time"):
            substrate.steady({"in": torch.ones(1, 3)})

    def test_undamped_media_have_no_stationary_state(self, rng, on_torch):
        a = source()
        h = Population.from_text("h", 2, LAYER.format(sigma="z"), {"gamma": 0.0, "tau": 1.0})
        substrate = on_torch(chain([a, h], [dense("w", a, h, "u", rng)], "h"))
        with pytest.raises(NumericsError, match="not finite"):
            substrate.steady({"in": torch.ones(1, 3)})
        assert torch.isfinite(substrate.run({"in": torch.ones(1, 3)}, 1.0).outputs["y"]).all()

    def test_converters_are_said_to_be_left_out(self, rng, make_profile):
        import physnn_torch

        profile = make_profile(kind="analog", noise={"read": 0.01}, range={"signal": 2.0})
        found = physnn_torch.Backend().check(cubic(rng), profile)
        assert [f.part for f in found if f.status == APPROXIMATED] == ["converters and detectors"]


class TestState:
    def test_snapshot_and_restore(self, rng, on_torch):
        system = noisy(rng)
        x = inputs_of(system, rng)
        substrate = on_torch(system, step=STEP)
        substrate.run(tensors(substrate, x), 0.5)
        kept = substrate.snapshot()

        def go_on(one):
            one.write({"w1": one.read()["w1"] * 1.1})
            y = one.run(tensors(one, x), 0.5).outputs["y"]
            return y, one.read()["w1"], dict(one.meter.counts)

        first = go_on(substrate)
        substrate.restore(kept)
        fresh = on_torch(system, step=STEP)
        fresh.restore(kept)
        for one in (substrate, fresh):
            again = go_on(one)
            assert torch.equal(again[0], first[0]) and torch.equal(again[1], first[1])
            assert again[2] == first[2]

    def test_analog_dies_act_on_tensors_too(self, rng, on_torch, make_profile):
        system = cubic(rng)
        profile = make_profile(kind="analog", mismatch={"weight": 0.1}, range={"weight": 3.0})
        substrate = on_torch(system, profile, seed=3)
        wanted = substrate.placed.realise(system.parameters, 1)
        x = inputs_of(system, rng)
        assert_same_trace(substrate.steady(tensors(substrate, x)), Interpreter(system, wanted).steady(x), 1e-12)

    def test_loops_are_billed_for_every_sweep(self, rng, on_torch):
        system = recurrent(rng)
        substrate = on_torch(system)
        substrate.steady({"in": torch.ones(2, 3)})
        macs = 4 * 3 + 4 * 4
        assert substrate.meter.counts["mac"] % (2 * macs) == 0
        assert substrate.meter.counts["mac"] > 5 * 2 * macs

    def test_counts_by_hand(self, rng, on_torch):
        a, b = source(), layer("b", 4, rng)
        substrate = on_torch(chain([a, b], [dense("w", a, b, "u", rng)], "b"))
        substrate.steady({"in": torch.ones(5, 3)})
        counts = substrate.meter.counts
        assert counts["mac"] == 5 * 4 * 3
        assert counts["kernel"] == 2
        assert counts["sample"] == 5
        assert counts["host_byte"] == 8 * 5 * 3
        # weights once; a sample: 3 in and 4 out of the product, 4 in and 4 out of the layer
        assert counts["memory_byte"] == 8 * (12 + 5 * (3 + 4 + 4 + 4))
        # (tanh(z) - gamma x)/tau: tanh, product, difference, quotient
        assert counts["elementwise"] == 5 * 4 * 4


def test_one_to_one_couplings_with_sheets(rng, on_torch):
    sheet = Population.from_text("s", (2, 3, 3), LAYER.format(sigma="tanh(z)"), {"gamma": 1.0, "tau": 1.0})
    a = Population.from_text("in", (2, 3, 3), "u : 1 (input)")
    w = Coupling("w", "in", "s", "u", OneToOne((2, 3, 3)), "z", initial=rng.normal(size=(2, 3, 3)))
    system = chain([a, sheet], [w], "s")
    x = inputs_of(system, rng)
    substrate = on_torch(system)
    assert_same_trace(substrate.steady(tensors(substrate, x)), Interpreter(system).steady(x))
