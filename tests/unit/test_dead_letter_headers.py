from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, Message
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import event_json, message
from churnstream.kafka.client import headers_of
from churnstream.kafka.writer import FullRecord
from churnstream.pipeline.dead_letter_headers import (
    HEADER_NAMES,
    HEADERS_OMITTED,
    KEY_OMITTED,
    SMALLEST_LIMIT,
    VALUE_OMITTED,
    attempt,
    dead_letter_record,
    describe_rejection,
    failure_headers,
    is_whole,
    original_headers,
    parse_dead_letter,
)
from churnstream.pipeline.replay import Filter, _as_it_was
from churnstream.records.dead_letter import DeadLetter
from churnstream.records.rejection import REASONS, Rejection

NOW = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
WHY = Rejection("unknown_category", "Contract", '"Weekly" is unknown to the model')
LARGE = 2**20

Headers = list[tuple[str, str | bytes | None]]


def described(record: Message, why: Rejection = WHY, **changes: Any) -> DeadLetter:
    """What is said of a record that was rejected."""
    details: dict[str, Any] = {"group": "group", "model_version": "v1", "now": NOW} | changes
    return describe_rejection(record, why, **details)


def rejected(record: Message, why: Rejection = WHY, max_bytes: int = LARGE) -> FullRecord:
    """The dead letter of a record."""
    return dead_letter_record(record, described(record, why), max_bytes)


def as_read(record: FullRecord, offset: int = 0) -> Message:
    """A record as a consumer gets it back from the topic."""
    return message(
        record["value"],
        key=record["key"],
        offset=offset,
        headers=[*record["headers"]],
        timestamp=(TIMESTAMP_CREATE_TIME, record["timestamp"]),
    )


def replayed(letter: FullRecord) -> Message:
    """The record that a replay of this dead letter sends back."""
    record = as_read(letter)
    return as_read(_as_it_was(record, parse_dead_letter(record)))


# ---- what the headers say ----


def test_headers_have_the_names_that_kafka_connect_made_common() -> None:
    """Tools for Kafka Connect's dead letters find what they look for; the rest is ours."""
    assert HEADER_NAMES == {
        "topic": "__connect.errors.topic",
        "partition": "__connect.errors.partition",
        "offset": "__connect.errors.offset",
        "stage": "__connect.errors.stage",
        "class_name": "__connect.errors.class.name",
        "exception_class_name": "__connect.errors.exception.class.name",
        "message": "__connect.errors.exception.message",
        "reason": "churnstream.reason",
        "attempt": "churnstream.attempt",
        "group": "churnstream.group",
        "model_version": "churnstream.model.version",
        "failed_at": "churnstream.failed.at",
        "timestamp": "churnstream.timestamp",
        "timestamp_type": "churnstream.timestamp.type",
    }


def test_headers_tell_place_and_problem() -> None:
    """Every header is text in UTF-8 that a person can read."""
    record = message(b"x", topic="telco.raw.customers", partition=2, offset=17)

    assert dict(failure_headers(described(record))) == {
        "__connect.errors.topic": b"telco.raw.customers",
        "__connect.errors.partition": b"2",
        "__connect.errors.offset": b"17",
        "__connect.errors.stage": b"TRANSFORMATION",
        "__connect.errors.class.name": b"churnstream",
        "__connect.errors.exception.class.name": b"churnstream.unknown_category",
        "__connect.errors.exception.message": b'Contract: "Weekly" is unknown to the model',
        "churnstream.reason": b"unknown_category",
        "churnstream.attempt": b"1",
        "churnstream.group": b"group",
        "churnstream.model.version": b"v1",
        "churnstream.failed.at": b"2026-01-31T12:00:00.123456Z",
        "churnstream.timestamp": b"1767323045000",
        "churnstream.timestamp.type": b"CreateTime",
    }


@pytest.mark.parametrize("reason", REASONS)
def test_the_stage_is_one_of_kafka_connects(reason: Any) -> None:
    """A key, a value or what is made of them can be at fault."""
    stage = described(message(b"x"), Rejection(reason, "field", "detail")).stage

    other = {
        "key_mismatch": "KEY_CONVERTER",
        "not_scorable": "TRANSFORMATION",
        "too_large": "TRANSFORMATION",
        "unknown_category": "TRANSFORMATION",
    }
    assert stage == other.get(reason, "VALUE_CONVERTER")


