"""Every kind of bad record, in one run through the broker, each between two good neighbours."""

import json
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Message

from builders import customer, event_json, without
from churnstream.records.rejection import Reason
from integration.flow import (
    PARTITIONS,
    NewFlow,
    Position,
    Sent,
    headers_of,
    raw_headers,
    source_of,
)

TEXTS = (
    "gender",
    "Partner",
    "Dependents",
    "PhoneService",
    "MultipleLines",
    "InternetService",
    "OnlineSecurity",
    "OnlineBackup",
    "DeviceProtection",
    "TechSupport",
    "StreamingTV",
    "StreamingMovies",
    "Contract",
    "PaperlessBilling",
    "PaymentMethod",
)
FLAGS = ("Partner", "Dependents", "PhoneService", "PaperlessBilling")
NUMBERS = ("SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges")
KEY = customer()["customerID"].encode()
HUGE = 900_000
HEADERS = (("trace", b"\x00\xff"), ("trace", b""), ("none", None))
TIMESTAMP = 1_234_567_890_123


class Bad(NamedTuple):
    """A record that must be rejected.

    Attributes:
        reason: Goes into the dead letter's headers, with a message that begins with `says`.
    """

    name: str
    value: bytes | None
    reason: Reason
    says: str
    key: bytes | None = KEY


class Good(NamedTuple):
    """A record that looks odd, and must be scored."""

    name: str
    value: bytes


def raw(field: str, token: str) -> bytes:
    """A valid event with a bare token for a value, valid JSON or not."""
    return event_json(**{field: "<token>"}).replace(b'"<token>"', token.encode())


def appended(member: str) -> bytes:
    """A valid event with one more member, as it stands."""
    return event_json()[:-1] + b", " + member.encode() + b"}"


def no_objects() -> Iterator[Bad]:
    """Values that hold no customer at all."""
    yield Bad("not JSON", b"customerID=1", "not_json", "value: is not JSON")
    yield Bad("cut off", event_json()[:-20], "not_json", "value: is not JSON")
    yield Bad("two objects", event_json() * 2, "not_json", "value: is not JSON")
    yield Bad("noise of 900 kB", b"\xfe" * HUGE, "not_json", "value: is not JSON")
    digits = b"7" * HUGE
    yield Bad("digits of 900 kB", digits, "not_an_object", "value: ")
    yield Bad("UTF-16", event_json().decode().encode("utf-16"), "not_json", "value: is not JSON")
    latin = json.dumps(customer(gender="é"), ensure_ascii=False).encode("latin-1")
    yield Bad("not UTF-8", latin, "not_utf8", "value: is not UTF-8")
    unread = event_json(extra="<byte>").replace(b"<byte>", b"\xff")
    yield Bad("not UTF-8 in an extra field", unread, "not_utf8", "value: is not UTF-8")
    yield Bad("empty", b"", "empty", "value: is empty")
    yield Bad("blank", b" \n", "not_json", "value: is not JSON")
    yield Bad("tombstone", None, "empty", "value: is null")
    for name, value, kind in (
        ("an array", b"[1, 2]", "array"),
        ("a string", b'"customer"', "str"),
        ("a number", b"1.5", "number"),
        ("true", b"true", "bool"),
        ("null", b"null", "null"),
    ):
        yield Bad(name, value, "not_an_object", f"value: expected object, got {kind}")
    deep = "[" * 10_000 + "]" * 10_000
    yield Bad("deep", deep.encode(), "not_an_object", "value: expected object, got array")
    yield Bad("deep and open", b"[" * 10_000, "not_an_object", "value: expected object, got array")
    yield Bad(
        "deep in a field",
        raw("gender", deep),
        "wrong_type",
        "gender: expected a text, got an array",
    )
    if sys.version_info < (3, 14):  # from then on it is read over
        yield Bad("deep in extra", raw("extra", deep), "not_json", "value: is nested too deeply")


def keys() -> Iterator[Bad]:
    """Keys that are not the customer's."""
    for name, key, shown in (
        ("null key", None, "is null"),
        ("empty key", b"", 'is ""'),
        ("another's key", b"0000-OTHER", 'is "0000-OTHER"'),
        ("key of bytes", b"\xff\x00", "is "),
    ):
        yield Bad(name, event_json(), "key_mismatch", f"key: {shown}", key)


