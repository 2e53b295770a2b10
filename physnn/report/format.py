"""Numbers as people read them: SI prefixes, three significant digits, errors beside values."""

from __future__ import annotations

import math

from physnn.report.cells import Range

PREFIXES = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
MISSING = "–"
NO_DEVICE = "not a device"


def significant(value: float, digits: int = 3) -> str:
    """Decimal notation (never an exponent) with so many significant digits.

    >>> significant(1234.5), significant(0.0123456), significant(0.9996)
    ('1230', '0.0123', '1.00')
    """
    if value == 0:
        return "0"
    exponent = _exponent(value, digits)
    rounded = round(value, digits - 1 - exponent)
    return f"{rounded:.{max(0, digits - 1 - exponent)}f}"


def quantity(value: float | None, unit: str) -> str:
    """A value with its unit and SI prefix.

    >>> quantity(1.2345e-9, "J"), quantity(0.9999e-6, "s"), quantity(None, "J")
    ('1.23 nJ', '1.00 µs', '–')
    """
    if value is None:
        return MISSING
    prefix, scale = _prefix(value)
    return f"{significant(value / scale)} {prefix}{unit}"


def decade(value: float, unit: str) -> str:
    """A power of ten with its unit, as a tick of a logarithmic axis.

    >>> decade(1e-8, "J"), decade(1e-3, "J")
    ('10 nJ', '1 mJ')
    """
    prefix, scale = _prefix(value)
    return f"{value / scale:.0f} {prefix}{unit}"


def bounds(given: Range, unit: str) -> str:
    """Low and high of a range, each to two digits, in one unit if they are less than three decades apart.

    >>> bounds(Range(0.4e-9, 1.2e-9, 3.9e-9), "J"), bounds(Range(1e-12, 1e-9, 1e-6), "J")
    ('0.40–3.9 nJ', '1.0 pJ–1.0 µJ')
    """
    prefix, scale = _prefix(given.typical)
    if given.low > 0 and given.high / given.low >= 1000:
        (low_prefix, low_scale), (high_prefix, high_scale) = _prefix(given.low), _prefix(given.high)
        return (
            f"{significant(given.low / low_scale, 2)} {low_prefix}{unit}"
            f"–{significant(given.high / high_scale, 2)} {high_prefix}{unit}"
        )
    return f"{significant(given.low / scale, 2)}–{significant(given.high / scale, 2)} {prefix}{unit}"


def compact(given: Range, unit: str) -> str:
    """Typical value with low and high beside it, the unit once where one serves all three.

    >>> compact(Range(0.4e-9, 1.2e-9, 3.9e-9), "J"), compact(Range(2e-9, 2e-9, 2e-9), "J")
    ('1.20 nJ (0.40–3.9)', '2.00 nJ')
    """
    typical = quantity(given.typical, unit)
    if given.low == given.high:
        return typical
    return f"{typical} ({bounds(given, unit).removesuffix(typical[typical.index(' ') :])})"


def cost(given: Range | None, unit: str, *, known: bool = True) -> tuple[str, str]:
    """Typical value, and its range below it; what has no cost is no device, unless nothing is known."""
    if given is None:
        return (NO_DEVICE if known else MISSING), ""
    return quantity(given.typical, unit), "" if given.low == given.high else bounds(given, unit)


def score(value: float | None) -> str:
    """An accuracy, or a dash."""
    return MISSING if value is None else f"{value:.3f}"


def with_error(value: float | None, error: float | None) -> str:
    """An accuracy or a difference with its standard error, to a tenth of a point.

    >>> with_error(0.97512, 0.0081), with_error(0.97512, None), with_error(None, None)
    ('0.975 ± 0.008', '0.975', '–')
    """
    if value is None:
        return MISSING
    return f"{value:.3f}" if error is None else f"{value:.3f} ± {error:.3f}"


def change(start: float | None, end: float | None) -> str:
    """A cosine at the start and at the end of training.

    >>> change(0.021, 0.4567), change(None, None)
    ('0.02 → 0.46', '–')
    """
    if start is None and end is None:
        return MISSING
    return f"{MISSING if start is None else f'{start:.2f}'} → {MISSING if end is None else f'{end:.2f}'}"


def listing(names: list[str], most: int = 8) -> str:
    """Names joined for a sentence; beyond `most`, the number of the others.

    >>> listing(["a"]), listing(["a", "b", "c"]), listing(["a", "b", "c", "d"], most=2)
    ('a', 'a, b and c', 'a, b and 2 others')
    """
    shown = names if len(names) <= most else [*names[:most], f"{len(names) - most} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else "none"


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    >>> plural(1, "seed"), plural(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _exponent(value: float, digits: int) -> int:
    """Decimal exponent of a value after it is rounded to so many digits."""
    return int(f"{abs(value):.{digits - 1}e}".partition("e")[2])


def _prefix(value: float) -> tuple[str, float]:
    """SI prefix and its factor for a value, held within atto and tera."""
    if value == 0:
        return "", 1.0
    power = min(12, max(-18, 3 * math.floor(_exponent(value, 3) / 3)))
    return PREFIXES[power], 10.0**power
