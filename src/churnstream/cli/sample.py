"""What `init` looks at: rows of a file, or of a topic's events."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from churnstream.cli.progress_bar import progress

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from churnstream.cli.sampled_topic import SampledTopic
    from churnstream.files.customer_file import CustomerFile
    from churnstream.files.file_form import FileForm
    from churnstream.schema.schema import Origin, Schema
    from churnstream.settings import Settings

_ROWS = 200_000
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
        file: None where the rows are of a topic.
        topic: Whose events hold such customers; None where only a file was looked at.
    """

    rows: pa.Table
    name: str
    form: FileForm
    notes: list[str]
    in_all: int | None
    placed: Callable[[Schema], Schema]
    file: Path | None = None
    topic: SampledTopic | None = None

    @property
    def asked(self) -> str:
        """What the command was asked to look at."""
        parts = [self.file.name] if self.file else []
        return " ".join([*parts, f"--topic {self.topic.name}"] if self.topic else parts)


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
    from churnstream.cli.sampled_topic import SampledTopic
    from churnstream.schema.inference.infer import name_for

    topic = SampledTopic(settings)
    rows, table = topic.rows()
    return Sample(
        rows,
        name_for(Path(topic.name.replace(".", "-"))),
        table.form,
        [*topic.notes(), *table.notes],
        topic.in_all,
        topic.placed,
        topic=topic,
    )


def with_topic(sample: Sample, settings: Settings) -> Sample:
    """Rows of a file, with where such customers are in the events of a topic.

    Raises:
        DataError: No event in it holds an object.
        BrokerError: It cannot be read.
    """
    from churnstream.cli.sampled_topic import SampledTopic

    topic = SampledTopic(settings)
    return sample._replace(
        notes=[*sample.notes, *topic.notes()],
        placed=lambda schema: topic.placed(sample.placed(schema)),
        topic=topic,
    )