def test_a_long_message_is_cut() -> None:
    """Headers stay small, whatever the record holds."""
    letter = described(message(b"x"), Rejection("not_json", "value", "x" * 10_000))

    assert len(letter.message) <= 500
    assert letter.message.startswith("value: xxx")


# ---- the record itself ----


@pytest.mark.parametrize("value", [None, b"", b"\xff\x00", event_json()])
@pytest.mark.parametrize("key", [None, b"", b"\xff\x00", b"7590-VHVEG"])
def test_key_and_value_stay_byte_for_byte(key: bytes | None, value: bytes | None) -> None:
    """Null stays null, empty stays empty, and bytes stay those bytes."""
    letter = rejected(message(value, key=key))

    assert (letter["key"], letter["value"]) == (key, value)


@pytest.mark.parametrize("timestamp", [1_767_323_045_678, 0, -62_200_000_000_000, 2**62])
@pytest.mark.parametrize(
    ("kind", "name"),
    [(TIMESTAMP_CREATE_TIME, b"CreateTime"), (TIMESTAMP_LOG_APPEND_TIME, b"LogAppendTime")],
)
def test_the_timestamp_stands_in_headers(kind: int, name: bytes, timestamp: int) -> None:
    """A dead letter says when its record was stamped, and by whom, whatever time that is."""
    headers = dict(rejected(message(b"x", timestamp=(kind, timestamp)))["headers"])

    assert headers["churnstream.timestamp"] == str(timestamp).encode()
    assert headers["churnstream.timestamp.type"] == name


@pytest.mark.parametrize("timestamp", [(0, -1), (1, 0), (1, 2**62), (2, 1_767_323_045_678)])
def test_a_dead_letter_is_stamped_with_its_rejection(timestamp: tuple[int, int]) -> None:
    """A topic may reject a record's own timestamp for ever, or remove the record for its age."""
    record = rejected(message(b"x", timestamp=timestamp))

    assert record["timestamp"] == int(NOW.timestamp() * 1000)


def test_a_record_without_a_timestamp_has_none_in_its_headers() -> None:
    """Nothing is made up, and such a dead letter is read like any other."""
    record = rejected(message(b"x", timestamp=(0, -1)))

    assert (
        not {"churnstream.timestamp", "churnstream.timestamp.type"} & dict(record["headers"]).keys()
    )
    assert parse_dead_letter(as_read(record)).timestamp is msgspec.UNSET


def test_foreign_headers_stay_in_their_order() -> None:
    """Headers of others come first, also those that appear twice, are null or are text."""
    headers: Headers = [("b", b"2"), ("a", None), ("b", b"\xff"), ("c", "Zoë"), ("", b"")]

    letter = rejected(message(b"x", headers=headers))

    assert letter["headers"][:5] == [
        ("b", b"2"),
        ("a", None),
        ("b", b"\xff"),
        ("c", "Zoë".encode()),
        ("", b""),
    ]
    assert letter["headers"][5:] == failure_headers(described(message(b"x")))


def test_headers_of_kafka_connect_that_are_not_ours_stay() -> None:
    """A stack trace that a connector left is foreign to us."""
    trace: Headers = [("__connect.errors.exception.stacktrace", b"at line 1")]

    assert original_headers(message(b"x", headers=trace)) == trace


@pytest.mark.parametrize("room", [0, 1])
def test_a_value_that_does_not_fit_is_left_out(room: int) -> None:
    """A letter that would be larger than the topic takes says how long its value was."""
    small = rejected(message(b"x" * 1_000))
    named = sum(len(name) + len(content or b"") for name, content in small["headers"])
    most = len(b"7590-VHVEG") + 1_000 + named + 120 + 10 * len(small["headers"]) - 1 + room

    letter = rejected(message(b"x" * 1_000), max_bytes=most)

    assert letter["value"] == (b"x" * 1_000 if room else None)
    assert ((VALUE_OMITTED, b"1000") in letter["headers"]) is (not room)
    assert letter["key"] == b"7590-VHVEG"


@pytest.mark.parametrize("room", [0, 1])
def test_a_key_that_does_not_fit_is_left_out(room: int) -> None:
    """What a topic takes of a key may be less than what another took."""
    small = rejected(message(None, key=b"k" * 1_000))
    named = sum(len(name) + len(content or b"") for name, content in small["headers"])
    most = 1_000 + named + 120 + 10 * len(small["headers"]) - 1 + room

    letter = rejected(message(None, key=b"k" * 1_000), max_bytes=most)

    assert letter["key"] == (b"k" * 1_000 if room else None)
    assert ((KEY_OMITTED, b"1000") in letter["headers"]) is (not room)
    assert is_whole(as_read(letter)) is bool(room)


