"""A wheel built from an sdist, installed away from the repository, finds its backends, profiles, data and templates."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CODE = {".py", ".pyc"}
PACKAGES = [ROOT / package for package in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]

REPORT = """
import json, sys
from importlib import metadata, resources
from importlib.util import find_spec

import physnn
from physnn.datasets import load
from physnn.substrate.profiles import load_profile, iter_profiles, profile_names

groups = {
    group: {point.name: [point.value, find_spec(point.module).origin] for point in metadata.entry_points(group=group)}
    for group in ("physnn.backends", "physnn.hardware_profiles")
}
print(json.dumps({
    "physnn": physnn.__file__,
    "version": metadata.version("physnn"),
    "groups": groups,
    "digits": load("digits").inputs.shape,
    "profiles": sorted(profile_names()),
    "loaded": sorted(profile.name for profile in iter_profiles()),
}))
"""


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the installed wheel; without flags, `build` makes the sdist first and the wheel from it."""
    for tool in ("build", "hatchling"):
        pytest.importorskip(tool, reason=f"the dev extra ({tool}) is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", ROOT, cwd=folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    target = folder / "site"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", target)
    run(*pip, wheel, cwd=folder)
    return target


@pytest.fixture(scope="module")
def seen(installed):
    """What a process elsewhere sees of the installed copy."""
    elsewhere = installed.parent / "elsewhere"
    elsewhere.mkdir()
    return json.loads(run(sys.executable, "-c", REPORT, cwd=elsewhere, PYTHONPATH=str(installed)))


def test_the_installed_copy_is_the_one_that_runs(installed, seen):
    assert Path(seen["physnn"]).is_relative_to(installed)
    assert seen["version"] == PROJECT["project"]["version"]


@pytest.mark.parametrize("group", ["physnn.backends", "physnn.hardware_profiles"])
def test_entry_points_lead_into_the_installed_copy(installed, seen, group):
    found = seen["groups"][group]
    for name, value in PROJECT["project"]["entry-points"][group].items():
        assert found[name][0] == value
        assert Path(found[name][1]).is_relative_to(installed)


def test_profiles_are_found_and_load(seen):
    shipped = sorted(path.stem for path in (ROOT / "hardware_profiles" / "physnn_profiles").glob("*.toml"))
    assert shipped
    assert set(seen["profiles"]) >= set(shipped)
    assert seen["loaded"] == seen["profiles"]


def test_embedded_digits_are_found(seen):
    assert seen["digits"] == [1797, 64]


def test_every_file_of_the_packages_is_installed(installed):
    """Code, profiles, data and report templates: nothing of the source tree is left behind, and nothing else comes."""
    expected = {
        path.relative_to(package.parent)
        for package in PACKAGES
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    present = {
        path.relative_to(installed)
        for path in installed.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and not path.relative_to(installed).parts[0].endswith("-info")
    }
    assert sorted(expected - present) == []
    assert sorted(path for path in present - expected if path.parts[0] != "bin") == []
    kinds = {path.suffix for path in present} - CODE
    assert kinds >= {".toml", ".npz", ".j2"}


def test_the_command_runs_from_the_installed_copy(installed, seen):
    listed = run(
        installed / "bin" / "physnn", "profiles", "list", cwd=installed.parent, PYTHONPATH=str(installed), COLUMNS="200"
    )
    assert [name for name in seen["profiles"] if name not in listed] == []
