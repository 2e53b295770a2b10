"""How a cell or a training ends: done, refused for a physical reason, or failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from physnn.errors import CapabilityError, PhysnnError


def outcome(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What is measured, with the `status` done; or the status refused or failed, with the `reason`.

    What a backend or profile cannot run is refused; what diverges or breaks has failed. Neither stops the others.
    """
    try:
        return {"status": "done", **measure()}
    except CapabilityError as error:
        return {"status": "refused", "reason": str(error)}
    except PhysnnError as error:
        return {"status": "failed", "reason": str(error)}
    except Exception as error:  # a fault of a backend must not take the others with it
        return {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
