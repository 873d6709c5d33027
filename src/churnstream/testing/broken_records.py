"""One record of each broken kind, for the demo and for tests of what reads the topic."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple


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


def broken_records(customer: Mapping[str, Any]) -> list[BrokenRecord]:
    """Break a good event in every way that was seen in the wild.

    Args:
        customer: A valid event, as JSON would give it.
    """
    good = dict(customer)
    key = str(good["customerID"]).encode()

    def changed(**changes: Any) -> bytes:  # noqa: ANN401  # any JSON value at all
        return json.dumps(good | changes).encode()

    def raw(field: str, token: str) -> bytes:
        """The event with a bare token for a value, valid JSON or not."""
        return changed(**{field: "<token>"}).replace(b'"<token>"', token.encode())

    without = json.dumps({k: v for k, v in good.items() if k != "Contract"}).encode()
    twice = changed()[:-1] + b', "tenure": 1}'
    deep = changed()[:-1] + b', "extra": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"
    return [
        BrokenRecord("not JSON", key, b"customerID=1", "value: is not JSON"),
        BrokenRecord("cut off", key, changed()[:-20], "value: is not JSON"),
        BrokenRecord("not UTF-8", key, _latin1(good), "value: is not UTF-8"),
        BrokenRecord("empty", key, b"", "value: is empty"),
        BrokenRecord("tombstone", key, None, "value: is null"),
        BrokenRecord("an array", key, b"[1, 2]", "value: expected object, got array"),
        BrokenRecord("a string", key, b'"x"', "value: expected object, got str"),
        BrokenRecord("a number", key, b"1", "value: expected object, got int"),
        BrokenRecord("null", key, b"null", "value: expected object, got null"),
        BrokenRecord("missing field", key, without, "Contract: is missing"),
        BrokenRecord("wrong type", key, changed(tenure="12"), "tenure: expected int, got str"),
        BrokenRecord("no bill", key, changed(tenure=9, TotalCharges=" "), "TotalCharges: is blank"),
        BrokenRecord("unknown category", key, changed(Contract="Weekly"), "Contract: "),
        BrokenRecord("NaN", key, raw("MonthlyCharges", "NaN"), "MonthlyCharges: is NaN"),
        BrokenRecord("infinity", key, raw("TotalCharges", "-Infinity"), "TotalCharges: is NaN"),
        BrokenRecord("1e999", key, raw("MonthlyCharges", "1e999"), "MonthlyCharges: "),
        BrokenRecord("negative", key, changed(tenure=-1), "tenure: expected int >= 0"),
        BrokenRecord("400 digits", key, changed(tenure=10**400), "tenure: "),
        BrokenRecord("nested 10,000 deep", key, deep, "value: is nested too deeply"),
        BrokenRecord("a field twice", key, twice, '"tenure": appears more than once'),
        BrokenRecord("900 kB of noise", key, b"x" * 900_000, "value: is not JSON"),
        BrokenRecord("null key", None, changed(), "key: is null"),
        BrokenRecord("another's key", b"0000-OTHER", changed(), 'key: is "0000-OTHER"'),
    ]


def _latin1(good: Mapping[str, Any]) -> bytes:
    return json.dumps({**good, "gender": "é"}, ensure_ascii=False).encode("latin-1")
