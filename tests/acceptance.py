"""What the built-in comparison must reach: `python tests/acceptance.py RESULTS.json`, after `physnn compare`.

Prints wanted and measured for every line, and exits with 1 if one is missed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

IDEAL = ("ideal-torch", "ideal-waveguide")
WANTED = {
    ("digits", "reflected-wave"): 0.95,
    ("digits", "feedback-alignment"): 0.92,
    ("digits-parity", "reflected-wave"): 0.97,
}
"""Mean test accuracy on an ideal substrate, at least."""


def lines(results: dict) -> Iterator[tuple[str, str, str, bool]]:
    """(what, wanted, measured, reached)."""
    cells = results["cells"]
    done = [cell for cell in cells if cell["status"] == "done"]
    unfailed = sum(cell["status"] != "failed" for cell in cells)
    yield "cells done or refused", str(len(cells)), str(unfailed), unfailed == len(cells) and bool(done)
    for (dataset, rule), bar in WANTED.items():
        for place in IDEAL:
            chosen = [c for c in done if (c["dataset"], c["rule"], c["run_on"]) == (dataset, rule, place)]
            found = mean(c["accuracy"]["test"] for c in chosen)
            yield f"{dataset}, {rule}, {place}", f">= {bar}", f"{found:.4f}", found >= bar
            margin = found - mean(c["controls"]["frozen_hidden"] for c in chosen)
            yield "    above the frozen hidden layers", "> 0", f"{margin:+.4f}", margin > 0
    for cell in done:
        if cell["run_on"] in IDEAL and cell["rule"] == "reflected-wave":
            worst = min(cell["gradient_cosine"]["per_layer_start"] + cell["gradient_cosine"]["per_layer_end"])
            if worst < 1 - 1e-9:
                yield f"cosine on {cell['run_on']}, {cell['dataset']}, seed {cell['seed']}", "1", f"{worst:.9f}", False
    priced = [c for c in done if c["run_on"] not in IDEAL]
    told = sum(c["energy"]["inference_J"] is not None and c["latency_s"] is not None for c in priced)
    yield "devices with energy and latency", str(len(priced)), str(told), told == len(priced)


def main(path: str) -> int:
    """Print the table; 0 if every line is reached."""
    found = list(lines(json.loads(Path(path).read_text(encoding="utf-8"))))
    for what, wanted, measured, reached in found:
        print(f"{what:50s} {wanted:10s} {measured:10s} {'' if reached else 'MISSED'}")
    return 0 if all(reached for *_, reached in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