def test_every_dead_letter_fits_into_the_smallest_room() -> None:
    """Whatever a record holds, its dead letter is no larger than what must always be allowed."""
    huge = message(b"v" * 9_000, key=b"k" * 9_000, topic="t" * 249, headers=[("h" * 5_000, b"h")])
    why = Rejection("not_json", "value", "\u00e4" * 10_000)

    letter = dead_letter_record(huge, described(huge, why, group="g" * 255), SMALLEST_LIMIT)

    assert (letter["key"], letter["value"]) == (None, None)
    named = sum(len(name) + len(content or b"") + 10 for name, content in letter["headers"])
    assert 120 + named <= SMALLEST_LIMIT


@pytest.mark.parametrize("name", [KEY_OMITTED, VALUE_OMITTED, HEADERS_OMITTED])
def test_a_header_that_only_looks_as_if_something_was_left_out(name: str) -> None:
    """A record that came with a header of ours is sent back like any other."""
    assert is_whole(as_read(rejected(message(b"x", headers=[(name, b"5")]))))


class Unreadable(Message):
    """A record with a header whose name is no text, as the client library hands it over."""

    asked = 0

    def headers(self) -> Any:
        """Fail as the library does, which is not to be asked again before it was told better."""
        if Unreadable.asked:
            return super().headers()
        Unreadable.asked += 1
        raise SystemError("returned a result with an exception set")


@pytest.mark.parametrize("headers", [None, [("a\0b", b"1")]])
def test_headers_that_cannot_be_read_or_kept_are_said_to_be_missing(headers: Any) -> None:
    """The client library knows names as text without a null, Kafka any bytes."""
    kind = Message if headers else Unreadable
    record = kind(topic="t", partition=0, offset=0, value=b"x", key=b"k", headers=headers)

    letter = rejected(record)

    assert (letter["key"], letter["value"]) == (b"k", b"x")
    assert dict(letter["headers"])[HEADERS_OMITTED] == b"unreadable"
    assert not is_whole(as_read(letter))


# ---- there and back ----

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
NUMBER = st.integers(0, 2**63 - 1)
HEADER = st.tuples(
    TEXT.filter(lambda name: name not in HEADER_NAMES.values() and "\0" not in name),
    st.none() | st.binary(max_size=20),
)
REJECTION = st.builds(Rejection, st.sampled_from(REASONS), TEXT, TEXT)
RECORD = st.builds(
    message,
    st.none() | st.binary(max_size=50),
    key=st.none() | st.binary(max_size=20),
    topic=st.text("abc._-", min_size=1, max_size=20),
    partition=st.integers(0, 2**31 - 1),
    offset=NUMBER,
    headers=st.lists(HEADER, max_size=4),
)
FAST = settings(deadline=None)


@FAST
@given(RECORD, REJECTION, TEXT, TEXT, st.datetimes(timezones=st.just(UTC)))
def test_what_is_described_can_be_read_back(
    record: Message, why: Rejection, group: str, version: str, now: datetime
) -> None:
    """Description to headers to description is the same, field by field."""
    letter = described(record, why, group=group, model_version=version, now=now)

    assert parse_dead_letter(as_read(dead_letter_record(record, letter, LARGE))) == letter


@FAST
@given(RECORD, REJECTION)
def test_foreign_headers_are_untouched(record: Message, why: Rejection) -> None:
    """What came with the record is what a reader of the dead letter finds beside ours."""
    came = record.headers() or []

    assert original_headers(as_read(rejected(record, why))) == came


@FAST
@given(RECORD, REJECTION, st.integers(1, 5))
def test_replays_do_not_pile_up(record: Message, why: Rejection, times: int) -> None:
    """However often a record is rejected and sent back, it keeps its size but for one count."""
    letter = rejected(record, why)
    again = record
    for _ in range(times):
        again = replayed(rejected(again, why))

    last = rejected(again, why)
    assert [name for name, _ in last["headers"]] == [name for name, _ in letter["headers"]]
    assert (last["key"], last["value"]) == (record.key(), record.value())
    assert parse_dead_letter(as_read(last)).timestamp == record.timestamp()[1]
    assert parse_dead_letter(as_read(last)).attempt == times + 1


