"""The conformance suite: whether a backend keeps the contract, in numbers. No pytest plugin; import it to use it."""

from physnn.testing.conformance.bench import FAIL, PASS, SKIP, Outcome
from physnn.testing.conformance.suite import conform

__all__ = ["FAIL", "PASS", "SKIP", "Outcome", "conform"]
