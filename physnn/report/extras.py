"""Modules of the `report` extra, imported when a figure or a page is made and not before."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from physnn.errors import CapabilityError


def need(module: str) -> ModuleType:
    """Import a module of the `report` extra.

    Raises
    ------
    CapabilityError
        The package that holds it is not installed; the message names the pip command.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise CapabilityError(
            f"the report needs {package}, which is not installed; run: pip install 'physnn[report]'"
        ) from None


def rendered(template: str, context: Mapping[str, Any]) -> str:
    """One of the page templates, filled in; everything that is not marked as safe is escaped."""
    jinja2 = need("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(context)
