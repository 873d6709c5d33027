"""What our own records hold, column by column, for formats whose schemas stand in a registry.

Names are those that Avro and Protobuf take, see `registered_name`.
"""

import re
from collections import Counter
from typing import Literal, NamedTuple

from churnstream.errors import ConfigurationError
from churnstream.records.wire_types import EVENT_TS
from churnstream.schema.event_source import registered_name
from churnstream.schema.fields import AnyField, Boolean, Date, Integer, Number, written
from churnstream.schema.schema import Schema

RecordName = Literal["event", "prediction"]
ColumnKind = Literal["text", "whole", "number", "flag", "day", "timestamp", "reasons"]

REASON: tuple[tuple[str, ColumnKind], ...] = (
    ("feature", "text"),
    ("value", "text"),
    ("effect", "number"),
    ("text", "text"),
)
"""The columns of a reason."""


class RecordColumn(NamedTuple):
    """One of a record.

    Attributes:
        name: In the format.
        attribute: Of the record's Struct.
        may_be_missing: Whether nothing may stand there.
    """

    name: str
    attribute: str
    kind: ColumnKind
    may_be_missing: bool = False


def columns_of(record: RecordName, schema: Schema) -> list[RecordColumn]:
    """The columns of events or predictions, in their order.

    Raises:
        ConfigurationError: Two of them would have one name.
    """
    found = _of_event(schema) if record == "event" else _of_prediction(schema)
    name, count = Counter(_in_json(column.name) for column in found).most_common(1)[0]
    if count > 1:
        raise ConfigurationError(
            f"two fields of the schema {schema.name} would be {name} in Avro and Protobuf, whose "
            "names have letters, digits and underscores alone; rename one of them"
        )
    return found


def _in_json(name: str) -> str:
    """What Protobuf makes of a name in JSON, where no two fields may have one."""
    return re.sub("_+(.?)", lambda found: found[1].upper(), name)


def _of_event(schema: Schema) -> list[RecordColumn]:
    names = schema.attributes
    columns = [RecordColumn(registered_name(schema.id), names[schema.id], "text")]
    columns += [
        RecordColumn(registered_name(name), names[name], _kind(field), field.may_be_missing)
        for name, field in schema.fields.items()
    ]
    columns.append(RecordColumn(EVENT_TS, EVENT_TS, "timestamp"))
    if label := schema.label:
        columns.append(RecordColumn(registered_name(label.field), names[label.field], "text", True))
    return columns


def _kind(field: AnyField) -> ColumnKind:
    match field:
        case Integer():
            return "whole"
        case Number():
            return "number"
        case Date():
            return "day"
        case Boolean():
            no, _ = written(field)
            return "flag" if isinstance(no, bool) else "whole" if isinstance(no, int) else "text"
        case _:
            return "text"


def _of_prediction(schema: Schema) -> list[RecordColumn]:
    rest: dict[str, ColumnKind] = {  # as `Prediction` has them
        "churn_probability": "number",
        "prediction": "text",
        EVENT_TS: "timestamp",
        "processed_ts": "timestamp",
        "model_version": "text",
        "source_partition": "whole",
        "source_offset": "whole",
    }
    columns = [RecordColumn(registered_name(schema.id), schema.attributes[schema.id], "text")]
    columns += [RecordColumn(name, name, kind) for name, kind in rest.items()]
    return [*columns, RecordColumn("reasons", "reasons", "reasons")]
