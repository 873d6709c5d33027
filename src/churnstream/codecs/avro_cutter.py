"""Avro records, as they come from a topic, written as events in our own form, many at once.

Most records of customers are made of texts, numbers and flags, also within each other. fastavro
takes a third of a microsecond for each field, more than all else together; field by field for many
records, it is a twentieth.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churnstream.codecs.avro_columns import (
    bits_of,
    byte_array,
    id_reader,
    joined,
    number_array,
    times,
)
from churnstream.codecs.avro_plan import AvroPlan, Part
from churnstream.codecs.avro_rows import AvroRows, Spans
from churnstream.codecs.own_layout import OwnLayout
from churnstream.codecs.registry_framing import HEADER
from churnstream.codecs.source_records import Path
from churnstream.records.wire_types import EVENT_TS

_TIME = b"," + msgspec.json.encode(EVENT_TS) + b':"'
_MILLIS = 1_000  # a second of a record's timestamp
_FIRST_IN_A_TEXT = 0x20  # bytes below stand in no JSON text
_QUOTE, _BACKSLASH = b'"\\'


class AvroCutter:
    """Writes the usual records of one schema as our own events.

    Args:
        schema: As JSON has it, without logical types.
        names: The types that it refers to.
        kinds: By path the type in a Connect schema.
        layout: Where the members of our own event are.

    Attributes:
        is_of_record: Whether the record's timestamp is the event's time.

    Raises:
        UnusualTypeError: Not all that our own event needs is there, or its type is not read here.
    """

    def __init__(
        self,
        schema: Any,  # noqa: ANN401
        names: Mapping[str, Any],
        kinds: Mapping[Path, str],
        layout: OwnLayout,
    ) -> None:
        plan = AvroPlan(schema, names, kinds, layout)
        self._parts, self._id_at = plan.parts, plan.id_at
        self.is_of_record = layout.time is None

    def __call__(
        self, values: Sequence[bytes], timestamps: Sequence[int]
    ) -> tuple[list[bytes | None], list[bytes | None]]:
        """The events of records as JSON, and the ids of their customers.

        Args:
            values: Framed, not empty, (n,).
            timestamps: Of the records, milliseconds since 1970, (n,); none where they do not count.

        Returns:
            Both (n,), and None for a record that is not usual.
        """
        rows = AvroRows(values, HEADER)
        columns = [part if isinstance(part, bytes) else part(rows) for part in self._parts]
        rows.leave_unfinished()
        if self.is_of_record:
            columns += [_TIME, times(rows, np.array(timestamps, np.int64), _MILLIS), b'Z"']
        arrays = _without_spans(rows, columns)
        pieces: list[Any] = [b""]
        for array in [*arrays, b"}"]:
            if isinstance(array, bytes) and isinstance(pieces[-1], bytes):
                pieces[-1] += array
            elif array is not None:
                pieces.append(array)
        pieces[0] = b"{" + pieces[0][1:]  # where the first member has its comma
        found = joined(*pieces)
        return _usual(rows, found), _usual(rows, arrays[self._id_at])


class AvroIds:
    """Finds ids in the keys of one schema, which are ids themselves or records with one.

    Args:
        schema: As JSON has it, without logical types.
        names: The types that it refers to.
        kinds: By path the type in a Connect schema.
        path: Of the id in a record.

    Raises:
        UnusualTypeError: It is not there, or its type is not read here.
    """

    def __init__(
        self,
        schema: Any,  # noqa: ANN401
        names: Mapping[str, Any],
        kinds: Mapping[Path, str],
        path: Path,
    ) -> None:
        if isinstance(schema, str) and schema not in names:
            self._reads: list[Part] = [id_reader(schema, kinds.get((), ""))]
        else:
            parts = AvroPlan(schema, names, kinds, OwnLayout("", path)).parts
            self._reads = [part for part in parts if not isinstance(part, bytes)]

    def __call__(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The ids in keys.

        Args:
            keys: Framed, not empty, (n,).

        Returns:
            None for a key that is not usual, (n,).
        """
        rows = AvroRows(keys, HEADER)
        columns = [read(rows) for read in self._reads if not isinstance(read, bytes)]
        rows.leave_unfinished()
        (found,) = (one for one in _without_spans(rows, columns) if one is not None)
        return _usual(rows, found)


def _usual(rows: AvroRows, texts: pa.Array) -> list[bytes | None]:
    """Each as bytes, None for a row that was left."""
    _, offsets, content = texts.buffers()
    begin = texts.offset
    ends = np.frombuffer(offsets, np.int32)[begin : begin + len(texts) + 1]
    text = content.to_pybytes() if content else b""
    found: list[bytes | None] = [text[a:b] for a, b in pairwise(ends.tolist())]
    for row in np.flatnonzero(~rows.is_read).tolist():
        found[row] = None
    return found


def _without_spans(rows: AvroRows, columns: list[Any]) -> list[Any]:
    """The columns with the texts themselves."""
    texts = _texts(rows, [column for column in columns if isinstance(column, Spans)])
    return [next(texts) if isinstance(column, Spans) else column for column in columns]


def _texts(rows: AvroRows, spans: list[Spans]) -> Iterator[pa.Array]:
    """Texts out of the rows, those of a column together; in quotes where they may be null."""
    if not spans:
        return
    offsets = np.empty((len(rows), len(spans), 2), np.int32)
    for column, span in enumerate(spans):
        offsets[:, column, 0], offsets[:, column, 1] = span.begins, span.ends
    # Arrow looks at no offset; those of rows that were given up might lead back.
    all_of_them = byte_array(np.maximum.accumulate(offsets.ravel()), rows.bytes)
    order = np.arange(len(rows)) * len(spans) + np.arange(len(spans))[:, None]
    found = all_of_them.take(
        number_array(2 * order.ravel(), pa.int64())
    )  # what stands between is left out
    _leave_odd_texts(rows, found)
    for column, span in enumerate(spans):
        texts = found.slice(column * len(rows), len(rows))
        if span.there is not None:
            quoted = joined(b'"', texts, b'"')
            there = pa.Array.from_buffers(pa.bool_(), len(rows), [None, bits_of(span.there)])
            texts = pc.if_else(there, quoted, pa.nulls(1, pa.binary())[0])
        yield texts


def _leave_odd_texts(rows: AvroRows, texts: pa.Array) -> None:
    """Texts that JSON would have to write otherwise, column after column."""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[: len(texts) + 1]
    content = np.frombuffer(texts.buffers()[2] or b"", np.uint8)[: offsets[-1]]
    odd = (content < _FIRST_IN_A_TEXT) | (content == _QUOTE) | (content == _BACKSLASH)
    if odd.any():
        which = np.searchsorted(offsets, np.flatnonzero(odd), side="right") - 1
        rows.is_read[which % len(rows)] = False
