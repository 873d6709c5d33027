"""Writes docs/files.md: one file of customers in many forms, and what becomes of each.

A test checks that it is up to date.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from file_variants import SCHEMA, Variant, text, variants

from churnstream.codecs.customer_rows import open_rows
from churnstream.errors import ChurnstreamError
from churnstream.files.file_form import FileForm
from churnstream.model.training_rows import usable
from churnstream.schema import schema_file
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema

FILE = Path(__file__).parents[1] / "docs" / "files.md"
_INTRO = """# Files of customers, as people have them

One small file in many forms, and what becomes of each: its rows are used as they are meant, or they
are rejected in words that tell what to do. `make generated` writes this page from
`tools/file_variants.py`, and a test checks it. *Used* means that the rows became the same events as
those of the first line; *other values* that some of them did not.

The file:

```
{file}```

Its schema:

```yaml{schema}```

What is said goes to the terminal, so that nothing is guessed silently. What is declared stands in
the schema under `file:`.

| the file | becomes | what is said |
| --- | --- | --- |
"""


def files() -> dict[Path, str]:
    """What the document should hold."""
    with tempfile.TemporaryDirectory() as folder:
        lines = "".join(_lines(Path(folder)))
    return {FILE: _INTRO.format(file=text(), schema=SCHEMA) + lines}


def _lines(folder: Path) -> Iterator[str]:
    schema_path = folder / "customers.yaml"
    schema_path.write_text(SCHEMA)
    schema = schema_file.read(schema_path)
    expected: list[tuple[object, ...]] = []
    for variant in variants():
        path = folder / variant.name
        path.write_bytes(variant.content)
        found, said = _look(path, schema, variant)
        expected = expected or found
        title = f"{variant.title}" + (f" (`{variant.declared}`)" if variant.declared else "")
        said = said.replace(f"{folder}/", "").replace("|", "\\|")
        yield f"| {title} | {_outcome(found, expected)} | {said} |\n"


def _look(path: Path, schema: Schema, variant: Variant) -> tuple[list[tuple[object, ...]], str]:
    """The events of a file, without the time, and what is said about it."""
    key, _, value = variant.declared.partition(": ")
    form = FileForm(**{key: value.strip("'")}) if key else FileForm()
    try:
        rows = open_rows(path, schema, form)
        events, rejected = usable(rows)
    except ChurnstreamError as error:
        return [], str(error)
    said = [*rows.notes, *([f"rejected: {rejected.in_words()}"] if rejected.total else [])]
    return [_values(schema, event) for event in events], "; ".join(said)


def _values(schema: Schema, event: Event) -> tuple[object, ...]:
    names = [schema.id, *schema.fields]
    return tuple(schema.getter(name)(event) for name in names)


def _outcome(found: list[tuple[object, ...]], expected: list[tuple[object, ...]]) -> str:
    if found == expected:
        return "used"
    if not found:
        return "**rejected**"
    if not all(row in expected for row in found):
        return "other values"
    return f"rows used: {len(found)}"


if __name__ == "__main__":
    for path, content in files().items():
        path.write_text(content)
