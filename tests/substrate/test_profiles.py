"""Profiles: what a file may say, how its faults are told, how installed packs are found."""

import sys

import pytest

from physnn.errors import CapabilityError, ProfileError, UnknownNameError
from physnn.substrate.profile_optics import insertion_loss, laser_power
from physnn.substrate.profiles import (
    Profile,
    Quantity,
    check_profile_file,
    describe,
    find_profile,
    iter_profiles,
    load_profile,
    profile_names,
)
from physnn.toml_reading import key_lines

HEAD = """name = "bench"
title = "A bench"
kind = "event"
backends = ["brian2"]
description = "for tests"
"""
SOURCE = 'evidence = "measured"\nsource = "Bench 2020, Table 1"\nverified = true\n'
SYNOP = f'[energy.synop]\nvalue = 20.0\nunit = "pJ"\n{SOURCE}'


@pytest.fixture
def write(tmp_path):
    """Writes a profile file called bench.toml."""

    def write_text(text, name="bench.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_text


def quantity(value, unit, **more):
    return {"value": value, "unit": unit, "evidence": "measured", "source": "Bench 2020", "verified": True, **more}


def mesh(**medium):
    """A photonic profile with the given light budget."""
    light = {
        "mzi_loss": quantity(0.2, "dB", low=0.1, high=0.5),
        "detector_power": quantity(10.0, "uW", low=5.0, high=20.0),
        "laser_efficiency": quantity(0.2, "1", low=0.1, high=0.25),
        "laser_limit": quantity(5.0, "W"),
    }
    head = {"name": "mesh", "title": "m", "kind": "analog", "backends": ["waveguide"], "description": "d"}
    return Profile.model_validate({**head, "medium": {**light, **medium}})


class TestReading:
    def test_converts_to_si_and_defaults_the_range(self, write):
        synop = load_profile(write(HEAD + SYNOP)).energy.synop
        assert (synop.low, synop.value, synop.high) == pytest.approx((2e-11, 2e-11, 2e-11), rel=1e-12)
        assert synop.unit == "J"

    @pytest.mark.parametrize(
        ("value", "unit", "field", "expected"),
        [
            (3.0, "GMAC/s", "peak", 6e9),  # 1 MAC = 2 flop
            (67.0, "TFLOP/s", "peak", 67e12),
            (4.8, "TB/s", "memory", 4.8e12),
            (8.0, "Gbit/s", "memory", 1e9),
            (35.0, "%", "utilisation", 0.35),
        ],
    )
    def test_reads_any_unit_of_the_right_dimension(self, write, value, unit, field, expected):
        text = f'{HEAD}[rate.{field}]\nvalue = {value}\nunit = "{unit}"\n{SOURCE}'
        assert getattr(load_profile(write(text)).rate, field).value == pytest.approx(expected, rel=1e-12)

    def test_what_is_left_out_is_absent_not_zero(self, write):
        profile = load_profile(write(HEAD + SYNOP))
        assert profile.energy.spike is None
        assert profile.precision is None
        assert profile.quantity("energy.spike") is None
        assert [path for path, _ in profile.quantities()] == ["energy.synop"]

    def test_is_frozen(self, write):
        profile = load_profile(write(HEAD + SYNOP))
        with pytest.raises(ValueError, match="frozen"):
            profile.energy.synop.value = 1.0

    def test_power_waves_may_be_square_roots_of_watts(self, write):
        text = f'{HEAD}[noise.amplitude]\nvalue = 2.0\nunit = "mW**0.5"\n{SOURCE}'
        amplitude = load_profile(write(text)).noise.amplitude
        assert amplitude.unit == "W**0.5"
        assert amplitude.value == pytest.approx(2.0 * 1e-3**0.5, rel=1e-12)


def synop(lines):
    return f"{HEAD}[energy.synop]\n{lines}"


FAULTS = {
    "no unit": (synop(f"value = 2.0\n{SOURCE}"), 6, "energy.synop.unit: missing"),
    "no source": (
        synop('value = 2.0\nunit = "J"\nevidence = "measured"\nverified = true\n'),
        6,
        "energy.synop.source: missing",
    ),
    "blank source": (
        synop('value = 2.0\nunit = "J"\nevidence = "measured"\nsource = "  "\nverified = true\n'),
        10,
        "energy.synop.source",
    ),
    "bare number": (f"{HEAD}[energy]\nsynop = 2.0\n", 7, "energy.synop: a bare number has no unit and no source"),
    "wrong dimension": (synop(f'value = 2.0\nunit = "W"\n{SOURCE}'), 6, "'W' has the wrong dimension; give it in 'J'"),
    "rate for bytes": (f'{HEAD}[rate.memory]\nvalue = 2.0\nunit = "1/s"\n{SOURCE}', 6, "wrong dimension"),
    "decibel as ratio": (
        f'{HEAD}[mismatch.gain]\nvalue = 2.0\nunit = "dB"\n{SOURCE}',
        6,
        "'dB' has the wrong dimension",
    ),
    "ratio as decibel": (f'{HEAD}[medium.line_loss]\nvalue = 2.0\nunit = "1"\n{SOURCE}', 6, "give it in 'dB'"),
    "unknown unit": (synop(f'value = 2.0\nunit = "Jolt"\n{SOURCE}'), 6, "unit 'Jolt' is not known"),
    "malformed unit": (synop(f'value = 2.0\nunit = "J /"\n{SOURCE}'), 6, "unit 'J /' is not known"),
    "low above high": (
        synop(f'value = 2.0\nlow = 3.0\nhigh = 4.0\nunit = "J"\n{SOURCE}'),
        6,
        "low <= value <= high does not hold: 3, 2, 4",
    ),
    "negative": (synop(f'value = -2.0\nunit = "J"\n{SOURCE}'), 6, "negative"),
    "not a number": (synop(f'value = nan\nunit = "J"\n{SOURCE}'), 7, "energy.synop.value: nan is not finite"),
    "infinite range": (
        synop(f'value = 1.0\nhigh = inf\nunit = "J"\n{SOURCE}'),
        8,
        "energy.synop.high: inf is not finite",
    ),
    "text for a number": (
        synop(f'value = "2.0"\nunit = "J"\n{SOURCE}'),
        7,
        "energy.synop.value: input should be a valid",
    ),
    "truth for a number": (
        synop(f'value = true\nunit = "J"\n{SOURCE}'),
        7,
        "energy.synop.value: input should be a valid",
    ),
    "unknown evidence": (
        synop('value = 2.0\nunit = "J"\nevidence = "guessed"\nsource = "x"\nverified = false\n'),
        9,
        "'measured', 'simulated'",
    ),
    "verified assumption": (
        synop('value = 2.0\nunit = "J"\nevidence = "assumed"\nsource = "x"\nverified = true\n'),
        6,
        "an assumption cannot be verified",
    ),
    "unknown key": (
        synop(f'value = 2.0\nunit = "J"\nsourcee = "x"\n{SOURCE}'),
        9,
        "unknown key 'sourcee'; did you mean 'source'?",
    ),
    "unknown count": (
        f'{HEAD}[energy.synops]\nvalue = 2.0\nunit = "J"\n{SOURCE}',
        6,
        "unknown key 'synops'; did you mean 'synop'?",
    ),
    "unknown table": (f"{HEAD}[enregy]\n", 6, "unknown key 'enregy'; did you mean 'energy'?"),
    "unknown top key": (f'{HEAD}titel = "x"\n', 6, "unknown key 'titel'; did you mean 'title'?"),
    "table as text": (f'{HEAD}energy = "much"\n', 6, "energy: must be a table"),
    "zero time step": (f'{HEAD}[time.timestep]\nvalue = 0.0\nunit = "s"\n{SOURCE}', 6, "greater than zero"),
    "share above one": (f'{HEAD}[rate.utilisation]\nvalue = 1.2\nunit = "1"\n{SOURCE}', 6, "above the largest"),
    "bits not whole": (f'{HEAD}[precision]\nweight_bits = 4.5\nsource = "x"\n', 7, "precision.weight_bits"),
    "name is not the stem": (HEAD.replace("bench", "bank", 1), 1, "'bank' is not the file's stem 'bench'"),
    "unknown kind": (
        HEAD.replace("event", "magic"),
        3,
        "kind: input should be 'ideal', 'processor', 'event' or 'analog'",
    ),
    "no backend": (HEAD.replace('["brian2"]', "[]"), 4, "backends"),
    "ideal with energy": (HEAD.replace("event", "ideal") + SYNOP, 6, "energy.synop: is in no bill of kind 'ideal'"),
    "ideal with noise": (
        f'{HEAD.replace("event", "ideal")}[noise.read]\nvalue = 0.1\nunit = "1"\n{SOURCE}',
        6,
        "noise.read: an ideal profile is not a device",
    ),
    "energy of another kind": (
        f'{HEAD}[energy.dac]\nvalue = 0.1\nunit = "J"\n{SOURCE}',
        6,
        "energy.dac: is in no bill of kind 'event'",
    ),
    "included and priced": (f'{HEAD}[included]\n"energy.synop" = "why"\n{SYNOP}', 7, "has a number of its own"),
    "included unknown": (f'{HEAD}[included]\n"energy.spkie" = "why"\n', 7, "did you mean 'energy.spike'?"),
    "busy below idle": (
        f'{HEAD}[power.idle]\nvalue = 9.0\nunit = "W"\n{SOURCE}[power.busy]\nvalue = 8.0\nunit = "W"\n{SOURCE}',
        12,
        "power.busy: below power.idle (low, value, high)",
    ),
    "counted twice": (
        f'{HEAD}[energy.synop]\nvalue = 2.0\nunit = "J"\nscope = "all_in"\n{SOURCE}'
        f'[energy.spike]\nvalue = 1.0\nunit = "J"\n{SOURCE}',
        13,
        "counted twice beside energy.synop of scope all_in",
    ),
    "mesh without laser": (
        f'{HEAD}[medium.mzi_loss]\nvalue = 2.0\nunit = "dB"\n{SOURCE}',
        6,
        "medium.mzi_loss: needs medium.detector_power",
    ),
    "malformed TOML": (f"{HEAD}[energy.synop\nvalue = 1\n", 6, "malformed TOML"),
    "TOML that ends early": (f'{HEAD}node = """one\ntwo', 7, "malformed TOML"),
}


class TestFaults:
    @pytest.mark.parametrize("case", FAULTS)
    def test_names_file_line_and_place(self, write, case):
        text, line, said = FAULTS[case]
        path = write(text)
        with pytest.raises(ProfileError) as error:
            load_profile(path)
        message = str(error.value)
        assert message.startswith(f"{path}:{line}: ")
        assert said in message
        assert "\n" not in message

    def test_check_finds_all_of_them(self, write):
        text = (
            HEAD.replace("bench", "bank", 1) + '[energy.synop]\nvalue = nan\nunti = "J"\n[power.static]\nvalue = 1.0\n'
        )
        path = write(text)
        faults = check_profile_file(path)
        wheres = [fault.split(": ")[1] for fault in faults]
        assert wheres.count("energy.synop.value") == 1
        assert {"name", "energy.synop.unti", "energy.synop.unit", "power.static.source"} <= set(wheres)
        with pytest.raises(ProfileError, match=rf"and {len(faults) - 1} more: physnn profiles check"):
            load_profile(path)

    def test_check_finds_nothing_in_a_sound_file(self, write):
        assert check_profile_file(write(HEAD + SYNOP)) == []

    def test_missing_file_folder_and_binary(self, tmp_path):
        binary = tmp_path / "binary.toml"
        binary.write_bytes(b"\xff\xfe\x00")
        for path, said in ((tmp_path / "no.toml", "no such file"), (tmp_path, "cannot be read"), (binary, "UTF-8")):
            with pytest.raises(ProfileError, match=said):
                load_profile(path)

    def test_lines_skip_what_stands_inside_a_long_string(self):
        text = 'note = """\n[energy.mac]\nvalue = 2\n"""\n[power."static"]\nvalue = 3\n'
        assert key_lines(text) == {("note",): 1, ("power", "static"): 5, ("power", "static", "value"): 6}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a profile pack the way pip does: a package folder and a dist-info with its entry point."""

    def install_pack(distribution, package, files):
        site = tmp_path / distribution
        folder = site / package
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("raise RuntimeError('a pack must not be imported')\n")
        for name, text in files.items():
            (folder / f"{name}.toml").write_text(text.replace('"bench"', f'"{name}"', 1))
        info = site / f"{distribution}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[physnn.hardware_profiles]\n{distribution} = {package}\n")
        monkeypatch.syspath_prepend(str(site))
        return folder

    return install_pack


class TestPacks:
    def test_are_found_by_name_without_import(self, install):
        install("pack_one", "pack_one_profiles", {"bench-a": HEAD + SYNOP, "bench-b": HEAD})
        assert {"bench-a", "bench-b"} <= set(profile_names())
        assert find_profile("bench-a").energy.synop.value == pytest.approx(2e-11)
        assert {"bench-a", "bench-b"} <= {profile.name for profile in iter_profiles()}
        assert "pack_one_profiles" not in sys.modules

    def test_unknown_name_offers_the_nearest(self, install):
        install("pack_two", "pack_two_profiles", {"bench-a": HEAD})
        with pytest.raises(UnknownNameError, match="unknown profile 'bench-aa'; did you mean 'bench-a'"):
            find_profile("bench-aa")

    def test_a_path_is_a_file(self, write):
        path = write(HEAD + SYNOP)
        assert find_profile(str(path)) == load_profile(path)

    def test_two_packs_with_one_name_are_refused_for_that_name_only(self, install):
        install("pack_three", "pack_three_profiles", {"bench-a": HEAD, "bench-c": HEAD})
        install("pack_four", "pack_four_profiles", {"bench-a": HEAD})
        with pytest.raises(ProfileError, match="more than one pack"):
            find_profile("bench-a")
        assert find_profile("bench-c").name == "bench-c"

    def test_entry_point_to_nothing_is_told(self, install):
        folder = install("pack_five", "pack_five_profiles", {"bench-a": HEAD})
        folder.rename(folder.with_name("moved"))
        with pytest.raises(ProfileError, match="'pack_five' names the package 'pack_five_profiles'"):
            profile_names()


class TestSheet:
    @pytest.mark.parametrize(
        ("numbers", "unit", "text"),
        [
            ({"value": 23.6e-12, "high": 35.5e-12}, "J", "23.6 pJ (23.6 to 35.5)"),
            ({"value": 131072.0}, "1", "131072"),
            ({"value": 4.8e12}, "byte/s", "4.8 Tbyte/s"),
            ({"value": 0.0, "high": 2e-3}, "W", "0 mW (0 to 2)"),
            ({"value": 1e-9}, "s", "1 ns"),
            ({"value": 0.2, "low": 0.1}, "dB", "0.2 dB (0.1 to 0.2)"),
            ({"value": 0.0}, "W", "0 W"),
        ],
    )
    def test_values_are_readable(self, numbers, unit, text):
        assert Quantity.model_validate(quantity(unit=unit, **numbers)).text() == text

    def test_rows_hold_numbers_settings_and_inclusions(self, write):
        settings = '[included]\n"energy.spike" = "inside synop"\n[precision]\nweight_bits = 8\nsource = "Bench"\n'
        text = HEAD + settings + SYNOP
        rows = {row.name: row for row in describe(load_profile(write(text)))}
        assert rows["energy.synop"].value == "20 pJ"
        assert rows["energy.synop"].verified is True
        assert rows["energy.synop"].source == "Bench 2020, Table 1"
        assert (rows["precision.weight_bits"].value, rows["precision.weight_bits"].verified) == ("8", None)
        assert rows["energy.spike"].source == "inside synop"


class TestLight:
    def test_power_by_hand(self):
        # 8 sources, 16 x 0.2 dB = 3.2 dB: 8 x 10 uW x 10^0.32 / 0.2
        low, typical, high = laser_power(mesh(), 8, 16)
        assert typical == pytest.approx(8 * 1e-5 * 10**0.32 / 0.2, rel=1e-12)
        assert low == pytest.approx(8 * 5e-6 * 10**0.16 / 0.25, rel=1e-12)
        assert high == pytest.approx(8 * 2e-5 * 10**0.8 / 0.1, rel=1e-12)

    def test_modulator_adds_its_loss(self):
        profile = mesh(modulator_loss=quantity(2.0, "dB", low=1.0, high=3.0))
        assert insertion_loss(profile, 10) == pytest.approx((2.0, 4.0, 8.0))

    def test_high_end_is_clipped_at_what_is_built(self):
        low, typical, high = laser_power(mesh(), 64, 128)
        assert typical == pytest.approx(64 * 1e-5 * 10**2.56 / 0.2, rel=1e-12)
        assert low < typical < high
        assert high == pytest.approx(5.0, rel=1e-12)  # unclipped: 64 x 20 uW x 10^6.4 / 0.1 = 32 kW

    def test_a_mesh_of_64_at_1_dB_is_refused_with_its_128_dB(self):
        with pytest.raises(CapabilityError, match=r"128 interferometers in series lose 128 dB"):
            laser_power(mesh(mzi_loss=quantity(1.0, "dB")), 64, 2 * 64)

    def test_a_loss_beyond_the_range_of_floats_is_refused_too(self):
        with pytest.raises(CapabilityError, match="dB"):
            laser_power(mesh(mzi_loss=quantity(1.0, "dB")), 4096, 8192)
