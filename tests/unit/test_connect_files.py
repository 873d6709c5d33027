"""The connectors that are shipped fit the records and topics that they connect."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from connect_worker import CONNECTORS, connector

from builders import TELCO
from churnstream.records.prediction import Prediction
from churnstream.settings import TopicSettings

SOURCE = connector("customers-source")["config"]
SINK = connector("predictions-sink")["config"]
EDITED = {"telco": "bank", "customerID": "CustomerId", "public.customers": "public.accounts"}
TYPES = {
    msgspec.inspect.FloatType: ("double", None),
    msgspec.inspect.StrType: ("string", None),
    msgspec.inspect.LiteralType: ("string", None),
    msgspec.inspect.DateTimeType: ("string", "io.debezium.time.ZonedTimestamp"),
}
INTEGERS = {2**31 - 1: ("int32", None), 2**63 - 1: ("int64", None)}


def columns_of_a_prediction() -> list[tuple[str, str, str | None]]:
    """The id and every field that a row has a place for, as Connect names their types."""
    info = msgspec.inspect.type_info(Prediction)
    assert isinstance(info, msgspec.inspect.StructType)
    fields = [field for field in info.fields if field.name != "reasons"]
    return [(TELCO.id, "string", None), *((f.name, *_type(f.type)) for f in fields)]


def _type(found: msgspec.inspect.Type) -> tuple[str, str | None]:
    if isinstance(found, msgspec.inspect.IntType):
        return INTEGERS[found.le or 0]
    return TYPES[type(found)]


def test_the_sink_knows_every_field_of_a_prediction() -> None:
    """All but the reasons, in their order and of their types, none of them optional."""
    schema = json.loads(SINK["value.converter.schema.content"])
    found = [(f["field"], f["type"], f.get("name")) for f in schema["fields"]]
    assert found == columns_of_a_prediction()
    assert not any(field.get("optional") for field in schema["fields"])
    assert SINK["primary.key.fields"] == TELCO.id


def test_connectors_meet_the_flow() -> None:
    """The source writes where the consumer reads, the sink reads where it writes."""
    topics = TopicSettings()
    pattern = SOURCE["transforms.topic.regex"]
    assert re.fullmatch(pattern, f"{SOURCE['topic.prefix']}.{SOURCE['table.include.list']}")
    assert SOURCE["transforms.topic.replacement"] == topics.input
    assert re.fullmatch(SOURCE["predicates.rows.pattern"], topics.input)
    assert SINK["topics"] == topics.output
    assert SOURCE["transforms.id.field"] == TELCO.id


@pytest.mark.parametrize("path", [*CONNECTORS.glob("*.json")], ids=lambda path: path.name)
def test_three_names_are_all_there_is_to_edit(path: Path) -> None:
    """After the guide's `sed` nothing speaks of the example, and no secret stands in a file."""
    text = path.read_text()
    for old in ("public.customers", "telco", "customerID"):
        text = text.replace(old, EDITED[old])
    config = json.loads(text)["config"]
    assert not re.search("telco|customerID|public.customers", text)
    given = {value for name, value in config.items() if name.endswith("password")}
    assert given == {"${env:PGPASSWORD}"}
