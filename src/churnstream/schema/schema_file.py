"""Schema files: YAML to `Schema` and back, faults named by file, line and field."""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from churnstream import config_file
from churnstream.config_file import Names
from churnstream.errors import ConfigurationError
from churnstream.schema.event_source import EventSource
from churnstream.schema.fields import AnyField
from churnstream.schema.schema import Schema
from churnstream.schema.schema_checks import faults
from churnstream.schema.values import as_number

DEFAULT_FILE = Path("customers.yaml")
TELCO_FILE = Path(__file__).with_name("telco.yaml")

_AT = re.compile(r"(?P<problem>.*) - at `\$\.?(?P<path>.*)`", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_KINDS = get_args(AnyField)
_TYPES = [kind.__struct_config__.tag for kind in _KINDS]


def find(path: Path | None) -> Path:
    """The schema file to use: the one that is named, `customers.yaml` here, or Telco's."""
    return path or (DEFAULT_FILE if os.path.lexists(DEFAULT_FILE) else TELCO_FILE)


def read(path: Path) -> Schema:
    """Read a schema.

    Raises:
        ConfigurationError: It cannot be read, or something in it is wrong; in one line.
    """
    found = config_file.read_config(path)
    values = _without_nulls(found.values)
    at: Names = ()
    try:
        if isinstance(fields := values.get("fields"), dict):
            for name, field in fields.items():  # one by one: an error does not say in which
                at = ("fields", name)
                msgspec.convert(field, AnyField, strict=False)
        at = ()
        schema = msgspec.convert(_with_number(values), Schema, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(_in_words(path, found.lines, at, str(error))) from error
    for where, problem in faults(schema):
        raise ConfigurationError(f"{path}{_line(found.lines, where)}: {'.'.join(where)}: {problem}")
    return schema


def source_in(path: Path | None, schema: Schema) -> EventSource | None:
    """How the topic of the flow is read: as its schema file says, if there is one.

    What events look like may change without another training, so the file of the flow counts more
    than what a model was trained with, also where it calls the customers otherwise: whoever audits
    the flow goes by the file alone.

    Args:
        path: The schema file that is named; None: `customers.yaml` here, if there is one.

    Raises:
        ConfigurationError: It cannot be read, or something in it is wrong.
    """
    if path is None and not os.path.lexists(DEFAULT_FILE):
        return schema.source
    return read(find(path)).source


def _without_nulls(values: Mapping[str, Any]) -> dict[str, Any]:
    """A key without a value is as good as none."""
    return {name: value for name, value in values.items() if value is not None}


def _with_number(values: dict[str, Any]) -> dict[str, Any]:
    """The same values, with what a customer is worth as a number unless it is a field's name."""
    value, fields = values.get("value"), values.get("fields")
    number = as_number(value)
    if not isinstance(fields, dict) or value in fields or number is None:
        return values
    return {**values, "value": float(number)}


def _in_words(path: Path, lines: Mapping[Names, int], at: Names, text: str) -> str:
    match = _AT.fullmatch(text)
    problem, where = (match["problem"], match["path"]) if match else (text, "")
    names = (*at, *_names(where))
    if unknown := _UNKNOWN.fullmatch(problem):
        names = (*names, unknown["name"])
        problem = f"there is no such key{_close(unknown['name'])}"
    if "Invalid value" in problem and names[-1:] == ("type",):
        problem = f"expected one of {', '.join(_TYPES)}"
    problem = problem.replace("`", "").replace("Object ", "")
    field = f"{'.'.join(names)}: " if names else ""
    return f"{path}{_line(lines, names)}: {field}{problem[:1].lower()}{problem[1:]}"


def _names(where: str) -> Names:
    """From `label.churned` or `segments[1].edges` to the names that stand in the file."""
    return tuple(part for part in re.split(r"[.\[\]]+", where) if part and part != "...")


def _close(name: str) -> str:
    known = [*Schema.__struct_fields__, *(n for kind in _KINDS for n in kind.__struct_fields__)]
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _line(lines: Mapping[Names, int], names: Names) -> str:
    known = (lines[names[:depth]] for depth in range(len(names), 0, -1) if names[:depth] in lines)
    line = next(known, None)
    return f", line {line}" if line else ""
