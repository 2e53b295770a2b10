"""Arguments that several commands take."""

from __future__ import annotations

import argparse
import os


def positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def add_data(command: argparse.ArgumentParser) -> None:
    """Let a command be told where MNIST and Fashion-MNIST are."""
    command.add_argument("--data", metavar="DIR", help="folder with mnist/ and fashion-mnist/ (default: $PHYSNN_DATA)")


def use_data(given: argparse.Namespace) -> None:
    """Where the data are goes into the environment, for worker processes too."""
    if given.data:
        os.environ["PHYSNN_DATA"] = given.data
