"""The hardware profiles that come with physnn: one TOML file per device, every number with unit, range and source.

Nothing here is imported; :mod:`physnn.substrate.profiles` reads the files of this folder by way of the entry point
``physnn.hardware_profiles``.
"""