def test_a_replayed_record_is_the_original_with_a_count() -> None:
    """A replay takes the failure off again, and leaves how often there was one."""
    record = message(b"x", key=b"k", headers=[("trace", b"42")], timestamp=(1, 5))

    back = replayed(rejected(record))

    assert (back.key(), back.value(), back.timestamp()) == (b"k", b"x", (1, 5))
    assert back.headers() == [("trace", b"42"), ("churnstream.attempt", b"1")]


def test_a_dead_letter_without_the_timestamp_headers_is_replayed_with_its_own() -> None:
    """Earlier versions stamped dead letters like their records, and had no headers for it."""
    letter = as_read(rejected(message(b"x", timestamp=(1, 5))))
    old = [(n, v) for n, v in headers_of(letter) or [] if "timestamp" not in n]
    record = message(b"x", headers=[*old], timestamp=(1, 5))

    assert _as_it_was(record, parse_dead_letter(record))["timestamp"] == 5


def test_a_record_that_is_rejected_again_says_why_this_time() -> None:
    """The headers of an earlier failure are replaced, its count is raised."""
    back = replayed(rejected(message(b"x", topic="t", partition=1, offset=5)))
    another = Rejection("not_json", "value", "is not JSON")

    letter = parse_dead_letter(as_read(rejected(back, another)))

    assert (letter.reason, letter.message, letter.attempt) == ("not_json", str(another), 2)


@pytest.mark.parametrize(
    ("header", "count"),
    [(None, 0), (b"", 0), (b"0", 0), (b"3", 3), ("3", 3), (b"many", 0), (b"-1", 0), (b"\xb2", 0)],
)
def test_a_count_that_is_none_counts_as_none(header: str | bytes | None, count: int) -> None:
    """Whatever stands in the header of the count, it does not stop the consumer."""
    assert attempt(message(b"x", headers=[("churnstream.attempt", header)])) == count


def test_a_record_without_headers_was_never_rejected() -> None:
    """A first rejection is number 1."""
    assert attempt(message(b"x")) == 0
    assert described(message(b"x")).attempt == 1


# ---- records that are no dead letters of ours ----


def test_a_record_without_our_headers_is_no_dead_letter() -> None:
    """Others may write to the topic, too; their records are told apart."""
    with pytest.raises(msgspec.ValidationError):
        parse_dead_letter(message(b"x", headers=[("__connect.errors.topic", b"orders")]))


@pytest.mark.parametrize("field", [name for name in HEADER_NAMES if "timestamp" not in name])
def test_a_dead_letter_needs_every_header(field: str) -> None:
    """A header that is missing is named; only a timestamp may be."""
    letter = rejected(message(b"x"))
    left = [(name, text) for name, text in letter["headers"] if name != HEADER_NAMES[field]]

    with pytest.raises(msgspec.ValidationError, match=f"`{field}`"):
        parse_dead_letter(message(b"x", headers=[*left]))


@FAST
@given(st.sampled_from(list(HEADER_NAMES)), st.none() | st.binary(max_size=20))
def test_other_bytes_in_a_header_are_read_or_rejected(field: str, content: bytes | None) -> None:
    """Headers at random yield a dead letter or the error that readers expect."""
    letter = rejected(message(b"x"))
    headers = [
        (name, content if name == HEADER_NAMES[field] else text) for name, text in letter["headers"]
    ]

    try:
        found = parse_dead_letter(message(b"x", headers=[*headers]))
    except msgspec.ValidationError:
        return
    assert isinstance(found, DeadLetter)


# ---- which letters are meant ----


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        (Filter(), True),
        (Filter(reasons=("unknown_category",)), True),
        (Filter(reasons=("not_json", "unknown_category")), True),
        (Filter(reasons=("not_json",)), False),
        (Filter(since=NOW), True),
        (Filter(since=NOW + timedelta(microseconds=1)), False),
        (Filter(until=NOW), False),
        (Filter(until=NOW + timedelta(microseconds=1)), True),
        (Filter(offsets=(7, 9)), True),
        (Filter(offsets=(8,)), False),
        (Filter(offsets=(0,)), False),
        (Filter(reasons=("unknown_category",), offsets=(8,)), False),
    ],
)
def test_a_filter_means_what_fits_all_of_it(wanted: Filter, meant: bool) -> None:
    """Reasons and offsets are any of, times are from and before, and all must fit."""
    assert wanted.matches(described(message(b"x")), offset=7) is meant
