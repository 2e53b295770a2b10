"""The `physnn` command."""

from physnn.cli.main import main

__all__ = ["main"]
