"""Reports of a comparison: a table on the terminal, CSV, figures, and one self-contained HTML page.

Everything here reads a results object, `{"schema": "physnn.results/1", "experiment": {...}, "cells": [...]}`, and
nothing else; the page of waves (`wave_page`) shows what `physnn.experiments.waves` has watched. Figures and the pages
need `pip install 'physnn[report]'`; rows, table and CSV do not.
"""

from physnn.report.cells import SCHEMA, Range
from physnn.report.figures import write_figures
from physnn.report.html import write_html
from physnn.report.records import records, write_csv
from physnn.report.rows import Row, summarise
from physnn.report.table import terminal_table

__all__ = [
    "SCHEMA",
    "Range",
    "Row",
    "records",
    "summarise",
    "terminal_table",
    "write_csv",
    "write_figures",
    "write_html",
]
