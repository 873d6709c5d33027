"""Adding up the terms of a sum for events.

Customers share a few thousand combinations of categories, so what follows from one is worked out
when it is first met, and looked up from then on: one look-up for all categories of an event. Where
there are too many combinations, as with sixty categories, the fields are looked up in smaller
groups. Numbers are computed with as whole columns.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnstream.codecs.scan.scanned_events import ScannedColumns
from churnstream.model.feature_table import Array
from churnstream.model.features import number_columns
from churnstream.model.term_scorer import Cells, TermScorer
from churnstream.model.terms import Table, Terms
from churnstream.schema.fields import Boolean, Category, known_values
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema
from churnstream.schema.values import plain

_MAX_COMBINATIONS = 1 << 16


class _TooManyError(Exception):
    """A group of fields has more combinations than are kept."""

    def __init__(self, group: "_Group") -> None:
        self.group = group


class TermEventScorer:
    """Probabilities of churn by a sum of terms, see `churnstream.model.event_scorer`.

    Args:
        terms: Sound ones, with a term for each field of the schema.
    """

    def __init__(self, schema: Schema, terms: Terms) -> None:
        self.schema, self.terms, self.base = schema, TermScorer(terms), terms.base
        tables = [name for name, field in terms.fields.items() if isinstance(field, Table)]
        self._numeric = [name for name in terms.fields if name not in tables]
        closed = [name for name in tables if _is_closed(schema, name)]
        self._open = [_OpenField(schema, terms, name) for name in tables if name not in closed]
        self._closed = [_Group(schema, terms, closed)] if closed else []

    def log_odds(self, events: Sequence[Event]) -> Array:
        """Log-odds of churn, (n,)."""
        rows = self._rows(events)
        log_odds = np.full(len(events), self.base)
        for group, own in rows:
            log_odds += group.sums.take(own)
        columns = self._columns(events)
        cells = {name: self.terms.cell(name, columns[name]) for name in self.terms.stepped(columns)}
        log_odds += self.terms.curved(columns)
        for name in cells:
            log_odds += self.terms.step(name, cells)
        across = self._pairs_across()
        cells |= self._cells(rows, {name for pair in across for name in pair[:2]})
        for pair in across:
            log_odds += self.terms.pair(pair, cells)
        return log_odds

    def log_odds_of(self, columns: ScannedColumns) -> Array:
        """The same of columns, (n,), added up in the same order."""
        cells = self._cells_of(columns)
        log_odds = np.full(len(columns.places), self.base)
        for group in self._groups:
            log_odds += group.sums_of(cells)
        log_odds += self.terms.curved(columns.numbers)
        for name in self.terms.stepped(self._numeric):
            log_odds += self.terms.step(name, cells)
        for pair in self._pairs_across():
            log_odds += self.terms.pair(pair, cells)
        return log_odds

    def effects(self, events: Sequence[Event]) -> dict[str, Array]:
        """What each field adds to the log-odds, (n,) each; with the base they are the sum."""
        columns = self._columns(events)
        cells = {name: self.terms.cell(name, columns[name]) for name in self.terms.stepped(columns)}
        cells |= self._cells(self._rows(events), None)
        return self.terms.shares(cells, columns)

    def effects_of(self, columns: ScannedColumns) -> dict[str, Array]:
        """The same of columns, (n,) each."""
        return self.terms.shares(self._cells_of(columns), columns.numbers)

    @property
    def _groups(self) -> "list[_Group | _OpenField]":
        return [*self._closed, *self._open]

    def _cells_of(self, columns: ScannedColumns) -> dict[str, Cells]:
        """The cell of each value, (n,), of each field that has cells."""
        cells = {
            name: cell_of.take(columns.words[name])
            for group in self._groups
            for name, cell_of in zip(group.names, group.cells_of_words, strict=True)
        }
        stepped = self.terms.stepped(self._numeric)
        return cells | {name: self.terms.cell(name, columns.numbers[name]) for name in stepped}

    def _columns(self, events: Sequence[Event]) -> dict[str, Array]:
        return number_columns(self.schema, events, self._numeric)

    def _rows(self, events: Sequence[Event]) -> "_Rows":
        """Of each group the row of each event's combination, (n,)."""
        while True:
            try:
                return [(group, group(events)) for group in self._groups]
            except _TooManyError as error:
                place = self._closed.index(error.group)
                self._closed[place : place + 1] = error.group.halves()

    def _cells(self, rows: "_Rows", names: set[str] | None) -> dict[str, Cells]:
        """The cells of categories, of all of them or of some."""
        return {
            name: group.cells[:, i].take(own)
            for group, own in rows
            for i, name in enumerate(group.names)
            if names is None or name in names
        }

    def _pairs_across(self) -> list[Any]:
        """Pairs whose two fields are not looked up together."""
        together = [set(group.names) for group in self._closed]
        return [
            pair
            for pair in self.terms.pairs
            if not any({pair[0], pair[1]} <= names for names in together)
        ]


