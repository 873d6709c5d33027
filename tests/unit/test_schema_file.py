"""Schema files: read, written, and what is wrong in one."""

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnstream import config_file
from churnstream.errors import ConfigurationError
from churnstream.schema import schema_file, schema_writer
from churnstream.schema.event_source import EventSource
from churnstream.schema.fields import Integer
from churnstream.schema.schema import Schema
from made_schemas import TEXTS, schemas

GOOD = """
name: bank
id: CustomerId
label: {field: Exited, churned: 1}
value: null
fields:
  Age: {type: integer, min: 18}
  Plan: {type: category, values: [No, Yes]}
segments: [Plan, {field: Age, edges: [30, 45]}]
"""


def read(text: str, folder: Path) -> Schema:
    """A schema from a file with this text."""
    path = folder / "customers.yaml"
    path.write_text(text, encoding="utf-8")
    return schema_file.read(path)


@given(schemas(), st.lists(TEXTS, max_size=2))
def test_written_and_read_back(schema: Schema, lines: list[str]) -> None:
    """What is written is read as the same schema, whatever its names and values are."""
    comments = dict(zip(schema.fields, lines, strict=False))
    text = schema_writer.write(schema, heading=lines, comments=comments)
    with tempfile.TemporaryDirectory() as folder:
        assert read(text, Path(folder)) == schema


@given(TEXTS)
def test_scalars(text: str) -> None:
    """Any text survives as a value, in a line of its own and inside of brackets."""
    scalar = schema_writer.scalar(text)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.yaml"
        path.write_text(f"a: {scalar}\nb: [{scalar}, {scalar}]\n", encoding="utf-8")
        assert config_file.read_config(path).values == {"a": text, "b": [text, text]}


def test_a_long_reason_with_a_time_in_it(tmp_path: Path) -> None:
    """It is written at once, and quoted since a colon means something in YAML."""
    reason = 'says the same as age in every row, as "2026-01-02T03:04:05.000000Z" for "82"'
    schema = Schema(name="x", id="id", fields={"Age": Integer()}, left_out={"Login": reason})
    assert read(schema_writer.write(schema), tmp_path) == schema


def test_telco_is_written_as_it_stands() -> None:
    """The schema of the bundled customers survives being written."""
    schema = schema_file.read(schema_file.TELCO_FILE)
    with tempfile.TemporaryDirectory() as folder:
        assert read(schema_writer.write(schema), Path(folder)) == schema


def test_written_for_people() -> None:
    """Fields stand in one line each, aligned, with plain words plain and a comment beside."""
    schema = Schema(
        name="bank",
        id="CustomerId",
        fields={"Age": Integer(min=18), "Zip": Integer(), "A long name": Integer()},
        value=12.5,
        left_out={"Surname": "2,932 different texts in 10,000 rows"},
    )
    lines = schema_writer.write(schema, heading=["by init"], comments={"Zip": "codes"}).splitlines()

    assert lines[0] == "# by init"
    assert "  Age:         {type: integer, min: 18}" in lines
    assert "  Zip:         {type: integer}  # codes" in lines
    assert "  Surname: 2,932 different texts in 10,000 rows" in lines


def test_a_value_is_a_number_or_a_field(tmp_path: Path) -> None:
    """What a customer is worth is a number, unless a field is called so."""
    assert read(GOOD.replace("value: null", "value: 20"), tmp_path).value == 20.0
    assert read(GOOD.replace("value: null", "value: Age"), tmp_path).value == "Age"
    fields = "value: 20\nfields:\n  20: {type: number}"
    named = read(GOOD.replace("value: null\nfields:", fields), tmp_path)
    assert named.value == "20"
    for value in ("20", 20.0):
        schema = msgspec.structs.replace(named, value=value)
        assert read(schema_writer.write(schema), tmp_path) == schema


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("min: 18", "mim: 18", r"line 7: fields.Age.mim: there is no such key; did you mean min\?"),
        ("integer", "int", "line 7: fields.Age.type: expected one of integer, number"),
        ("min: 18", "min: x", "line 7: fields.Age.min"),
        ("min: 18", "min: 3, max: 1", "line 7: fields.Age: min 3 is more than max 1"),
        ("[No, Yes]", "[No, No]", "line 8: fields.Plan: a value stands twice"),
        ("name: bank", "name: Bank!", "line 2: name"),
        ("id: CustomerId", "id: Age", "line 3: id: Age stands among the fields"),
        ("field: Exited", "field: Age", "line 4: label: Age is a field, too"),
        ("value: null", "value: Plan", "line 5: value: Plan is no numeric field"),
        ("value: null", "value: -1", "line 5: value: is below 0; a customer is worth 0 or more"),
        ("value: null", "left_out: {Age: old}", "left_out.Age: is a field, too"),
        ("Plan, {", "Other, {", "segments: Other is none of the fields"),
        (", edges: [30, 45]", "", "Age is numeric; say where its bands end"),
        ("[30, 45]", "[45, 30]", "the edges of Age must rise"),
        ("  Plan:", "  prediction:", "events and predictions use this name"),
        ("id: CustomerId", "", "id"),
        ("fields:", "fields: 3\nx:", "fields"),
    ],
)
def test_faults(tmp_path: Path, old: str, new: str, words: str) -> None:
    """What is wrong is named by file, line and field."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        read(GOOD.replace(old, new, 1), tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "customers.yaml"))
    assert "\n" not in str(caught.value)


def test_which_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The named file, else customers.yaml here, else that of the bundled customers."""
    monkeypatch.chdir(tmp_path)
    assert schema_file.find(None) == schema_file.TELCO_FILE
    Path("customers.yaml").touch()
    assert schema_file.find(None) == Path("customers.yaml")
    assert schema_file.find(Path("x.yaml")) == Path("x.yaml")


def test_the_flows_file_says_how_its_topic_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the model's customers have another name; without a file, the model says it."""
    monkeypatch.chdir(tmp_path)
    model = msgspec.structs.replace(
        schema_file.read(schema_file.TELCO_FILE), source=EventSource(envelope="debezium")
    )
    assert schema_file.source_in(None, model) == model.source
    text = schema_file.TELCO_FILE.read_text().replace("name: telco", "name: other")
    Path("customers.yaml").write_text(f"{text}\nsource: {{envelope: cloudevents}}\n")
    assert schema_file.source_in(None, model) == EventSource(envelope="cloudevents")
    assert schema_file.source_in(schema_file.TELCO_FILE, model) is None


def test_schemas_are_values() -> None:
    """Equal schemas have one hash, so that what is made of them is made once."""
    one, two = (schema_file.read(schema_file.TELCO_FILE) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert hash(one) != hash(msgspec.structs.replace(one, name="other"))
