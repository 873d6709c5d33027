"""What `init` finds in a topic: rows, where they are in its events, and how a schema reads them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from churnstream.cli.progress_bar import progress
from churnstream.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import pyarrow as pa

    from churnstream.files.customer_file import CustomerFile
    from churnstream.files.file_form import FileForm
    from churnstream.schema.schema import Schema
    from churnstream.settings import Settings

_EVENTS = 20_000
_SEED = 42
_MAX_SHOWN = 3


class SampledTopic:
    """The newest events of a topic.

    Attributes:
        name: Of the topic.

    Raises:
        DataError: No event in it holds an object.
        BrokerError: It cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        from churnstream.kafka.admin import Admin
        from churnstream.pipeline.topic_sample import sample_topic
        from churnstream.schema.inference.event_shape import shape_of

        self.name = settings.topics.input
        with progress(f"looking at {self.name}"):
            found = sample_topic(settings, Admin(settings.kafka), _EVENTS)
            shape = shape_of(found.values, found.meanings, in_headers=found.has_cloud_headers)
        if not shape.rows:
            said = f"none of the newest {len(found.values):,} events of {self.name} is an object"
            raise DataError(said + found.why_unread)
        self._found, self._shape = found, shape

    @property
    def in_all(self) -> int | None:
        """How many events there are, where not all of them were looked at."""
        return self._found.in_all if self._found.in_all > len(self._found.records) else None

    @property
    def needs_registry(self) -> bool:
        """Whether its events are read with a registry of schemas."""
        return self._found.format in ("avro", "protobuf")

    def rows(self) -> tuple[pa.Table, CustomerFile]:
        """The customers as a file of theirs would be read: numbers and dates in all their forms."""
        from churnstream.files.open_file import open_file

        with TemporaryDirectory() as folder:
            path = Path(folder, "events.jsonl")
            path.write_bytes(b"\n".join(map(msgspec.json.encode, self._shape.rows)))
            table = open_file(path)
            return table.sample(_EVENTS, _SEED), table

    def placed(self, schema: Schema) -> Schema:
        """A schema with where its customers are in the events."""
        from churnstream.schema.event_source import EventSource
        from churnstream.schema.inference.event_shape import key_of

        shape = self._shape
        columns = shape.places({schema.id, *schema.fields})
        paths = {name: shape.names.get(column, column) for name, column in columns.items()}
        ids = [str(row.get(columns.get(schema.id, ""))) for row in shape.rows]
        keys = [self._found.keys[number] for number in shape.positions]
        form = self._number_marks(schema, columns)
        source = EventSource(
            format=self._found.format,
            envelope=shape.envelope,
            names={n: paths[n] for n in (schema.id, *schema.fields) if paths.get(n, n) != n},
            time=shape.time,
            time_format=shape.time_format,
            key=key_of(keys, ids, paths.get(schema.id, schema.id).rpartition(".")[2]),
            tombstones="pass-over" if self._found.has_tombstones else "reject",
        )
        if form:
            marks = {"decimal": form.decimal, "thousands": form.thousands}
            source = msgspec.structs.replace(source, **marks)
        return msgspec.structs.replace(schema, source=None if source == EventSource() else source)

    def _number_marks(self, schema: Schema, columns: Mapping[str, str]) -> FileForm | None:
        """How numbers are written that are texts; None where that is as in JSON."""
        from churnstream.codecs.written_numbers import written_numbers
        from churnstream.files.file_form import FileForm
        from churnstream.files.number_marks import number_marks
        from churnstream.schema.fields import Numeric

        texts = {
            name: [text for row in self._shape.rows if isinstance(text := row[column], str)]
            for name, column in columns.items()
            if isinstance(schema.fields.get(name), Numeric)
        }
        form, _ = number_marks(texts, FileForm())
        read, plain = written_numbers(form), written_numbers(FileForm(decimal=".", thousands=""))
        raws = [msgspec.json.encode(text) for column in texts.values() for text in column]
        is_written = any(read(raw) != plain(raw) or b"," in raw for raw in raws)
        return form if is_written else None

    def notes(self) -> Iterator[str]:
        """What is to be said of the topic, a sentence each."""
        found, shape = self._found, self._shape
        if found.format != "json":
            yield f"events are {found.format}, with a schema registry"
        if shape.envelope:
            yield f"customers are in {shape.envelope}"
        if others := len(found.values) - len(shape.rows):
            yield f"{others:,} of {len(found.values):,} events hold no customer"
        yield from self._said_of_time()

    def _said_of_time(self) -> Iterator[str]:
        from churnstream.schema.event_source import RECORD_TIME

        shape = self._shape
        if shape.time != RECORD_TIME:
            if shape.time:
                yield f"the time of an event is in {shape.time}, as {shape.time_format}"
            return
        said = "no field is called like the time of an event, so that of its record is taken"
        likely = [f"{path} ({written})" for path, written in shape.like_times.items()]
        yield said + (f"; what may be one: {', '.join(likely[:_MAX_SHOWN])}" if likely else "")

    def reading(self, schema: Schema) -> Iterator[str]:
        """How the events are read by a schema, tried with those that were looked at."""
        known = {schema.id, *schema.fields}
        if absent := sorted(known - self._shape.places(known).keys()):
            yield _absent(absent)
        outcomes = self._outcomes(schema)
        of_events = f"of the newest {len(outcomes):,} events"
        kinds = Counter(_outcome(outcome) for outcome in outcomes)
        yield f"{kinds.pop('scored', 0):,} {of_events} can be scored by this schema"
        if passed := kinds.pop("passed over", 0):
            yield f"{passed:,} {of_events} are passed over by rule"
        for kind, count in kinds.most_common(_MAX_SHOWN):
            first = next(number for number, one in enumerate(outcomes) if _outcome(one) == kind)
            yield f"{count:,} {of_events} would be dead letters, as one says {outcomes[first]}"

    def _outcomes(self, schema: Schema) -> list[object]:
        from churnstream.codecs.event_decoder import EventDecoder
        from churnstream.codecs.source_hints import with_hint
        from churnstream.records.rejection import Rejection

        decode, records = EventDecoder(schema), self._found.records
        if decode.source is None:
            found = decode.batch([r.value for r in records], [r.key for r in records])
        elif self._found.opened:
            found = decode.batch_of(records, self._found.opened)
        else:
            found = decode.batch_of(records)
        return [
            with_hint(one, record.value, record.key, schema) if isinstance(one, Rejection) else one
            for one, record in zip(found, records, strict=True)
        ]


def _outcome(found: object) -> str:
    """The kind of an outcome."""
    from churnstream.records.passed_over import PassedOver
    from churnstream.records.rejection import Rejection

    if isinstance(found, Rejection):
        return f"{found.reason} {found.field}"
    return "passed over" if isinstance(found, PassedOver) else "scored"


def _absent(names: Collection[str]) -> str:
    first = next(iter(names))
    return (
        f"no event has {', '.join(names)}; what is called otherwise there is named in the schema, "
        f"as source: {{names: {{{first}: its.path}}}}"
    )
