"""Backends by name, and the one way from a network to something that runs."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

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
        The library that it drives is not installed; the message names the pip command.
    """
    installed = _installed()
    if name not in installed:
        raise UnknownNameError("backend", name, installed, "`physnn backends` lists what is installed")
    try:
        return installed[name].load()()
    except ImportError as error:
        raise CapabilityError(
            f"backend {name!r} needs {error.name or error}, which is not installed; run: pip install 'physnn[{name}]'"
        ) from None


def build(
    network: Network | System, profile: str | Profile, *, backend: str | None = None, seed: int = 0,
    step: float | None = None, device: str = "cpu",
) -> Substrate:  # fmt: skip
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
    CapabilityError
        The profile cannot be run by that backend, or the backend refuses a part of the System.
    """
    target = find_profile(profile) if isinstance(profile, str) else profile
    chosen = backend or target.backends[0]
    if chosen not in target.backends:
        raise CapabilityError(
            f"profile {target.name!r} does not run on backend {chosen!r}; it runs on {', '.join(target.backends)}"
        )
    engine = find_backend(chosen)
    system = network.lower(seed) if isinstance(network, Network) else network
    refused = [f for f in engine.check(system, target) if f.status == REFUSED]
    if refused:
        raise CapabilityError(f"backend {chosen!r} refuses {refused[0].part}: {refused[0].detail}")
    return engine.build(place(system, target, seed=seed, step=step, device=device))


def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
