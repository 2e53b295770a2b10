"""Every medium by name, in a small network each.

What is registered here is listed by `physnn media`, and held against the oracle, batches and finite differences on
every backend by `physnn.testing.conformance` without another test.
"""

from physnn.media.catalogue import carriers, critical, encoders, fields, impedances, meshes, oscillators, spiking, waves
from physnn.media.catalogue.entry import Entry

FAMILIES: dict[str, dict[str, Entry]] = {
    "layers": {**waves.ENTRIES, **carriers.ENTRIES},
    "fields": fields.ENTRIES,
    "oscillators": {**oscillators.ENTRIES, **critical.ENTRIES},
    "spiking cells": spiking.ENTRIES,
    "impedances": impedances.ENTRIES,
    "meshes": meshes.ENTRIES,
    "encoders": encoders.ENTRIES,
}
"""Family -> its media by name."""

MEDIA: dict[str, Entry] = {name: entry for family in FAMILIES.values() for name, entry in family.items()}

__all__ = ["FAMILIES", "MEDIA", "Entry"]