def fields() -> Iterator[Bad]:
    """Each field, broken in each way."""
    for field in customer():
        yield Bad(f"no {field}", without(field), "missing_field", f"{field}: is missing")
        twice = appended(f'"{field}": {json.dumps(customer()[field])}')
        yield Bad(f"{field} twice", twice, "duplicate_field", f'"{field}": appears more than once')
    twice = appended('"extra": 1, "extra": 2')
    yield Bad("extra twice", twice, "duplicate_field", '"extra": appears more than once')
    for field in (*TEXTS, "event_ts"):
        yield _wrong(field, 5, "int")
        yield _wrong(field, None, "null")
    for field in (*TEXTS, "customerID", "event_ts"):
        yield _wrong(field, ["Yes"], "array")
    yield _wrong("customerID", 5.5, "float")
    yield Bad("customerID null", event_json(customerID=None), "wrong_type", "customerID: is null")
    yield Bad(
        "customerID empty", event_json(customerID=""), "invalid_value", "customerID: is empty"
    )
    for field in NUMBERS[1:]:
        yield _wrong(field, True, "bool")
    for field in NUMBERS:
        yield _wrong(field, {}, "object")
        if field != "TotalCharges":
            yield _wrong(field, None, "null")
    yield _wrong("SeniorCitizen", "old", "str")
    for field in TEXTS:
        problem = "none of" if field in FLAGS else "unknown to the model; it knows"
        says = f'{field}: "Maybe" is {problem} "'
        yield Bad(f"unknown {field}", event_json(**{field: "Maybe"}), "unknown_category", says)
    value = event_json(SeniorCitizen=2)
    yield Bad("unknown SeniorCitizen", value, "unknown_category", "SeniorCitizen: 2 is none of")


def _wrong(field: str, value: Any, kind: str) -> Bad:
    says = f"{field}: expected"
    return Bad(f"{field} of type {kind}", event_json(**{field: value}), "wrong_type", says)


def numbers() -> Iterator[Bad]:
    """Numbers that no customer can have."""
    for field in NUMBERS:
        for token in ("NaN", "Infinity", "-Infinity"):
            says = f"{field}: is NaN or infinite"
            yield Bad(f"{field} {token}", raw(field, token), "out_of_range", says)
        for token in ("1e999", "-1e999"):
            yield Bad(f"{field} {token}", raw(field, token), "out_of_range", f"{field}: ")
        digits = "9" * 400
        reason: Reason = "unknown_category" if field == "SeniorCitizen" else "out_of_range"
        yield Bad(f"{field} of 400 digits", raw(field, digits), reason, f"{field}: ")
        yield Bad(f"{field} of 5,000 digits", raw(field, "9" * 5000), "out_of_range", f"{field}: ")
    for field in NUMBERS[1:]:
        yield Bad(f"{field} -1", raw(field, "-1"), "out_of_range", f"{field}: expected")
    yield Bad("SeniorCitizen -1", raw("SeniorCitizen", "-1"), "unknown_category", "SeniorCitizen: ")
    yield Bad(
        "tenure 1.5", raw("tenure", "1.5"), "wrong_type", "tenure: expected a whole number, got 1.5"
    )
    for field, kind in zip(NUMBERS[1:], ("a whole number", "a number", "a number"), strict=True):
        for text in ("a lot", "Infinity", "1_0"):
            says = f'{field}: expected {kind}, got "{text}"'
            value = event_json(**{field: text})
            yield Bad(f"{field} text {text}", value, "invalid_value", says)
        for text in ("-1", "1e999", "9" * 400):
            value = event_json(**{field: text})
            yield Bad(f"{field} text {text[:9]}", value, "out_of_range", f"{field}: ")
    for total in (" ", "NaN", None):
        value = event_json(TotalCharges=total, tenure=5)
        yield Bad(f"TotalCharges {total!r}", value, "invalid_value", "TotalCharges: is blank")


def times() -> Iterator[Bad]:
    """Moments that are none."""
    for text in ("yesterday", "2026-01-02", "2026-13-02T03:04:05Z", "2026-01-02T03:04:05"):
        value = event_json(event_ts=text)
        yield Bad(f"event_ts {text}", value, "invalid_value", "event_ts: ")
    value = event_json(event_ts="0001-01-01T00:00:00+12:00")
    yield Bad("event_ts before year 1", value, "out_of_range", "event_ts: ")


