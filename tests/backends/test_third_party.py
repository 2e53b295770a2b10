"""A backend and a profile pack from other hands: installed with pip, found and used by name in another process."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parent / "third_party"
NAMES = ("plain_backend", "bench_profiles")

USE = """
import json
import numpy as np
from physnn.energy import price
from physnn.learning import Objective, Settings, find_rule, train
from physnn.media import Network, Source, SquaredError, Waveguide
from physnn.substrate.contract import Substrate
from physnn.substrate.profiles import find_profile, profile_names
from physnn.substrate.registry import backend_names, build, find_backend

network = Network.layered([Source("in", 6), Waveguide("hidden", 8), Waveguide("out", 2)])
rng = np.random.default_rng(0)
x = rng.normal(size=(48, 6))
labels = (x[:, 0] + x[:, 1] > 0).astype(int)

substrate = build(network, "pocket-calculator", seed=3)
reference = build(network, "ideal-torch", seed=3)
port = {"in": x}
pairs = [(one.steady(port).outputs["y"], one.run(port, 1.0).outputs["y"]) for one in (substrate, reference)]
differences = [float(np.abs(np.asarray(mine) - np.asarray(theirs)).max()) for mine, theirs in zip(*pairs)]
before = dict(substrate.meter.counts)
objective = Objective(network.readout, SquaredError(), 2)
losses = {}
for name, one in (("plain", substrate), ("torch", reference)):
    history = train(one, find_rule("reflected-wave"), objective, x, labels, Settings(6, 16, 0.02), seed=1)
    losses[name] = [epoch.loss for epoch in history]
substrate.restore(substrate.snapshot())
macs = substrate.meter.since(before)["mac"]
bill = price(find_profile("pocket-calculator"), {"mac": 100.0, "sample": 1.0}, substrate.inventory())
print(json.dumps({
    "backends": backend_names(), "profiles": profile_names(), "differences": differences, "losses": losses,
    "keeps the contract": isinstance(substrate, Substrate), "kind": type(find_backend("plain")).__module__,
    "macs": macs, "joule": [bill.total.low, bill.total.typical, bill.total.high],
}))
"""


@pytest.mark.parametrize("package", NAMES)
def test_each_takes_less_than_eighty_lines(package):
    code = [path for path in (PACKAGES / package).rglob("*") if path.suffix in (".py", ".toml")]
    lines = [line for path in code for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert 10 < len(lines) < 80


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What a process sees that has both packages on its path."""
    for needed in ("hatchling", "torch"):
        pytest.importorskip(needed, reason=f"{needed} is not installed")
    folder = tmp_path_factory.mktemp("third_party")
    for name in NAMES:
        shutil.copytree(PACKAGES / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    run(*pip, "--target", folder / "site", *(folder / name for name in NAMES), cwd=folder)
    shared = [str(folder / "site"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return json.loads(run(sys.executable, "-c", USE, cwd=folder, PYTHONPATH=os.pathsep.join(shared)))


def run(*command, cwd, **environment):
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def test_both_are_found_by_name_beside_the_shipped_ones(report):
    assert {"plain", "torch", "waveguide"} <= set(report["backends"])
    assert {"pocket-calculator", "ideal-torch"} <= set(report["profiles"])
    assert report["kind"] == "physnn_plain"
    assert report["keeps the contract"]


def test_its_states_are_those_of_torch(report):
    assert max(report["differences"]) < 1e-12


def test_it_can_be_trained(report):
    losses = report["losses"]["plain"]
    assert losses[-1] < 0.7 * losses[0]
    assert losses == pytest.approx(report["losses"]["torch"], rel=1e-9)


def test_its_counts_can_be_priced(report):
    # 100 multiply-accumulates are 200 operations, at 5 a second: 40 s at 0.2, 0.4 and 0.8 mW
    assert report["joule"] == pytest.approx([8e-3, 16e-3, 32e-3])
    # 6 epochs of 48 samples through 6 x 8 + 8 x 2 weights and 8 + 2 biases, and as many for the correlation
    assert report["macs"] == 2 * 6 * 48 * (6 * 8 + 8 * 2 + 8 + 2)
