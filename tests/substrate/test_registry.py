"""Backends by name: what is found, what is refused, and in which words."""

import sys
import types
from importlib.metadata import EntryPoint

import pytest

from physnn.errors import CapabilityError, UnknownNameError
from physnn.media import Network, Source, Waveguide
from physnn.substrate import registry
from physnn.substrate.contract import REFUSED, SUPPORTED, Backend, Finding


class Willing:
    """A backend that hands back what it was asked to build."""

    name = "willing"

    def check(self, system, profile):
        return [Finding("all", SUPPORTED)]

    def build(self, placed):
        return placed


class Unwilling(Willing):
    def check(self, system, profile):
        return [Finding("population out", REFUSED, "too warm; use a fan")]


@pytest.fixture
def install(monkeypatch):
    """Puts a module with the given contents behind entry points of the backend group."""

    def put(contents, *points):
        module = types.ModuleType("installed_backend")
        module.__dict__.update(contents)
        monkeypatch.setitem(sys.modules, "installed_backend", module)
        entries = [EntryPoint(name, value, registry.ENTRY_POINT_GROUP) for name, value in points]
        monkeypatch.setattr(registry, "entry_points", lambda group: entries)

    return put


@pytest.fixture
def network():
    return Network.layered([Source("in", 2), Waveguide("out", 2)])


def test_unknown_name_offers_the_nearest(install):
    install({}, ("torch", "a:A"), ("waveguide", "b:B"))
    assert registry.backend_names() == ["torch", "waveguide"]
    with pytest.raises(UnknownNameError, match=r"did you mean 'waveguide'.*physnn backends"):
        registry.find_backend("wave-guide")


def test_a_backend_is_made_by_its_entry_point(install):
    install({"Willing": Willing}, ("willing", "installed_backend:Willing"))
    assert isinstance(registry.find_backend("willing"), Willing)
    assert isinstance(registry.find_backend("willing"), Backend)


def test_a_missing_library_names_the_pip_command(install):
    install({}, ("quantum", "module_that_is_not_there:Backend"))
    with pytest.raises(CapabilityError, match=r"needs module_that_is_not_there.*pip install 'physnn\[quantum\]'"):
        registry.find_backend("quantum")


@pytest.mark.parametrize("contents", [{}, {"Backend": object}, {"Backend": 3}], ids=["nothing", "object", "number"])
def test_an_entry_point_that_is_no_backend(install, contents):
    install(contents, ("broken", "installed_backend:Backend"))
    with pytest.raises(CapabilityError, match=r"installed_backend:Backend.*no backend"):
        registry.find_backend("broken")


def test_two_packages_with_one_name(install):
    install({}, ("torch", "a:A"), ("torch", "b:B"))
    with pytest.raises(CapabilityError, match=r"two installed packages offer a backend 'torch'"):
        registry.find_backend("torch")


def test_a_profile_runs_on_its_own_backends_only(install, make_profile, network):
    install({"Willing": Willing}, ("willing", "installed_backend:Willing"), ("waveguide", "installed_backend:Willing"))
    with pytest.raises(CapabilityError, match=r"'bench' does not run on backend 'willing'; it runs on waveguide"):
        registry.build(network, make_profile(), backend="willing")
    with pytest.raises(UnknownNameError, match="did you mean 'willing'"):
        registry.build(network, make_profile(), backend="wiling")


def test_a_refusal_is_told_before_anything_is_built(install, make_profile, network):
    install({"Unwilling": Unwilling}, ("waveguide", "installed_backend:Unwilling"))
    with pytest.raises(CapabilityError, match="'waveguide' refuses population out: too warm; use a fan"):
        registry.build(network, make_profile())


def test_build_lowers_and_places_with_the_seed(install, make_profile, network):
    install({"Willing": Willing}, ("waveguide", "installed_backend:Willing"))
    placed = registry.build(network, make_profile(), seed=7, step=0.25)
    assert (placed.seed, placed.step) == (7, 0.25)
    wanted = network.lower(7).parameters["in->out"]
    assert (placed.system.parameters["in->out"] == wanted).all()


def test_unknown_profile(network):
    with pytest.raises(UnknownNameError, match="did you mean 'ideal-torch'"):
        registry.build(network, "ideal-troch")
