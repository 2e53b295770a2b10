"""CPUs and GPUs: a roofline with launch overhead, and all-in power.

t_kernel = max((2 mac + elementwise) / (utilisation peak), memory_byte / memory) [s];
t_launch = kernel launch + host_byte / host_link [s];
E = P_busy t_kernel + (P_idle + a (P_busy - P_idle)) t_launch [J], a the activity while launching.

The powers are those of the whole socket or board, so no energy per byte or per operation is added to them. At batch
1 a small network is all launches: that is why its energy per MAC is thousands of times that of a large matrix
product (Blouw et al. 2019, NICE '19, arXiv 1812.01739). The maximum is taken over the totals, which is below the
sum of the maxima of single kernels.
"""

from __future__ import annotations

from physnn.energy.bill import Bill, Constants
from physnn.energy.interval import Interval


def bill(constants: Constants, counts: dict[str, float], batch: int | None) -> Bill:
    """The bill of a processor; ``batch`` samples at once, None for all of them."""
    arithmetic = 2.0 * counts.get("mac", 0.0) + counts.get("elementwise", 0.0)
    compute = _seconds(constants, arithmetic, "rate.peak", "rate.utilisation")
    memory = _seconds(constants, counts.get("memory_byte", 0.0), "rate.memory")
    link = _seconds(constants, counts.get("host_byte", 0.0), "rate.host_link")
    kernels = counts.get("kernel", 0.0)
    launch = constants.interval("time.launch") * kernels if kernels else Interval.exact(0.0)

    roofline = Interval.combine(max, compute, memory)
    bound = "compute" if compute.typical >= memory.typical else "memory"
    breakdown = {}
    if roofline.high:
        breakdown[bound] = constants.interval("power.busy") * roofline
    if launch.high:
        breakdown["launch"] = _launch_power(constants) * launch
    if link.high:
        breakdown["host_link"] = _launch_power(constants) * link

    duration = roofline + launch + link
    samples = counts.get("sample", 0.0)
    batches = samples / batch if batch and samples else 1.0
    return constants.bill(breakdown, duration, duration * (1.0 / max(batches, 1.0)))


def _seconds(constants: Constants, amount: float, *rates: str) -> Interval:
    """``amount`` divided by the product of rates; no rate is needed for nothing."""
    seconds = Interval.exact(amount)
    if amount:
        for rate in rates:
            seconds = seconds * constants.interval(rate).inverse()
    return seconds


def _launch_power(constants: Constants) -> Interval:
    """Power while launching [W]; the schema keeps busy >= idle, so it grows with each of the three."""
    return Interval.combine(
        lambda idle, busy, activity: idle + activity * (busy - idle),
        constants.interval("power.idle"),
        constants.interval("power.busy"),
        constants.interval("rate.launch_activity"),
    )
