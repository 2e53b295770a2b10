"""`physnn rules`: the learning rules, and what each needs, measures and moves."""

from __future__ import annotations

import argparse
import inspect
from typing import Any

from rich.console import Console
from rich.table import Table

_WORDS = {
    "equation": "equation",
    "companion": "companion",
    "needs": "needs",
    "local": "local",
    "not_local": "not local",
    "source": "source",
}


def add_commands(commands: Any) -> None:
    """Register the command and its two verbs."""
    rules = commands.add_parser("rules", help="learning rules: equation, companion, what is local and what is not")
    verbs = rules.add_subparsers(dest="what", metavar="list|show")
    verbs.add_parser("list", help="all rules").set_defaults(command=listed)
    show = verbs.add_parser("show", help="everything that a rule says of itself")
    show.add_argument("rule", metavar="NAME")
    show.set_defaults(command=shown)
    rules.set_defaults(command=listed)


def listed(given: argparse.Namespace, console: Console) -> int:
    """The table of all rules."""
    from physnn.learning import RULES

    table = Table("rule", "companion", "not local", box=None)
    for name, make in RULES.items():
        about = getattr(make(), "about", None)
        table.add_row(name, about.companion if about else "", about.not_local if about else "")
    console.print(table, markup=False)
    return 0


def shown(given: argparse.Namespace, console: Console) -> int:
    """Everything that a rule says of itself."""
    from physnn.learning import find_rule

    rule = find_rule(given.rule)
    about = getattr(rule, "about", None)
    console.print(given.rule, style="bold", highlight=False, markup=False)
    console.print(inspect.getdoc(type(rule)) or "", highlight=False, markup=False)
    table = Table("", "", box=None, show_header=False)
    for field, word in _WORDS.items() if about else ():
        table.add_row(word, getattr(about, field))
    console.print(table, markup=False)
    return 0
