"""Backends by name, and the one way from a network to something that runs."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from physnn.equations import System
from physnn.errors import CapabilityError, UnknownNameError
from physnn.media import Network
from physnn.substrate.contract import REFUSED, Backend, Substrate
from physnn.substrate.placement import place
from physnn.substrate.profiles import Profile, find_profile

ENTRY_POINT_GROUP = "physnn.backends"


def backend_names() -> list[str]:
    """Names of all installed backends, sorted."""
    return sorted(_installed())


def find_backend(name: str) -> Backend:
    """The backend of that name.

    Raises
    ------
    UnknownNameError
        No installed package offers it.
    CapabilityError
        The library that it drives is not installed (the message names the pip command), or two packages offer it.
    """
    installed = _installed()
    if name not in installed:
        raise UnknownNameError("backend", name, installed, "`physnn backends` lists what is installed")
    point = installed[name]
    package = point.dist.name if point.dist else "physnn"
    try:
        made = _named(point)
        backend = made() if callable(made) else made
    except ImportError as error:
        extra = f"'physnn[{name}]'" if package == "physnn" else error.name or package
        raise CapabilityError(
            f"backend {name!r} needs {error.name or error}, which is not installed; run: pip install {extra}"
        ) from None
    if not isinstance(backend, Backend):
        raise CapabilityError(
            f"{point.value} of package {package!r} is no backend: it lacks name, check or build; update the package"
        )
    return backend


def build(
    network: Network | System,
    profile: str | Profile,
    *,
    backend: str | None = None,
    seed: int = 0,
    step: float | None = None,
    device: str = "cpu",
) -> Substrate:
    """Lower a network, place it on a profile and build it on a backend.

    Parameters
    ----------
    network : Network or System
    profile : str or Profile
        Name of an installed profile, path of a TOML file, or a profile.
    backend : str, optional
        The profile's first backend where not given.
    seed : int
        Seed of weights, die and noise.
    step : float, optional
        Time step of runs [s, model time].
    device : str
        Where a simulator computes: "cpu" or "cuda".

    Raises
    ------
    UnknownNameError
        No such profile or backend is installed.
    CapabilityError
        The profile cannot be run by that backend, or the backend refuses a part of the System.
    """
    target = find_profile(profile) if isinstance(profile, str) else profile
    chosen = backend or backend_of(target)
    engine = find_backend(chosen)
    if chosen not in target.backends:
        raise CapabilityError(
            f"profile {target.name!r} does not run on backend {chosen!r}; it runs on {', '.join(target.backends)}"
        )
    system = network.lower(seed) if isinstance(network, Network) else network
    refused = [f for f in engine.check(system, target) if f.status == REFUSED]
    if refused:
        raise CapabilityError(f"backend {chosen!r} refuses {refused[0].part}: {refused[0].detail}")
    return engine.build(place(system, target, seed=seed, step=step, device=device))


def backend_of(profile: Profile) -> str:
    """The first of a profile's backends that is installed.

    Raises
    ------
    CapabilityError
        None of them is.
    """
    installed = _installed()
    for name in profile.backends:
        if name in installed:
            return name
    wanted = " or ".join(repr(name) for name in profile.backends)
    here = ", ".join(sorted(installed))
    raise CapabilityError(
        f"profile {profile.name!r} runs on backend {wanted}, which is not installed; installed: {here}"
    )


def backend_folders() -> tuple[Path, ...]:
    """Folders of the packages that hold the installed backends."""
    tops = {point.module.partition(".")[0] for point in _installed().values()}
    places = [spec.submodule_search_locations for top in sorted(tops) if (spec := find_spec(top)) is not None]
    return tuple(Path(folder) for found in places for folder in found or ())


def _installed() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name in found and found[point.name].value != point.value:
            raise CapabilityError(
                f"two installed packages offer a backend {point.name!r}: {found[point.name].value} and {point.value}; "
                "uninstall one of them"
            )
        found[point.name] = point
    return found


def _named(point: EntryPoint) -> object | None:
    """What an entry point names; None where its module has no such thing."""
    module = import_module(point.module)
    return getattr(module, point.attr, None)
