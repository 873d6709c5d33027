"""One record of each broken kind, for the demo and for tests of what reads the topic."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from churnstream.schema.fields import AnyField, Boolean, Category, Integer, MissingRule, Number
from churnstream.schema.schema import Schema

Broken = Iterator["BrokenRecord"]


class BrokenRecord(NamedTuple):
    """A record that must become a dead letter.

    Attributes:
        kind: What is wrong with it, in words.
        expected: What the dead letter's message begins with.
    """

    kind: str
    key: bytes | None
    value: bytes | None
    expected: str


def broken_records(schema: Schema, customer: Mapping[str, Any]) -> list[BrokenRecord]:
    """Break a good event in every way that was seen in the wild, as far as it has such fields.

    Args:
        schema: Of the event.
        customer: A valid event, as JSON would give it.
    """
    good = dict(customer)
    key = str(good[schema.id]).encode()
    return [*_broken_values(schema, good, key), *_broken_fields(schema, good, key)]


def _broken_values(schema: Schema, good: dict[str, Any], key: bytes) -> Broken:
    """The record as a whole is at fault."""
    whole, first = _json(good), next(iter(schema.fields))
    twice = whole[:-1] + f", {json.dumps(first)}: 1}}".encode()
    deep = whole[:-1] + b', "extra": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"
    latin_1 = json.dumps({**good, "extra": "é"}, ensure_ascii=False).encode("latin-1")
    another = b"0000-OTHER"
    yield BrokenRecord("not JSON", key, b"customer=1", "value: is not JSON")
    yield BrokenRecord("cut off", key, whole[:-20], "value: is not JSON")
    yield BrokenRecord("not UTF-8", key, latin_1, "value: is not UTF-8")
    yield BrokenRecord("empty", key, b"", "value: is empty")
    yield BrokenRecord("tombstone", key, None, "value: is null")
    yield BrokenRecord("an array", key, b"[1, 2]", "value: expected object, got array")
    yield BrokenRecord("a string", key, b'"x"', "value: expected object, got str")
    yield BrokenRecord("a number", key, b"1", "value: expected object, got number")
    yield BrokenRecord("null", key, b"null", "value: expected object, got null")
    if sys.version_info < (
        3,
        14,
    ):  # from then on as deep as memory allows, in a field of no interest
        yield BrokenRecord("nested 10,000 deep", key, deep, "value: is nested too deeply")
    yield BrokenRecord("a field twice", key, twice, f"{json.dumps(first)}: appears more than once")
    yield BrokenRecord("900 kB of noise", key, b"x" * 900_000, "value: is not JSON")
    yield BrokenRecord("null key", None, whole, "key: is null")
    yield BrokenRecord("another's key", another, whole, 'key: is "0000-OTHER"')


def _broken_fields(schema: Schema, good: dict[str, Any], key: bytes) -> Broken:
    """One field is at fault."""

    def record(kind: str, name: str, value: object, problem: str) -> BrokenRecord:
        return BrokenRecord(kind, key, _json(good | {name: value}), f"{name}: {problem}")

    def token(kind: str, name: str, text: str) -> BrokenRecord:
        """With a bare token for a value, valid JSON or not."""
        value = _json(good | {name: "<token>"}).replace(b'"<token>"', text.encode())
        return BrokenRecord(kind, key, value, f"{name}: is ")

    if name := _first(schema, lambda field: not field.may_be_missing):
        without = _json({k: v for k, v in good.items() if k != name})
        yield BrokenRecord("missing field", key, without, f"{name}: is missing")
        yield record("wrong type", name, [1], "expected ")
    if name := _first(schema, _is_closed):
        yield record("unknown category", name, "no such thing", '"no such thing" is ')
    if name := _first(schema, lambda field: isinstance(field, Integer | Number)):
        yield token("NaN", name, "NaN")
        yield token("infinity", name, "-Infinity")
        yield token("1e999", name, "1e999")
    if name := _first(schema, _is_never_negative):
        yield record("negative", name, -1, "expected 0 or more")
    if name := _first(schema, lambda field: isinstance(field, Integer)):
        yield record("400 digits", name, 10**400, "")
    yield from _not_where_it_may_be_missing(schema, good, record)


def _not_where_it_may_be_missing(
    schema: Schema, good: dict[str, Any], record: Callable[..., BrokenRecord]
) -> Broken:
    for name, field in schema.fields.items():
        if isinstance(field.missing, MissingRule) and field.missing.only_where:
            other, wanted = next(iter(field.missing.only_where.items()))
            if isinstance(schema.fields[other], Integer) and str(good[other]) != wanted:
                yield record("missing where it may not be", name, " ", "is blank")


def _first(schema: Schema, wanted: Callable[[AnyField], bool]) -> str | None:
    return next((name for name, field in schema.fields.items() if wanted(field)), None)


def _is_closed(field: AnyField) -> bool:
    closed = isinstance(field, Category) and field.values and field.unknown == "reject"
    return bool(closed) or isinstance(field, Boolean)


def _is_never_negative(field: AnyField) -> bool:
    return isinstance(field, Integer | Number) and field.min == 0


def _json(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event).encode()
