"""Workbooks of Excel (.xlsx), read by calamine: a sheet at a time, and that whole."""

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import NamedTuple

import pyarrow as pa
from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from churnstream.files.column_names import header
from churnstream.files.compression import ByteSource
from churnstream.files.customer_file import FileTable
from churnstream.files.file_errors import FileError
from churnstream.files.file_form import FileForm
from churnstream.files.number_marks import marks_in_words, number_marks
from churnstream.files.trailing_rows import is_totals, left_out, totals_word
from churnstream.files.workbook_size import check_size

_ROWS = 4_096  # at once
_SAMPLE = 1_000
_LARGER = 5  # times as many cells as in any other sheet: it is the one with the customers
_WHOLE = 2**53  # a double is exact below
_TITLES = 20  # rows above a header at most


class _Layout(NamedTuple):
    """Where the customers are in a sheet.

    Attributes:
        header: The row of the names, counted from 0.
        names: Its cells.
        columns_used: Which cells of a row are columns: those with a name or anything below it.
        length: Rows of customers.
        notes: On what is left out.
    """

    header: int
    names: list[str]
    columns_used: list[int]
    length: int
    notes: list[str]


def open_workbook(source: ByteSource, form: FileForm) -> FileTable:
    """Choose the sheet with the customers, and look through it.

    Raises:
        FileError: It is no workbook, none or several of its sheets may be meant, or it is too large
            to be held in memory.
    """
    check_size(source.path)
    with _opened(source) as workbook:
        name, layout, said = _chosen(workbook, form.sheet)
    columns, notes = header(layout.names)
    rows = partial(_rows, source, name, layout, columns)
    sample = next(rows(columns), None)
    texts = {name: sample[name][:_SAMPLE].to_pylist() for name in columns} if sample else {}
    form, doubts = number_marks(texts, replace(form, format="xlsx", sheet=name))
    marks = marks_in_words(form)
    return FileTable(
        columns,
        form,
        [*said, *([", ".join(marks)] if marks else []), *notes, *doubts, *layout.notes],
        rows,
        lambda index: f"row {layout.header + index + 2} of sheet {name}",
    )


@contextmanager
def _opened(source: ByteSource) -> Iterator[CalamineWorkbook]:
    try:
        with CalamineWorkbook.from_path(source.path) as workbook:
            yield workbook
    except CalamineError as error:
        raise FileError(f"is no Excel workbook or a damaged one: {error}; save it again") from error


def _chosen(workbook: CalamineWorkbook, declared: str | None) -> tuple[str, _Layout, list[str]]:
    """The sheet with the customers, its layout, and how it was chosen, in words."""
    all_names = ", ".join(map(repr, workbook.sheet_names))
    names = [
        sheet.name
        for sheet in workbook.sheets_metadata
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
    ]
    if declared is not None:
        if declared not in workbook.sheet_names:
            raise FileError(f"has no sheet {declared!r}; it has {all_names}")
        names = [declared]
    found = {name: _layout(workbook.get_sheet_by_name(name)) for name in names}
    tables = {name: layout for name, layout in found.items() if layout}
    if not tables:
        where = f"its sheet {declared!r}" if declared is not None else "none of its sheets"
        raise FileError(f"{where} has a row of names for columns; it has the sheets {all_names}")
    sizes = {name: (its.length + 1) * len(its.names) for name, its in tables.items()}
    largest, *others = sorted(sizes, key=lambda name: -sizes[name])
    if others and sizes[largest] < _LARGER * sizes[others[0]]:
        each = " and ".join(map(repr, tables))
        raise FileError(f"may hold its customers in {each}; declare the sheet")
    count = len(workbook.sheet_names)
    said = [f"sheet {largest!r} of {count}"] if count > 1 and declared is None else []
    return largest, tables[largest], said


def _layout(sheet: CalamineSheet) -> _Layout | None:
    """Look through a sheet; None if nothing in it looks like a table.

    The header is the first row that fills more than half of the widest row near it.
    """
    first = list(islice(sheet.iter_rows(), _TITLES))
    filled = [sum(cell != "" for cell in row) for row in first]
    widest = max(filled, default=0)
    at = next((n for n, count in enumerate(filled) if 2 * count > widest), None)
    if at is None:
        return None
    names = [_text(cell) or "" for cell in first[at]]
    used = {column_number for column_number, name in enumerate(names) if name}
    ends, totals, last = [at], "", []
    total = at
    for total, row in enumerate(sheet.iter_rows()):  # how many there are
        if total > at and (here := {n for n, cell in enumerate(row) if not _is_blank(cell)}):
            used |= here
            ends, last = [ends[-1], total], row
    if ends[-1] > at + 1 and is_totals(cells := [_text(cell) or "" for cell in last]):
        totals = totals_word(cells)
    end = ends[-2] if totals else ends[-1]
    above = [count for count in filled[:at] if count]
    notes = left_out(total - end - bool(totals), totals)
    if above:
        notes.append(f"the header is row {at + 1}; what stands above it is left out")
    columns_used = sorted(used)
    return _Layout(
        at, [names[column_number] for column_number in columns_used], columns_used, end - at, notes
    )


def _rows(
    source: ByteSource, name: str, layout: _Layout, names: Sequence[str], columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """The rows of some columns."""
    columns_used = [layout.columns_used[names.index(column)] for column in columns]
    begin = layout.header + 1
    with _opened(source) as workbook:
        rows = islice(workbook.get_sheet_by_name(name).iter_rows(), begin, begin + layout.length)
        while batch := list(islice(rows, _ROWS)):
            texts = [pa.array([_text(row[n]) for row in batch], pa.string()) for n in columns_used]
            yield pa.RecordBatch.from_arrays(texts, names=list(columns))


def _is_blank(cell: object) -> bool:
    return isinstance(cell, str) and not cell.strip()


def _text(cell: object) -> str | None:
    """A cell as people would write it; None for an empty one."""
    if isinstance(cell, str):
        return cell or None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < _WHOLE else repr(cell)
    if isinstance(cell, dt.datetime | dt.date | dt.time):
        return cell.isoformat()
    if isinstance(cell, dt.timedelta):
        minutes, seconds = divmod(int(cell.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return str(cell)
