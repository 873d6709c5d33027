"""What `init` looks at: rows of a file, or of a topic's events."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from churnstream.cli.progress_bar import progress
from churnstream.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from churnstream.files.customer_file import CustomerFile
    from churnstream.files.file_form import FileForm
    from churnstream.pipeline.topic_sample import TopicSample
    from churnstream.schema.inference.event_shape import EventShape
    from churnstream.schema.schema import Origin, Schema
    from churnstream.settings import Settings

_ROWS = 200_000
_EVENTS = 20_000
_SEED = 42


class Sample(NamedTuple):
    """Rows of customers, and what is known of where they are from.

    Attributes:
        rows: Texts, null where there is no value.
        name: For the schema.
        form: How numbers are written.
        notes: What is to be said, a sentence each.
        in_all: How many rows there are, where these are not all.
        placed: Adds to a schema where its rows or events are.
        file: None for a topic.
        topic: "" for a file.
    """

    rows: pa.Table
    name: str
    form: FileForm
    notes: list[str]
    in_all: int | None
    placed: Callable[[Schema], Schema]
    file: Path | None = None
    topic: str = ""

    @property
    def asked(self) -> str:
        """What the command was asked to look at."""
        return self.file.name if self.file else f"--topic {self.topic}"


def sample_of_file(file: Path, output: Path) -> Sample:
    """Rows of a file.

    Args:
        output: Where the schema goes, from where the file is seen.

    Raises:
        DataError: The file cannot be read.
    """
    from churnstream.files.open_file import open_file
    from churnstream.schema.inference.infer import name_for

    source = open_file(file)
    with progress(f"looking at {file.name}"):
        rows = source.sample(_ROWS, _SEED)
        in_all = source.row_count() if rows.num_rows == _ROWS else None

    def placed(schema: Schema) -> Schema:
        path = os.path.relpath(source.path.resolve(), output.resolve().parent)
        return msgspec.structs.replace(schema, file=_origin(source, path))

    notes = list(source.notes)
    return Sample(rows, name_for(file), source.form, notes, in_all, placed, source.path)


def _origin(source: CustomerFile, path: str) -> Origin:
    """How the file is read, as far as it is not what is found without a word."""
    from churnstream.schema.schema import Origin

    form = source.form
    return Origin(
        path=path,
        encoding=None if form.encoding in (None, "utf-8", "ascii") else form.encoding,
        delimiter={",": None, "\t": "tab"}.get(form.delimiter or ",", form.delimiter),
        decimal=None if form.decimal in (None, ".") else form.decimal,
        thousands=form.thousands or None,
        sheet=form.sheet,
    )


def sample_of_topic(settings: Settings) -> Sample:
    """Rows of the newest events of a topic.

    Raises:
        DataError: No event in it holds an object.
        BrokerError: It cannot be read.
    """
    from churnstream.kafka.admin import Admin
    from churnstream.pipeline.topic_sample import sample_topic
    from churnstream.schema.inference.event_shape import shape_of
    from churnstream.schema.inference.infer import name_for

    topic = settings.topics.input
    with progress(f"looking at {topic}"):
        found = sample_topic(settings, Admin(settings.kafka), _EVENTS)
        shape = shape_of(found.values)
        if not shape.rows:
            count = f"{len(found.values):,}"
            raise DataError(f"none of the newest {count} events of {topic} is an object")
        rows, table = _as_file(shape)
    return Sample(
        rows,
        name_for(Path(topic.replace(".", "-"))),
        table.form,
        [*_notes(found, shape), *table.notes],
        found.in_all,
        _placer(found, shape),
        topic=topic,
    )


def _as_file(shape: EventShape) -> tuple[pa.Table, CustomerFile]:
    """The rows as a file of theirs would be read: numbers and dates in all their forms."""
    from churnstream.files.open_file import open_file

    with TemporaryDirectory() as folder:
        path = Path(folder, "events.jsonl")
        path.write_bytes(b"\n".join(map(msgspec.json.encode, shape.rows)))
        table = open_file(path)
        return table.sample(_EVENTS, _SEED), table


def _notes(found: TopicSample, shape: EventShape) -> list[str]:
    notes = []
    if found.format != "json":
        notes.append(f"events are {found.format}, with a schema registry")
    if shape.envelope:
        notes.append(f"customers are in {shape.envelope}")
    if others := len(found.values) - len(shape.rows):
        notes.append(f"{others:,} of {len(found.values):,} events hold no customer")
    return notes


def _placer(found: TopicSample, shape: EventShape) -> Callable[[Schema], Schema]:
    from churnstream.schema.event_source import EventSource
    from churnstream.schema.inference.event_shape import key_of

    def placed(schema: Schema) -> Schema:
        ids = [str(row.get(schema.id)) for row in shape.rows]
        known = {schema.id, *schema.fields}
        source = EventSource(
            format=found.format,
            envelope=shape.envelope,
            names={name: path for name, path in shape.names.items() if name in known},
            time=shape.time,
            time_format=shape.time_format,
            key=key_of([found.keys[number] for number in shape.positions], ids, schema.id),
            tombstones="pass-over" if found.has_tombstones else "reject",
        )
        return msgspec.structs.replace(schema, source=None if source == EventSource() else source)

    return placed
