"""The profiles that come with physnn: complete, sourced, and true to the numbers that they cite."""

import re
from pathlib import Path

import pytest

from physnn.substrate.profiles import check_profile_file, describe, find_profile, load_profile, profile_names

FOLDER = Path(__file__).parents[2] / "hardware_profiles" / "physnn_profiles"
FILES = sorted(FOLDER.glob("*.toml"))
NAMES = {
    "ideal-torch",
    "ideal-waveguide",
    "cpu-x86",
    "gpu-h200",
    "photonic-mzi",
    "rf-transmission-line",
    "loihi-1",
    "spinnaker-1",
}


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def path(request):
    return request.param


def test_all_of_them_are_here():
    assert {file.stem for file in FILES} >= NAMES


def test_is_sound(path):
    assert check_profile_file(path) == []


def test_every_number_cites_a_source(path):
    for row in describe(load_profile(path)):
        assert len(row.source) > 10, row.name
        assert not re.fullmatch(r"[SV]\d+\W*", row.source), row.name
        if row.evidence == "assumed":
            assert row.source.startswith("assumption: "), row.name


def test_recalled_numbers_are_not_verified(path):
    for name, quantity in load_profile(path).quantities():
        if re.search("recalled|assumption", quantity.source):
            assert not quantity.verified, name


def test_ideal_profiles_have_no_energy(path):
    profile = load_profile(path)
    assert (profile.kind == "ideal") == profile.name.startswith("ideal-")
    if profile.kind == "ideal":
        assert next(profile.energy.quantities(), None) is None
        assert profile.precision.weight_bits is None
    else:
        assert profile.not_counted


@pytest.mark.parametrize(
    ("name", "number", "value"),
    [
        ("loihi-1", "energy.synop", 23.6e-12),  # Davies 2018, Table 2
        ("loihi-1", "power.static", 0.104),  # Frady 2020
        ("spinnaker-1", "energy.synop", 13.3e-9),  # KerasSpiking, from Hoeppner 2019
        ("gpu-h200", "rate.peak", 67e12),  # not the TF32 or sparse rows
        ("gpu-h200", "power.busy", 700.0),
        ("cpu-x86", "power.busy", 28.48),  # Blouw 2019
        ("photonic-mzi", "medium.mzi_loss", 0.2),
    ],
)
def test_key_numbers(name, number, value):
    assert load_profile(FOLDER / f"{name}.toml").quantity(number).value == pytest.approx(value, rel=1e-12)


def test_loihi_synop_is_a_simulated_minimum():
    synop = load_profile(FOLDER / "loihi-1.toml").energy.synop
    assert synop.evidence == "simulated"
    assert synop.low == synop.value < synop.high


def test_rf_numbers_agree_with_each_other():
    profile = load_profile(FOLDER / "rf-transmission-line.toml")
    assert profile.noise.bandwidth.value == pytest.approx(1 / (4 * profile.medium.time_constant.value))
    assert profile.medium.line_delay.value == pytest.approx(0.1 / (299792458 / 3.3**0.5), rel=2e-3)


def test_photonic_detector_power_is_the_shot_noise_limit():
    # 12 x 2^(2 x 8) photons of 1550 nm per sample at a quantum efficiency of 0.8 and 160 MHz
    photon = 6.62607015e-34 * 299792458 / 1550e-9
    profile = load_profile(FOLDER / "photonic-mzi.toml")
    assert profile.medium.detector_power.value == pytest.approx(12 * 2**16 * photon * 160e6 / 0.8, rel=0.02)


def test_the_default_network_fits_the_mesh():
    from physnn.substrate.profile_optics import laser_power

    _, typical, _ = laser_power(load_profile(FOLDER / "photonic-mzi.toml"), 65 + 2 * 74, 2 * 65)
    assert typical < 50.0


def test_found_by_name_where_installed(tmp_path, monkeypatch):
    info = tmp_path / "physnn_shipped-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: physnn-shipped\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[physnn.hardware_profiles]\nshipped = physnn_profiles\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(FOLDER.parent))
    assert set(profile_names()) >= NAMES
    assert find_profile("loihi-1").backends == ("brian2", "nengo")
