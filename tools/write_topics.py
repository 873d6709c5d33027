"""Writes docs/topics.md: one customer in the events of many topics, and what becomes of each.

A test checks that it is up to date.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from event_shapes import ROW, SCHEMA, STAMP, TIMED, Shape, passed_over, rejected, scored

from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.source_hints import with_hint
from churnstream.codecs.source_records import Arrived
from churnstream.records.passed_over import PassedOver
from churnstream.records.rejection import Rejection
from churnstream.schema import schema_file
from churnstream.schema.schema import Schema

FILE = Path(__file__).parents[1] / "docs" / "topics.md"
_INTRO = """# Topics as they are

A topic that is there already need not be translated. What its events look like stands in the schema
under `source:`, and consumer, audit, report and live page read them by it: no code, no job before
them. The schema file of the flow counts, not the one that a model was trained with, so that a line
may be added without another training. An event that is rejected for want of one names it in its
dead letter.

```yaml
source:
  format: avro                     # json, or with a schema registry: json-schema, avro, protobuf
  envelope: payload.after          # the object with the fields, or a preset: debezium, cloudevents
  names: {{Age: person.age}}         # where a field stands by another name, or deeper
  time: meta.at                    # where the event's time is; record: the record's timestamp
  time_format: epoch-millis        # rfc3339, local, epoch-seconds, epoch-millis, epoch-micros
  zone: Europe/Berlin              # of times without a zone
  key: any                         # id: must be or hold the id; any; or where in it the id is
  only: {{type: customer.updated}}   # other events are passed over
  tombstones: pass-over            # records without a value; else they are rejected
```

All of it is optional. A path is names with dots between, from outside inwards: that of a name
begins in the envelope, all others at the outermost object. `debezium` reads changes of rows with
and without `schema` and `payload`, and takes the time of the commit; `cloudevents` reads both
modes, and takes `time`. What is passed over by rule is neither scored nor a dead letter; summaries
and metrics count it, and `churnstream audit` applies the same rule to prove that nothing is lost.
The prediction's key is always the id.

`churnstream init --topic crm.customers` looks at the newest events of a topic and writes the schema
with its `source`: the format, where customers are, how keys and times are written. A topic seldom
knows who has left: train with a file of customers of whom that is known (`train --dataset FILE`),
whose columns have the schema's names.

## Schema registries

Avro, Protobuf and JSON Schema are read in Confluent's framing: a zero byte, four bytes with the
schema's id, the value. They take `pip install 'churnstream[formats]'` and the registry's address:

```sh
churnstream consume --schema-registry http://127.0.0.1:8081
```

- `schema_registry.user` and `.password`, or `.token`, say who asks; `.ca_file`, `.certificate_file`
  and `.key_file` are for TLS. Secrets belong into the environment
  (`CHURNSTREAM_SCHEMA_REGISTRY__PASSWORD`), and are never printed.
- Everything else under `source:` goes for them, too: `envelope: debezium` with `format: avro` reads
  what Debezium writes with Confluent's Avro converter. A framed key is read alike, so that
  `key: CustomerId` finds the id in a key that is a record.
- A schema that changes is looked up when its first record comes, without a restart. Logical types
  (dates, timestamps, decimals) and those of Connect and Debezium mean what they mean in JSON.
- A registry that is away at the start is waited for like a broker. Later, records of schemas that
  are known are scored; one of a new schema waits, and with it what is behind it in its partition.
  Nothing becomes a dead letter for that, and the log says `schema_registry_unavailable` once.
- An id that the registry does not have, and bytes that are none of their schema, are dead letters
  with the reason `malformed`. A schema in which a type lies within itself, or with lists of values
  that take no bytes, is not read: a record of a few bytes could be endless.
- Where many records wait, those in Avro are read together, and fields that the schema does not name
  are passed over; a record that is broken is still rejected alone, with its reason.
- JSON Schema needs no registry to be read, since each record says all by itself.

Compatibility is the registry's to keep; this was tested with the registry that a client library
tests itself with, not with one that enforces rules.

## The shapes

`make generated` writes the tables below from `tools/event_shapes.py`, and tests read each event.
The schema of all of them:

```yaml{schema}```

The customer as our own producer would send it, with the key `C-1`; `…` stands for the fields below:

```json
{own}
```
"""
_FIELDS = json.dumps(ROW)[1:-1]


def files() -> dict[Path, str]:
    """What the document should hold."""
    intro = _INTRO.format(schema=SCHEMA, own=json.dumps(TIMED))
    parts = [
        ("Scored, each as the same customer", scored()),
        ("Passed over", passed_over()),
        ("Rejected", rejected()),
    ]
    with tempfile.TemporaryDirectory() as folder:
        tables = [
            f"\n## {title}\n\n" + "".join(_table(shapes, Path(folder))) for title, shapes in parts
        ]
    return {FILE: intro + "".join(tables)}


def _table(shapes: Iterable[Shape], folder: Path) -> Iterator[str]:
    yield "| the event | `source:` | an example | becomes |\n| --- | --- | --- | --- |\n"
    for shape in shapes:
        found = outcome(shape, schema_of(shape, folder))
        declared = f"`{{{shape.declared}}}`" if shape.declared else "nothing"
        yield f"| {shape.title} | {declared} | {_example(shape)} | {_said(found)} |\n"


def _example(shape: Shape) -> str:
    text = json.dumps(shape.value).replace(_FIELDS, "…")
    parts = ["no value" if shape.value is None else f"`{text}`"]
    if shape.key != "C-1":
        parts.append("no key" if shape.key is None else f"key `{json.dumps(shape.key)}`")
    if shape.headers:
        parts.append(f"headers `{json.dumps(dict(shape.headers))}`")
    return "; ".join(parts).replace("|", "\\|")


def _said(found: object) -> str:
    if isinstance(found, PassedOver):
        return f"passed over: {found.rule}"
    return str(found).replace("|", "\\|") if isinstance(found, Rejection) else "scored"


def schema_of(shape: Shape, folder: Path) -> Schema:
    """The schema with the source that a shape takes."""
    path = folder / "customers.yaml"
    declared = f"source: {{{shape.declared}}}\n" if shape.declared else ""
    path.write_text(SCHEMA + declared)
    return schema_file.read(path)


def outcome(shape: Shape, schema: Schema) -> object:
    """What becomes of an event."""
    decode = EventDecoder(schema)
    if decode.source is None:
        (found,) = decode.batch([shape.raw_value], [shape.raw_key])
    else:
        headers = [(name, text.encode()) for name, text in shape.headers.items()]
        (found,) = decode.batch_of([Arrived(shape.raw_value, shape.raw_key, STAMP, headers)])
    if isinstance(found, Rejection):
        return with_hint(found, shape.raw_value, shape.raw_key, schema)
    return found


if __name__ == "__main__":
    for path, content in files().items():
        path.write_text(content)