class _Group:
    """Categorical fields that are looked up together.

    Attributes:
        names: The fields.
        sums: By combination, what it adds to the log-odds, pairs within it included.
        cells: By combination, the cell of each field, (combinations, fields).
    """

    def __init__(self, schema: Schema, terms: Terms, names: Sequence[str]) -> None:
        self.names = list(names)
        self._schema, self._terms = schema, terms
        self._values = _getter([schema.attributes[name] for name in names])
        self._cells_of = [_cell_of(schema, terms, name) for name in names]
        self.cells_of_words = [_cells_of_words(schema, terms, name) for name in names]
        within = [pair for pair in terms.pairs if set(pair.fields) <= set(names)]
        own = {name: terms.fields[name] for name in names}
        self._scorer = TermScorer(Terms(0.0, own, tuple(within)))
        self._clear()

    def _clear(self) -> None:
        self._known: dict[tuple[Any, ...], int] = {}
        self.sums: Array = np.zeros(0)
        self.cells: NDArray[np.intp] = np.zeros((0, len(self.names)), np.intp)

    def __call__(self, events: Sequence[Event]) -> Cells:
        """The row of each event's combination, (n,).

        Raises:
            _TooManyError: There are more than are kept, and it has several fields.
        """
        try:
            return self._look_up(events)
        except KeyError:
            self._learn(set(map(self._values, events)))
            return self._look_up(events)

    def sums_of(self, cells: dict[str, Cells]) -> Array:
        """What the fields' cells add to the log-odds, (n,)."""
        return self._scorer.score_cells(cells)

    def _look_up(self, events: Sequence[Event]) -> Cells:
        found = map(self._known.__getitem__, map(self._values, events))
        return np.fromiter(found, np.intp, len(events))

    def _learn(self, wanted: set[tuple[Any, ...]]) -> None:
        new = wanted - self._known.keys()
        if len(self._known) + len(new) > _MAX_COMBINATIONS:
            if len(self.names) > 1:
                raise _TooManyError(self)
            self._clear()
            new = wanted
        self._add(list(new))

    def _add(self, combinations: list[tuple[Any, ...]]) -> None:
        columns = zip(*combinations, strict=True)
        pairs = zip(self._cells_of, columns, strict=True)
        cells = np.array([list(map(cell_of, values)) for cell_of, values in pairs], np.intp).T
        named = dict(zip(self.names, cells.T, strict=True))
        sums = np.broadcast_to(self._scorer.score_cells(named), len(combinations))
        begin = len(self._known)
        self._known |= {c: begin + i for i, c in enumerate(combinations)}
        self.sums = np.concatenate([self.sums, sums])
        self.cells = np.concatenate([self.cells, cells])

    def halves(self) -> "list[_Group]":
        """Two groups of its fields, which have far fewer combinations."""
        middle = len(self.names) // 2
        parts = (self.names[:middle], self.names[middle:])
        return [_Group(self._schema, self._terms, part) for part in parts]


class _OpenField:
    """A categorical field that may hold any text: of those, none is kept.

    Attributes: as those of `_Group`; its combinations are its cells.
    """

    def __init__(self, schema: Schema, terms: Terms, name: str) -> None:
        self.names = [name]
        self._value, self._cell_of = schema.getter(name), _cell_of(schema, terms, name)
        self.cells_of_words = [_cells_of_words(schema, terms, name)]
        table = terms.fields[name]
        assert isinstance(table, Table)  # noqa: S101  # for the type checker
        self.sums: Array = np.array([*table.terms.values(), table.other, table.missing])
        self.cells: NDArray[np.intp] = np.arange(table.cells)[:, None]

    def __call__(self, events: Sequence[Event]) -> Cells:
        """The cell of each event, (n,)."""
        return np.fromiter(map(self._cell_of, map(self._value, events)), np.intp, len(events))

    def sums_of(self, cells: dict[str, Cells]) -> Array:
        """What the field's cells add to the log-odds, (n,)."""
        found: Array = self.sums.take(cells[self.names[0]])
        return found


_Rows = list[tuple[_Group | _OpenField, Cells]]


def _is_closed(schema: Schema, name: str) -> bool:
    """Whether an event can only hold a few values in a field."""
    field = schema.fields[name]
    listed = isinstance(field, Category) and field.values and field.unknown == "reject"
    return bool(listed) or isinstance(field, Boolean)


def _cell_of(schema: Schema, terms: Terms, name: str) -> Callable[[Any], int]:
    """Takes what an event holds in a field; its cell."""
    table = terms.fields[name]
    assert isinstance(table, Table)  # noqa: S101  # for the type checker
    by_text = {text: number for number, text in enumerate(table.terms)}
    other = len(by_text)
    known: dict[Any, int] = {
        v: by_text.get(plain(v) or "", other) for v in known_values(schema.fields[name])
    }
    known |= {None: other + 1}
    return lambda value: known.get(value, by_text.get(value, other))


def _cells_of_words(schema: Schema, terms: Terms, name: str) -> Cells:
    """The cell of each value that the schema lists, and of none behind them."""
    cell_of = _cell_of(schema, terms, name)
    return np.array(list(map(cell_of, known_values(schema.fields[name]))), np.intp)


def _getter(attributes: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Takes an event; the values of its attributes, as a tuple however many there are."""
    if len(attributes) > 1:
        return attrgetter(*attributes)
    get = attrgetter(attributes[0])
    return lambda event: (get(event),)
