"""Scans the usual events of a batch, where numba is installed; see `scan_kernel`."""

from collections.abc import Callable, Sequence
from math import isnan

import numpy as np
from numpy.typing import NDArray

from churnstream.codecs.scan.byte_texts import ByteTexts
from churnstream.codecs.scan.scan_kernel import ScanColumns, scan
from churnstream.codecs.scan.scan_layout import ScanLayout, scan_layout
from churnstream.codecs.scan.scanned_events import ScannedColumns
from churnstream.schema.fields import Date, MissingRule, Value, known_values
from churnstream.schema.schema import Schema
from churnstream.schema.values import plain

_FEWEST = 50  # events, for which a scan is worth its preparation
_USUAL = 0.5  # the share that a layout must fit, or another is looked for
_REST = 100  # batches that are not scanned once no layout fits


class EventScanner:
    """Scans batches of events of one schema.

    Args:
        schema: In which every category that is closed lists its values.
        decodes: Whether a value is an event of it.
        after: How many events go by before the first scan, which takes a second, or four where the
            translation is not on disk yet: a short batch is done by then.
    """

    def __init__(self, schema: Schema, decodes: Callable[[bytes], bool], *, after: int = 0) -> None:
        self._schema, self._decodes, self._after = schema, decodes, after
        fields = schema.fields.items()
        self._days = {name for name, field in fields if isinstance(field, Date)}
        self._rules = {n: f.missing for n, f in fields if isinstance(f.missing, MissingRule)}
        self._layout: ScanLayout | None = None
        self._rest = 0

    def __call__(
        self, values: Sequence[bytes | None], keys: Sequence[bytes | None]
    ) -> tuple[ScannedColumns, NDArray[np.bool_]] | None:
        """The columns of a batch, and which rows of them mean something.

        Args:
            values: (n,).
            keys: (n,).

        Returns:
            None if the batch is not worth it, or of a kind that is not scanned.
        """
        if self._after > 0:
            self._after -= len(values)
            return None
        if len(values) < _FEWEST:
            return None
        if self._rest:
            self._rest -= 1
            return None
        if self._layout is None and not self._learn(values[:1]):
            return None
        columns, is_read = self._scanned(_texts(values), _texts(keys))
        if is_read.mean() < _USUAL:
            self._learn([values[row] for row in np.flatnonzero(~is_read)[:1].tolist()])
        return columns, is_read

    def _learn(self, examples: Sequence[bytes | None]) -> bool:
        """Take another layout; whether there is one."""
        known = self._layout
        self._layout = None
        for example in examples:
            if example and self._decodes(example):
                self._layout = scan_layout(example, self._schema)
        if self._layout is None or (
            known
            and known.plan.literals.content.tobytes()
            == self._layout.plan.literals.content.tobytes()
        ):
            self._rest = _REST
        return self._layout is not None

    def _scanned(
        self, events: ByteTexts, keys: ByteTexts
    ) -> tuple[ScannedColumns, NDArray[np.bool_]]:
        layout, count = self._layout, len(keys.ends) - 1
        assert layout is not None  # noqa: S101  # for the type checker
        columns = ScanColumns(
            np.zeros((len(layout.word_fields), count), np.int64),
            np.zeros((len(layout.number_fields) + 1, count)),
            np.zeros((count, 4), np.int64),
            np.zeros(count, np.bool_),
        )
        scan(events, keys, layout.plan, columns)
        words = dict(zip(layout.word_fields, columns.words, strict=True))
        numbers = dict(zip(layout.number_fields, columns.numbers, strict=False))
        for name in numbers.keys() & self._days:
            numbers[name] = columns.numbers[-1] - numbers[name]
        found = ScannedColumns(events, columns.places, words, numbers, self._schema.fields)
        self._fill_in(found, columns.is_read)
        return found, columns.is_read

    def _fill_in(self, columns: ScannedColumns, is_read: NDArray[np.bool_]) -> None:
        """Put the number that a missing one counts as, where it may be missing."""
        for name, rule in self._rules.items():
            numbers = columns.numbers[name]
            for row in np.flatnonzero(np.isnan(numbers) & is_read).tolist():
                is_read[row] = self._may_be_missing(columns, row, rule)
        for name, rule in self._rules.items():
            numbers = columns.numbers[name]
            numbers[np.isnan(numbers)] = rule.counts_as

    def _may_be_missing(self, columns: ScannedColumns, row: int, rule: MissingRule) -> bool:
        return all(
            plain(self._value(columns, row, other)) == wanted
            for other, wanted in rule.only_where.items()
        )

    def _value(self, columns: ScannedColumns, row: int, name: str) -> Value:
        """What an event holds; of days nothing."""
        if name in columns.words:
            return known_values(self._schema.fields[name])[int(columns.words[name][row])]
        found = float(columns.numbers[name][row])
        return None if name in self._days or isnan(found) else found


def _texts(values: Sequence[bytes | None]) -> ByteTexts:
    """Where one is null, as if it were empty: no event, nor a key, is that."""
    try:
        return ByteTexts.of(values)  # type: ignore[arg-type]
    except TypeError:
        return ByteTexts.of([value or b"" for value in values])
