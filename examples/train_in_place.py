"""Train a photonic mesh on its own die by the reflected wave, and ask what it cost."""

from physnn.datasets import load
from physnn.energy import price
from physnn.learning import Objective, ReflectedWave, Settings, accuracy, train
from physnn.learning.alignment import cosines
from physnn.media import Network, Source, SquaredError, Waveguide
from physnn.substrate import build

digits = load("digits-parity")
layers = [Source("pixels", digits.width), Waveguide("hidden", 24), Waveguide("output", digits.classes)]
network = Network.layered(layers)
substrate = build(network, "photonic-mzi", seed=0)
objective = Objective(network.readout, SquaredError(), digits.classes)

data, probe = digits.part("train"), digits.part("validation")
print(
    "cosine to the true gradient, each layer:",
    cosines(substrate, ReflectedWave(), objective, probe.inputs, probe.labels),
)
history = train(
    substrate,
    ReflectedWave(),
    objective,
    data.inputs,
    data.labels,
    Settings(epochs=15),
    on_epoch=lambda epoch: print(f"epoch {epoch.number:2d}  loss {epoch.loss:.4f}"),
)
print("validation accuracy:", accuracy(substrate, objective, probe.inputs, probe.labels))

bill = price(substrate.placed.profile, history[-1].counts, substrate.inventory())
print(f"energy of the training: {bill.total.typical:.2g} J ({bill.total.low:.2g} to {bill.total.high:.2g})")
print("most of it:", max(bill.breakdown, key=lambda cause: bill.breakdown[cause].typical))
print("from unverified constants:", ", ".join(bill.unverified_constants))