BAD = [*no_objects(), *keys(), *fields(), *numbers(), *times()]
GOOD = [
    Good("extra fields", event_json(extra=1, nested={"a": [None, {"b": 2}]})),
    Good("extra field of 900 kB", event_json(extra="x" * HUGE)),
    Good("extra integer of 400 digits", raw("extra", "9" * 400)),
    Good("extra field of 100 levels", raw("extra", "[" * 100 + "]" * 100)),
    Good("other order", json.dumps(dict(reversed(customer().items()))).encode()),
    Good("white space", json.dumps(customer(), indent=4).encode() + b"\r\n"),
    Good("escapes", event_json().replace(b"gender", b"g\\u0065nder")),
    Good("labelled", event_json(Churn="Yes")),
    Good("label null", event_json(Churn=None)),
    Good("TotalCharges text", event_json(TotalCharges=" 29.85 ")),
    Good("numbers as text", event_json(tenure="1", MonthlyCharges="29.85", SeniorCitizen="0")),
    Good("a whole number with a fraction of 0", raw("tenure", "1.0")),
    Good("flags as numbers and literals", event_json(SeniorCitizen=False, Partner=True)),
    Good("a category with blanks around", event_json(Contract=" One year ")),
    Good("a label that nobody knows", event_json(Churn="Maybe")),
    Good("a label of another kind", event_json(Churn=["Yes"])),
    Good("a label that is no number anywhere", raw("Churn", "1e999")),
    Good("an extra number that no computer holds", raw("extra", "9" * 5000)),
    Good("new, blank", event_json(TotalCharges=" ", tenure=0)),
    Good("new, null", event_json(TotalCharges=None, tenure=0)),
    Good("largest numbers", event_json(tenure=2**63 - 1, MonthlyCharges=1e308, TotalCharges=1e308)),
    Good("other time zone", event_json(event_ts="2026-01-02T03:04:05.678+05:30")),
]


class Outcome(NamedTuple):
    """What became of the records.

    Attributes:
        sent: Every record by its position.
        at: The position of each odd or bad record by its name.
        scored: The positions that were scored, as often as they were.
        dead_letters: The dead letters by the position of their original.
    """

    sent: dict[Position, Sent]
    at: dict[str, Position]
    scored: list[Position]
    dead_letters: dict[Position, list[Message]]


@pytest.fixture(scope="module")
def outcome(new_flow: NewFlow) -> Outcome:
    """All records were sent with a good one on either side, and scored in one run."""
    flow = new_flow("bad-input")
    records: list[Sent] = []
    numbers = {}
    odd_ones: list[Bad | Good] = [*BAD, *GOOD]
    for number, odd in enumerate(odd_ones):
        key = odd.key if isinstance(odd, Bad) else KEY
        partition = number % len(PARTITIONS)
        neighbour = Sent(event_json(), KEY, partition)
        numbers[odd.name] = len(records) + 1
        records += [neighbour, Sent(odd.value, key, partition, HEADERS, TIMESTAMP), neighbour]
    positions = flow.send(records)
    flow.consume()
    dead_letters: dict[Position, list[Message]] = {}
    for dead_letter in flow.dead_letters():
        dead_letters.setdefault(source_of(dead_letter), []).append(dead_letter)
    return Outcome(
        sent=dict(zip(positions, records, strict=True)),
        at={name: positions[number] for name, number in numbers.items()},
        scored=[(p.source_partition, p.source_offset) for p in flow.predictions()],
        dead_letters=dead_letters,
    )


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_rejected(outcome: Outcome, bad: Bad) -> None:
    """A bad record becomes one dead letter that names the field and its problem."""
    (dead_letter,) = outcome.dead_letters[outcome.at[bad.name]]
    headers = headers_of(dead_letter)
    assert headers["churnstream.reason"] == bad.reason
    message = headers["__connect.errors.exception.message"]
    assert message.startswith(bad.says)
    assert message.isprintable()


def test_untouched(outcome: Outcome) -> None:
    """A dead letter has value, key, headers and timestamp of its original, byte for byte."""
    for bad in BAD:
        (dead_letter,) = outcome.dead_letters[outcome.at[bad.name]]
        assert dead_letter.value() == bad.value, bad.name
        assert dead_letter.key() == bad.key
        assert tuple(raw_headers(dead_letter)[: len(HEADERS)]) == HEADERS
        assert headers_of(dead_letter)["churnstream.timestamp"] == str(TIMESTAMP)
        assert headers_of(dead_letter)["churnstream.timestamp.type"] == "CreateTime"


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good.name)
def test_scored(outcome: Outcome, good: Good) -> None:
    """A record that is odd, but a customer, is scored."""
    position = outcome.at[good.name]
    assert outcome.scored.count(position) == 1
    assert position not in outcome.dead_letters


def test_neighbours(outcome: Outcome) -> None:
    """All records around the bad ones are scored once, and the bad ones are not."""
    bad = {outcome.at[bad.name] for bad in BAD}
    assert sorted(outcome.scored) == sorted(set(outcome.sent) - bad)
    assert set(outcome.dead_letters) == bad
