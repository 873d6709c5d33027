"""Workbooks of Excel (.xlsx), read by calamine: a sheet at a time, and that whole."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum

from churnstream.files.customer_file import Table
from churnstream.files.ending import is_totals, left_out, totals_word
from churnstream.files.faults import FileFault
from churnstream.files.form import FileForm
from churnstream.files.names import header
from churnstream.files.number_marks import marks_in_words, number_marks
from churnstream.files.packing import Source
from churnstream.files.workbook_size import check_size

_ROWS = 4_096  # at once
_SAMPLE = 1_000
_LARGER = 5  # times as many cells as in any other sheet: it is the one with the customers
_WHOLE = 2**53  # a double is exact below
_TITLES = 20  # rows above a header at most


class _Layout(NamedTuple):
    """Where the customers are in a sheet.

    Attributes:
        header: The row of the names, counted from 0 among the rows that calamine yields.
        names: Its cells, those on the right left out that no row fills.
        count: Rows behind it.
        offset: Rows above the first one that calamine yields.
        notes: On what is left out.
    """

    header: int
    names: list[str]
    count: int
    offset: int
    notes: list[str]


def open_workbook(source: Source, form: FileForm) -> Table:
    """Choose the sheet with the customers, and look through it.

    Raises:
        FileFault: It is no workbook, none or several of its sheets may be meant, or it is too large
            to be held in memory.
    """
    check_size(source.path)
    try:
        with CalamineWorkbook.from_path(source.path) as workbook:
            name, said = _chosen(workbook, form.sheet)
            layout = _layout(_sheet_rows(workbook.get_sheet_by_name(name)))
    except CalamineError as error:
        raise FileFault(f"is no Excel workbook or a damaged one: {error}; save it again") from error
    if layout is None:
        raise FileFault(f"its sheet {name!r} has no row of names with rows below it")
    columns, notes = header(layout.names)
    ...
