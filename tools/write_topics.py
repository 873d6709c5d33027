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
  decimal: ","                     # of numbers that are texts, as people write them: 1.234,50 €
  thousands: "."                   # what stands between their thousands
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

## From a topic to predictions

A topic seldom knows who has left; a file of customers of whom that is known does. `init` looks at
both: the file says what a customer is, the newest events of the topic where that is in them.
Columns are found under names that differ in case and separators, too (`HasCard`, `has_card`).

```text
export CHURNSTREAM_KAFKA__BROKERS=127.0.0.1:9092 CHURNSTREAM_TOPICS__INPUT=crm.customers
churnstream init customers.csv --topic crm.customers   # --schema-registry URL for Avro, Protobuf
churnstream train
churnstream topics create        # for predictions and dead letters; crm.customers stays as it is
churnstream consume --mode batch
churnstream audit
```

`init` says what it took for the format, the envelope and the time of an event, reads the events by
the schema that it writes, and says how many can be scored and why others cannot. What it could not
tell it leaves for you to say: a time that is called otherwise, an event's type (`only`), a column
by another name. Dates, timestamps and decimals are what their types in Avro, Connect and Debezium
say. `init --topic crm.customers` alone writes a schema without a label; a model needs one.

The schema's name, which is the file's unless `--name` says otherwise, begins the names of topics,
model and group. A second topic that is scored from the same file needs a name of its own, or its
predictions mix with those of the first. In place of the two variables, a `config.yaml` beside the
schema may say where broker, topic and registry are: `topics: {{input: crm.customers}}`.

Lines under `source:` may be added later; they count from the consumer's next start. What is in the
dead-letter topic by then stays there: `churnstream dead-letters replay` sends it back into the
topic, which other consumers read, too.

## Schema registries

Avro, Protobuf and JSON Schema are read in Confluent's framing: a zero byte, four bytes with the
schema's id, the value. They take `pip install 'churnstream[registry]'` and the registry's address:

```sh
churnstream consume --schema-registry http://127.0.0.1:8081
```

- `schema_registry.user` and `.password`, or `.token`, say who asks; `.ca_file`, `.certificate_file`
  and `.key_file` are for TLS. Secrets belong into the environment
  (`CHURNSTREAM_SCHEMA_REGISTRY__PASSWORD`), and are never printed.
- Everything else under `source:` goes for them, too: `envelope: debezium` with `format: avro` reads
  [what Debezium writes in Avro](connect.md#in-avro). A framed key is read alike, so that
  `key: CustomerId` finds the id in a key that is a record.
- A schema that changes is looked up when its first record comes, without a restart. Logical types
  (dates, timestamps, decimals) and those of Connect and Debezium mean what they mean in JSON; a
  number of four bytes is what it is as text: 0.1, not 0.10000000149011612.
- A registry that is away at the start is waited for like a broker. Later, records of schemas that
  are known are scored; one of a new schema waits, and with it what is behind it in its partition.
  Nothing becomes a dead letter for that, and the log says `schema_registry_unavailable` once.
- An id that the registry does not have, and bytes that are none of their schema, are dead letters
  with the reason `malformed`. A schema in which a type lies within itself, or with lists of values
  that take no bytes, is not read: a record of a few bytes could be endless.
- Where many records wait, those in Avro are read together, and fields that the schema does not name
  are passed over; a record that is broken is still rejected alone, with its reason.
- JSON Schema needs no registry to be read, since each record says all by itself.
- A name that Avro and Protobuf do not take has underscores in place of other characters there:
  `Monthly Charges` is looked for as `Monthly_Charges`, unless `names:` says otherwise. An optional
  field of Protobuf that is not set is null.
- Newer clients can be told to name the schema by a GUID in the header `__value_schema_id`, and to
  write the value bare. Of JSON Schema such values are read; of Avro and Protobuf they are dead
  letters that say so. Let the producer write the id before the value (`schema.id.serializer`).

### Writing them

<!-- not run: needs a schema registry -->
```sh
churnstream consume --output-format avro --schema-registry http://127.0.0.1:8081
```

`--output-format` (`topics.output_format`) is the format of predictions, and of their newest ones:
`avro`, `protobuf` or `json-schema`, each of which takes a schema registry. `produce` writes what
`source: format` reads; where `source` says that others fill the topic, it refuses to.
Dead letters stay as they came.

- Schemas are registered before the first record, under the topic's name with `-value` behind it.
  With `--no-register` they are looked up only: register what `churnstream schemas prediction` and
  `churnstream schemas event` show.
- Times are `timestamp-micros` in Avro and `google.protobuf.Timestamp` in Protobuf, whole numbers 64
  bits, days `date` in Avro and text in Protobuf. A prediction without reasons has none in its list.
- Report, export, evaluation, drift, audit, webhooks and the live page read predictions of each
  format beside those in JSON, so that the format may change in the middle of a topic; they take the
  registry's address. A field that is added to the schema belongs behind the others, since Protobuf
  numbers them in their order.
- Avro and Protobuf have types: a file with rows that do not fit them is refused before the first is
  sent, and the rows are named. In JSON they are sent, and become dead letters one by one.

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
