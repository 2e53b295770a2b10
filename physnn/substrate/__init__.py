"""Where networks run: the contract, backends by name, profiles, placement on a die, counts."""

from physnn.substrate.contract import Backend, CompanionSpec, Finding, Substrate
from physnn.substrate.placement import PlacedSystem, place
from physnn.substrate.profiles import Profile, find_profile, profile_names
from physnn.substrate.registry import backend_names, build, find_backend

__all__ = [
    "Backend",
    "CompanionSpec",
    "Finding",
    "PlacedSystem",
    "Profile",
    "Substrate",
    "backend_names",
    "build",
    "find_backend",
    "find_profile",
    "place",
    "profile_names",
]
