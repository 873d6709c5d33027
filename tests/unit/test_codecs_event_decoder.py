import json
import re
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.json import encode
from msgspec.structs import replace

from builders import TELCO, CustomerEvent, customer, decode_event, event_json, without
from churnstream.codecs.event_decoder import EventDecoder
from churnstream.escaping import quote
from churnstream.records.rejection import REASONS, Rejection
from churnstream.schema.schema import Schema
from churnstream.schema.values import read


def with_values(**values: tuple[str, ...]) -> Schema:
    """The schema of Telco with other values of some categories."""
    fields = {name: replace(TELCO.fields[name], values=known) for name, known in values.items()}
    return replace(TELCO, fields=TELCO.fields | fields)


ROOT = Path(__file__).parents[2]
telco = EventDecoder(TELCO)
known = EventDecoder(with_values(Contract=("One year", "Two year")))
KEY = b"7590-VHVEG"
FIELDS = CustomerEvent.__struct_fields__
NUMBERS = ("SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges")
# A detail quotes at most two values of 40 characters, each up to 12 when escaped.
SHORT = 1_100

JSON_TYPES: dict[str, Any] = {
    "null": None,
    "bool": True,
    "int": 1,
    "float": 1.5,
    "str": "text",
    "array": [],
    "object": {},
}
TEXTS = {"bool", "int", "float", "str"}  # what a category or a flag may be written as
ACCEPTED = {
    **dict.fromkeys(TELCO.categorical, TEXTS),
    "customerID": {"str", "int"},
    "tenure": {"int"},
    "MonthlyCharges": {"int", "float"},
    "TotalCharges": {"int", "float", "null"},
    "Churn": set(JSON_TYPES),
}
WRONG_TYPES = [
    (field, kind)
    for field in FIELDS
    for kind in JSON_TYPES
    if kind not in ACCEPTED.get(field, {"str"})
]


def decode(value: bytes | None = None, key: bytes | None = KEY, **changes: Any) -> Any:
    """Decode `value`, by default a valid event with `changes` made to it."""
    return decode_event(event_json(**changes) if value is None else value, key)


def rejection(
    value: bytes | None = None,
    key: bytes | None = KEY,
    decoder: EventDecoder = decode_event,
    **changes: Any,
) -> Rejection:
    """The same, where a rejection is expected."""
    found = decoder(event_json(**changes) if value is None else value, key)
    assert isinstance(found, Rejection)
    return found


def with_token(field: str, token: str) -> bytes:
    """A valid event that holds a bare token, valid JSON or not, in `field`."""
    return event_json(**{field: "<token>"}).replace(b'"<token>"', token.encode())


def assert_fit_for_a_header(found: Rejection) -> None:
    """A rejection has a known reason, and its text is one short line of ASCII."""
    text = str(found)
    assert found.reason in REASONS
    assert text.isascii()
    assert text.isprintable()
    assert len(text) <= SHORT


# ---- events ----


def test_a_valid_event_keeps_every_field() -> None:
    """Every field arrives as it was sent, the timestamp as a moment in UTC."""
    timestamp = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    event = decode(Churn="Yes")

    assert msgspec.structs.asdict(event) == {**customer(Churn="Yes"), "event_ts": timestamp}


@pytest.mark.parametrize("label", ["Yes", "No", None])
def test_the_label_is_optional(label: str | None) -> None:
    """An event may say whether the customer churned, or that nobody knows."""
    assert decode(Churn=label).Churn == label


def test_an_event_without_a_label_has_none() -> None:
    """A missing label is no fault."""
    assert decode().Churn is None


def test_unknown_fields_are_let_through() -> None:
    """Fields that nobody knows change nothing, whatever they hold."""
    extra = {"plan": {"tenure": 1, "tags": [1, None, "x:y"]}, "": "\\", "huge": 10**500}

    assert decode(event_json(**extra)) == decode()


def test_the_order_of_fields_is_irrelevant() -> None:
    """An event says the same with its fields in another order."""
    shuffled = json.dumps(dict(reversed(customer().items()))).encode()

    assert decode(shuffled) == decode()


def test_an_encoded_event_decodes_to_itself() -> None:
    """What one process writes, another reads."""
    event = decode(Churn="No", TotalCharges=12.5)

    assert decode(encode(event)) == event


# ---- every field, missing and of a wrong type ----


@pytest.mark.parametrize("field", [name for name in FIELDS if name != "Churn"])
def test_a_missing_field_is_named(field: str) -> None:
    """An event that lacks a field is rejected with the field's name."""
    assert rejection(without(field)) == Rejection("missing_field", field, "is missing")


@pytest.mark.parametrize(("field", "kind"), WRONG_TYPES)
def test_a_wrong_type_is_named(field: str, kind: str) -> None:
    """A value that cannot be meant is rejected with what is expected in the field, and what is."""
    found = rejection(event_json(**{field: JSON_TYPES[kind]}))

    # A text might have held a number or a moment; another type could not.
    reason = "invalid_value" if kind == "str" else "wrong_type"
    assert (found.reason, found.field) == (reason, field)
    if kind != "str" and (field, kind) != ("customerID", "null"):
        assert re.fullmatch(r"expected [a-z ]+, got .+", found.detail)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_have_is_named(field: str, token: str) -> None:
    """NaN and infinity, which some encoders write, are rejected with the field's name."""
    found = rejection(with_token(field, token))

    assert found == Rejection("out_of_range", field, "is NaN or infinite, which JSON does not have")


# ---- numbers ----


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize("token", ["1e999", "-1e999", "9" * 400, "-" + "9" * 400])
def test_a_number_too_large_for_any_type_is_named(field: str, token: str) -> None:
    """Numbers that overflow are rejected with the field's name, however they are written."""
    found = rejection(with_token(field, token))

    assert found.field == field
    assert found.reason == "out_of_range" or (field, token[-1]) == ("SeniorCitizen", "9")
    assert_fit_for_a_header(found)


@pytest.mark.parametrize("field", ["tenure", "MonthlyCharges", "TotalCharges"])
def test_a_negative_number_is_named(field: str) -> None:
    """Months and charges cannot be negative."""
    found = rejection(event_json(**{field: -1}))

    assert (found.reason, found.field) == ("out_of_range", field)
    assert found.detail == "expected 0 or more, got -1"


@pytest.mark.parametrize("senior", [-1, 2])
def test_senior_citizen_is_0_or_1(senior: int) -> None:
    """Another number is rejected as a category that does not exist."""
    found = rejection(SeniorCitizen=senior)

    assert (found.reason, found.field) == ("unknown_category", "SeniorCitizen")


@pytest.mark.parametrize("field", ["tenure", "MonthlyCharges", "TotalCharges"])
def test_zero_is_a_number_like_any_other(field: str) -> None:
    """0 is the least that is accepted."""
    assert getattr(decode(event_json(**{field: 0})), field) == 0


@pytest.mark.parametrize("field", ["tenure", "MonthlyCharges", "TotalCharges"])
@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), (" 12\t", 12), ("0", 0), ("1e3", 1000), ("+1", 1), ("12.0", 12), ("$7", 7)],
)
def test_a_number_may_stand_as_text(field: str, text: str, number: int) -> None:
    """A text that holds a number is that number, of the field's own type."""
    found = getattr(decode(event_json(**{field: text})), field)

    assert (type(found), found) == (int if field == "tenure" else float, number)


@pytest.mark.parametrize(("text", "number"), [("29.85", 29.85), (".5", 0.5), ("1.5E-7", 1.5e-7)])
def test_a_part_of_a_number_may_stand_as_text(text: str, number: float) -> None:
    """Text with decimals is an amount, and no number of months."""
    assert decode(MonthlyCharges=text).MonthlyCharges == number
    assert rejection(tenure=text).reason == "wrong_type"


@pytest.mark.parametrize("token", ["1.0", "1e0", '"1"', '"1.0"', '" 1 "'])
def test_a_whole_number_in_every_spelling(token: str) -> None:
    """What means 1 is 1, an integer."""
    tenure = decode(with_token("tenure", token)).tenure

    assert (type(tenure), tenure) == (int, 1)


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        (True, False),
        (1, 0),
        (1.0, 0.0),
        ("1", "0"),
        ("1.0", "0.0"),
        ("true", "FALSE"),
        ("Yes", "No"),
        (" yes ", "n"),
        ("on", "off"),
    ],
)
def test_a_flag_in_every_spelling(yes: Any, no: Any) -> None:
    """Whatever means yes is written as the schema writes it, and so is what means no."""
    for value, number, text in ((yes, 1, "Yes"), (no, 0, "No")):
        event = decode(SeniorCitizen=value, Partner=value, MultipleLines=value)
        assert (event.SeniorCitizen, type(event.SeniorCitizen)) == (number, int)
        assert (event.Partner, event.MultipleLines) == (text, text)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("SeniorCitizen", 2, "unknown_category"),
        ("SeniorCitizen", 1.5, "wrong_type"),
        ("SeniorCitizen", "maybe", "wrong_type"),
        ("SeniorCitizen", "", "wrong_type"),
        ("Partner", "Maybe", "unknown_category"),
        ("Partner", "", "unknown_category"),
        ("Partner", 2, "wrong_type"),
        ("gender", 1, "wrong_type"),
        ("gender", True, "wrong_type"),
        ("gender", "", "unknown_category"),
        ("gender", "n/a", "unknown_category"),
        ("MonthlyCharges", "", "invalid_value"),
        ("MonthlyCharges", "n/a", "invalid_value"),
    ],
)
def test_what_is_no_value_of_its_field(field: str, value: Any, reason: str) -> None:
    """A value of the field's own type is an unknown one, another type is a wrong one."""
    found = rejection(event_json(**{field: value}), decoder=telco)

    assert (found.reason, found.field) == (reason, field)


@pytest.mark.parametrize("total", [None, "", " ", "\u00a0\t", "NaN", "n/a", "null"])
def test_a_new_customer_has_no_total_charges(total: str | None) -> None:
    """Blank or null total charges become null when tenure is 0."""
    assert decode(tenure=0, TotalCharges=total).TotalCharges is None


@pytest.mark.parametrize("total", [None, "", " "])
def test_blank_total_charges_do_not_fit_a_longer_tenure(total: str | None) -> None:
    """Whoever was a customer for months was billed."""
    found = rejection(tenure=7, TotalCharges=total)

    assert (found.reason, found.field) == ("invalid_value", "TotalCharges")
    assert "tenure 0, not 7" in found.detail


@pytest.mark.parametrize("field", ["tenure", "MonthlyCharges", "TotalCharges"])
@pytest.mark.parametrize("text", ["twelve", "inf", "1_0", "0x10", "1,5", "٣", "12 months"])
def test_a_text_that_holds_no_number_is_rejected(field: str, text: str) -> None:
    """It is quoted in the rejection."""
    found = rejection(event_json(**{field: text}))

    assert (found.reason, found.field) == ("invalid_value", field)
    assert found.detail.endswith(f"got {quote(text)}")


@pytest.mark.parametrize("field", ["tenure", "MonthlyCharges", "TotalCharges"])
@pytest.mark.parametrize("text", ["-1", "1e999", "9" * 400, "9" * 5000])
def test_a_text_is_rejected_like_the_number_that_it_holds(field: str, text: str) -> None:
    """A number out of its bounds is so in quotes, too."""
    found, bare = rejection(event_json(**{field: text})), rejection(with_token(field, text))

    assert (found.reason, found.field) == (bare.reason, bare.field) == ("out_of_range", field)
    assert_fit_for_a_header(found)


# ---- time ----


@pytest.mark.parametrize(
    "text", ["2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00", "2026-01-01T22:04:05.000-05:00"]
)
def test_event_time_becomes_utc(text: str) -> None:
    """The same moment in other offsets is the same event time."""
    timestamp = decode(event_ts=text).event_ts

    assert (timestamp, timestamp.tzinfo) == (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-02", "2026-01-02T03:04:05", "20260102"])
def test_event_time_is_rfc_3339_with_an_offset(text: str) -> None:
    """A date alone, a time without its offset or any other text is rejected."""
    found = rejection(event_ts=text)

    assert (found.reason, found.field) == ("invalid_value", "event_ts")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_event_time_outside_of_all_years_is_rejected(text: str) -> None:
    """A moment whose UTC has no year of four digits is out of range."""
    assert (rejection(event_ts=text).reason, rejection(event_ts=text).field) == (
        "out_of_range",
        "event_ts",
    )


# ---- keys, and the record as a whole ----


@pytest.mark.parametrize(
    ("key", "shown"),
    [(None, "is null"), (b"", 'is ""'), (b"0000-OTHER", '"0000-OTHER"'), (b"\xff", '"\\ufffd"')],
)
def test_the_key_is_the_customer_id(key: bytes | None, shown: str) -> None:
    """A null key and the key of another customer are rejected, and both are shown."""
    found = rejection(key=key)

    assert (found.reason, found.field) == ("key_mismatch", "key")
    assert shown in found.detail
    assert '"7590-VHVEG"' in found.detail


def test_an_empty_customer_id_is_rejected() -> None:
    """Nobody goes by an empty ID."""
    found = rejection(key=b"", customerID="")

    assert (found.reason, found.field) == ("invalid_value", "customerID")


def test_a_customer_id_may_be_a_number() -> None:
    """It is the same as its digits, which are the key."""
    assert decode(key=b"15634602", customerID=15634602).customerID == "15634602"


def test_a_customer_id_may_hold_any_character() -> None:
    """The key is compared as UTF-8."""
    assert decode(key="Zoë 🎈".encode(), customerID="Zoë 🎈").customerID == "Zoë 🎈"


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (b"", "empty", "is empty"),
        (b"customerID=1", "not_json", "is not JSON"),
        (b"\xef\xbb\xbf{}", "not_json", "is not JSON"),
        (b" ", "not_json", "is not JSON"),
        (b"[1, 2]", "not_an_object", "got array"),
        (b'"x"', "not_an_object", "got str"),
        (b"1", "not_an_object", "got number"),
        (b"null", "not_an_object", "got null"),
        (b"[" * 100_000, "not_an_object", "got array"),
        (b'{"a":' * 1_000_000, "not_json", "nested too deeply"),
    ],
    ids=lambda part: repr(part)[:16],
)
def test_a_value_that_is_no_object_is_rejected(value: bytes, reason: str, detail: str) -> None:
    """The value as a whole is at fault, and the rejection says how."""
    found = decode_event(value, KEY)

    assert isinstance(found, Rejection)
    assert (found.reason, found.field) == (reason, "value")
    assert detail in found.detail


def test_a_tombstone_is_rejected() -> None:
    """A null value is no event."""
    found = decode_event(None, KEY)

    assert isinstance(found, Rejection)
    assert str(found) == "value: is null (a tombstone); expected a customer as JSON"


def test_bytes_that_are_no_utf8_are_rejected() -> None:
    """Latin-1 in a known field, an unknown field or a field's name is told from broken JSON."""
    good = event_json()

    for value in (
        event_json(gender="<token>").replace(b"<token>", b"\xe9"),
        good[:-1] + b', "extra": "\xe9"}',
        good[:-1] + b', "\xe9": 1}',
    ):
        assert (rejection(value).reason, rejection(value).field) == ("not_utf8", "value")


@pytest.mark.parametrize("depth", [100, 10_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth_is_survived(depth: int, opening: bytes, closing: bytes) -> None:
    """An unknown field may be nested; beyond what can be parsed the value is rejected."""
    deep = opening * depth + b"1" + closing * depth

    found = decode(event_json()[:-1] + b', "extra": ' + deep + b"}")

    if depth == 100 or sys.version_info >= (3, 14):  # which reads over all that memory allows
        assert found == decode()
    else:
        assert found == Rejection("not_json", "value", "is nested too deeply")


# ---- fields that appear twice ----


@pytest.mark.parametrize("field", FIELDS)
def test_a_repeated_field_is_named(field: str) -> None:
    """Two values for a field are rejected, also if they are the same."""
    again = json.dumps({field: customer(Churn="No")[field]}).encode()

    found = rejection(event_json(Churn="No")[:-1] + b", " + again[1:])

    assert (found.reason, found.field.strip('"')) == ("duplicate_field", field)
    assert found.detail == "appears more than once"


@pytest.mark.parametrize(
    "members",
    [
        b'"ten\\u0075re": 1',
        b'"extra": 1, "extra": 2',
        b'"Churn": null, "Churn": null',
        b'"event_ts": "2026-01-02T03:04:05+00:00"',
    ],
)
def test_a_repeated_field_is_found_in_disguise(members: bytes) -> None:
    """Escapes in names, unknown fields and nulls hide no repetition."""
    assert rejection(event_json()[:-1] + b", " + members + b"}").reason == "duplicate_field"


def test_a_repeated_field_is_found_among_escaped_colons() -> None:
    """A colon of the timestamp that is written as an escape makes no room for another field."""
    escaped = event_json().replace(b"T03:04", b"T03\\u003a04")

    assert decode(escaped) == decode()
    assert rejection(escaped[:-1] + b', "tenure": 1}').reason == "duplicate_field"


UNKNOWN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "note", "été", "tenures"]), UNKNOWN), max_size=4),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:")]),
    st.booleans(),
)
def test_a_repeated_field_is_found_however_it_is_written(
    members: list[tuple[str, Any]], separators: tuple[str, str], ascii_only: bool
) -> None:
    """Blanks, nested values and other letters neither hide a repetition nor make one up."""
    names = [name for name, _ in members]
    comma, colon = separators
    texts = [
        json.dumps(name, ensure_ascii=ascii_only)
        + colon
        + json.dumps(value, ensure_ascii=ascii_only, separators=separators)
        for name, value in [*customer().items(), *members]
    ]
    found = decode_event(("{" + comma.join(texts) + "}").encode(), KEY)

    is_rejected = isinstance(found, Rejection) and found.reason == "duplicate_field"
    assert is_rejected == (len(set(names)) < len(names))


def test_a_field_may_appear_again_inside_of_another() -> None:
    """Names are compared within the event itself, not within what its unknown fields hold."""
    assert decode(extra={"tenure": 1, "nested": {"tenure": 2}}) == decode()


# ---- anything at all ----


def meant(field: str, value: Any) -> Any:
    """What a value stands for in a field that takes any category."""
    if field == "Churn":
        return value
    if field == "customerID":
        return str(value)
    return read(TELCO.opened.fields[field], value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
FAST = settings(deadline=None)


@FAST
@given(st.none() | st.binary(), st.none() | st.binary())
@example(b"\xff", None)
@example(b'"\\ud800"', b"\xff")
def test_arbitrary_bytes_are_rejected(value: bytes | None, key: bytes | None) -> None:
    """Bytes at random never raise, and are no event."""
    found = decode_event(value, key)

    assert isinstance(found, Rejection)
    assert_fit_for_a_header(found)


@FAST
@given(JSON, st.binary())
def test_arbitrary_json_is_rejected(value: Any, key: bytes) -> None:
    """JSON at random, NaN and lone surrogates included, never raises, and is no event."""
    found = decode_event(json.dumps(value).encode(), key)

    assert isinstance(found, Rejection)
    assert_fit_for_a_header(found)


@FAST
@given(st.sampled_from(FIELDS), JSON)
@example("gender", "Perhaps " * 1000)
@example("gender", "Zoë\n🎈")
@example("gender", "\ud800")
@example("gender", "got `str`, out of range")
@example("Partner", True)
def test_an_event_with_one_field_changed_is_an_event_or_names_it(field: str, value: Any) -> None:
    """One field at random yields an event that holds it, or a rejection that names it."""
    found = decode(
        key=KEY if field != "customerID" else str(value).encode(errors="replace"), **{field: value}
    )

    if isinstance(found, CustomerEvent):
        assert field == "event_ts" or getattr(found, field) == meant(field, value)
    else:
        assert found.field in {field, "key", "value"}
        assert_fit_for_a_header(found)


@FAST
@given(st.dictionaries(st.text().filter(lambda name: name not in FIELDS), JSON, max_size=4))
def test_unknown_fields_at_random_yield_an_event_or_a_rejection(extra: dict[str, Any]) -> None:
    """Unknown fields never raise, and change nothing of the event."""
    found = decode(json.dumps(customer() | extra).encode())

    if isinstance(found, Rejection):
        assert_fit_for_a_header(found)
    else:
        assert found == decode()


@FAST
@given(st.binary(max_size=40), st.integers(0, len(event_json())))
def test_an_event_with_bytes_in_its_midst_never_raises(noise: bytes, place: int) -> None:
    """Bytes put into a valid event, or in place of its end, yield an event or a rejection."""
    good = event_json()

    for value in (good[:place] + noise + good[place:], good[:place] + noise):
        found = decode_event(value, KEY)
        if isinstance(found, Rejection):
            assert_fit_for_a_header(found)


def test_an_unknown_value_is_quoted_in_short() -> None:
    """The rejection shows it shortened and escaped, with the values there are."""
    found = rejection(Contract="Zoë\n" * 1000, decoder=known)

    assert (found.reason, found.field) == ("unknown_category", "Contract")
    assert quote("Zoë\n" * 1000) in found.detail
    assert_fit_for_a_header(found)


@FAST
@given(JSON)
def test_no_label_is_a_reason_to_reject_an_event(label: Any) -> None:
    """Whatever stands there, as long as it is JSON."""
    value = event_json(Churn=label)

    assert isinstance(decode(value), CustomerEvent) == is_json(value)


def is_json(value: bytes) -> bool:
    """Whether it is, strictly: NaN or half a character are not."""
    try:
        msgspec.json.decode(value, type=msgspec.Raw)
    except msgspec.DecodeError:
        return False
    return True


@pytest.mark.parametrize("token", ["1e999", "9" * 5000, "[" * 500 + "]" * 500])
def test_what_no_computer_holds_is_no_matter_where_it_is_not_read(token: str) -> None:
    """In the label or in a field that nobody knows, also if the record needs a second look."""
    extra = {"tenure": "1", "extra": "<token>"}
    value = event_json(**extra).replace(b'"<token>"', token.encode())

    assert decode(value).tenure == 1
    assert decode(with_token("Churn", token)).tenure == 1


# ---- the words of a rejection ----

TEXT, WHOLE, NUMBER = "gender", "tenure", "MonthlyCharges"
GOT = {"null": "null", "bool": "true", "float": "1.5", "str": '"text"', "array": "an array",
       "object": "an object"}  # fmt: skip
WORDINGS: list[tuple[str, Any, str, str]] = [
    # what is in which field, and what becomes of it
    *((TEXT, JSON_TYPES[kind], "wrong_type", f"expected a text, got {GOT[kind]}")
      for kind in ("null", "array", "object")),
    *((WHOLE, JSON_TYPES[kind], "wrong_type", f"expected a whole number, got {GOT[kind]}")
      for kind in ("null", "bool", "float", "array", "object")),
    *((NUMBER, JSON_TYPES[kind], "wrong_type", f"expected a number, got {GOT[kind]}")
      for kind in ("null", "bool", "array", "object")),
    (WHOLE, "text", "invalid_value", 'expected a whole number, got "text"'),
    (NUMBER, "text", "invalid_value", 'expected a number, got "text"'),
    *(("TotalCharges", JSON_TYPES[kind], "wrong_type", f"expected a number, got {GOT[kind]}")
      for kind in ("bool", "array", "object")),
    *(("event_ts", JSON_TYPES[kind], "wrong_type", f"expected str, got {kind}")
      for kind in ("null", "bool", "int", "float", "array", "object")),
    ("customerID", "", "invalid_value", "is empty; it must name a customer"),
    ("customerID", None, "wrong_type", "is null; it must name a customer"),
    ("customerID", 1.5, "wrong_type", "expected str, got float"),
    ("event_ts", "yesterday", "invalid_value", "invalid RFC3339 encoded datetime"),
    ("event_ts", "2026-01-02T03:04:05", "invalid_value",
     "expected datetime with a timezone component"),
    (WHOLE, -1, "out_of_range", "expected 0 or more, got -1"),
    (WHOLE, 2**63, "out_of_range", f"expected {2**63 - 1} or less, got {2**63}"),
    (NUMBER, -0.5, "out_of_range", "expected 0 or more, got -0.5"),
    ("TotalCharges", -0.5, "out_of_range", "expected 0 or more, got -0.5"),
    ("SeniorCitizen", 2, "unknown_category", "2 is none of 0, 1"),
    ("SeniorCitizen", -(2**63), "unknown_category", f"{-(2**63)} is none of 0, 1"),
    ("SeniorCitizen", "old", "wrong_type", 'expected yes or no, got "old"'),
    ("Partner", "Perhaps", "unknown_category", '"Perhaps" is none of "No", "Yes"'),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value", "reason", "detail"), WORDINGS)
def test_each_fault_of_a_field_has_its_reason_and_words(
    field: str, value: Any, reason: str, detail: str
) -> None:
    """Word for word; those about time are the library's, whose next release may have others."""
    key = str(value).encode() if field == "customerID" else KEY

    assert rejection(event_json(**{field: value}), key) == Rejection(reason, field, detail)  # type: ignore[arg-type]


PLAIN = re.compile(
    r"(expected (str|a text|a number|a whole number|yes or no), got .+"
    r"|is (empty|null); it must name a customer|expected [\d.e+-]+ or (more|less), got .+"
    r"|is larger than any number that is computed with"
    r"|invalid RFC3339 encoded datetime|expected datetime with a timezone component"
    r"|.* is none of .*|is missing|is NaN or infinite, which JSON does not have"
    r"|is blank, which only fits tenure 0, not \d+"
    r"|is outside the years 1 to 9999 in UTC)",
    re.DOTALL,
)


@FAST
@given(st.sampled_from(FIELDS), JSON)
def test_no_fault_of_a_field_is_worded_otherwise(field: str, value: Any) -> None:
    """Whatever is in one field, its rejection is one of the wordings above."""
    found = decode(**{field: value})

    if isinstance(found, Rejection) and found.field == field:
        assert PLAIN.fullmatch(found.detail), found


def test_the_library_is_one_whose_wording_is_tested() -> None:
    """A release with other words is not installed before somebody has looked at them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (bounds,) = [one for one in project["dependencies"] if one.startswith("msgspec")]

    assert re.fullmatch(r"msgspec>=0\.(\d+),<0\.(\d+)", bounds)
    low, high = map(int, re.findall(r"0\.(\d+)", bounds))
    assert high == low + 1
    assert msgspec.__version__.startswith(f"0.{low}.")


# ---- a decoder that knows the categories of a model ----


@FAST
@given(st.binary(max_size=60), st.sampled_from([b'"Female"', b'"Other"', b'"\\ud800"', b"1"]))
@example(b"", b'"Other"')
@example(b', "x": \xff}', b'"Other"')
@example(b', "x": ' + b"[" * 10_000, b'"Other"')
@example(b', "x": 1' + b"0" * 400 + b"}", b'"Other"')
def test_an_unknown_category_in_a_broken_record_never_raises(rest: bytes, gender: bytes) -> None:
    """What comes behind the category may be anything, also no JSON at all."""
    found = known(b'{"customerID": "C1", "gender": ' + gender + rest, b"C1")

    assert isinstance(found, Rejection)
    assert_fit_for_a_header(found)


@FAST
@given(st.sampled_from(FIELDS), JSON)
def test_with_categories_one_field_changed_is_an_event_or_named(field: str, value: Any) -> None:
    """Categories reject more, and still name the field."""
    good = event_json(Contract="One year") if field != "Contract" else event_json()
    changed = json.dumps(json.loads(good) | {field: value}).encode()

    found = known(changed, KEY)

    if isinstance(found, Rejection):
        assert found.field in {field, "key", "value"}
        assert_fit_for_a_header(found)


def test_an_unknown_category_says_what_there_is() -> None:
    """The rejection shows the value, and all that the model knows."""
    assert str(known(event_json(), KEY)) == (
        'Contract: "Month-to-month" is unknown to the model; it knows "One year", "Two year"'
    )


def test_the_value_of_a_category_that_counts_is_the_one_at_fault() -> None:
    """Of a category that appears twice the rejection shows one that the model does not know."""
    twice = event_json(Contract="Weekly")[:-1] + b', "Contract": "One year"}'

    found = rejection(twice, decoder=known)

    assert (found.reason, found.field) in {
        ("duplicate_field", '"Contract"'),
        ("duplicate_field", "Contract"),
        ("unknown_category", "Contract"),
    }
    assert '"One year" is unknown' not in found.detail


@pytest.mark.parametrize("value", ["got `str`", "number out of range", "x >= 0", "y <= 1", "It's"])
@pytest.mark.parametrize("field", ["Partner", "Contract"])
def test_the_words_of_a_category_do_not_change_the_reason(field: str, value: str) -> None:
    """A value that reads like a complaint of the parser is still an unknown category."""
    found = rejection(event_json(**{field: value}), decoder=known)

    assert (found.reason, found.field) == ("unknown_category", field)
    assert quote(value) in found.detail


# ---- many at once ----

ODD: list[tuple[bytes | None, bytes | None]] = [
    (None, KEY),
    (b"", KEY),
    (b"broken", KEY),
    (b"\xff", KEY),
    (event_json(), None),
    (event_json(), b"another"),
    (event_json(customerID="a\nb"), b"a\nb"),
    (event_json(), KEY + b"\n"),
    (event_json(extra="a:b"), KEY),
    (event_json()[:-1] + b', "gender": "Male"}', KEY),
    (event_json(tenure=0, TotalCharges=" "), KEY),
    (event_json(TotalCharges=" "), KEY),
    (event_json(TotalCharges="12.5"), KEY),
    (event_json(event_ts="2026-01-31T12:00:00+01:00"), KEY),
    (event_json(Contract="Weekly"), KEY),
    (event_json(Contract=" "), KEY),
    (event_json(tenure="1", Contract="Weekly"), KEY),
    (event_json(SeniorCitizen=True), KEY),
]
USUAL = [(event_json(), KEY), (event_json(Churn="Yes"), KEY), (event_json(customerID="7"), b"7")]


@FAST
@given(st.lists(st.sampled_from(USUAL) | st.sampled_from(USUAL) | st.sampled_from(ODD), max_size=8))
@example([])
@example([(event_json(), b"7"), (event_json(customerID="7"), KEY)])
def test_a_batch_decodes_as_its_records_do(
    records: list[tuple[bytes | None, bytes | None]],
) -> None:
    """Looking at many records at once finds just what looking at each of them finds."""
    for decoder in (telco, decode_event):
        found = decoder.batch([value for value, _ in records], [key for _, key in records])

        assert found == [decoder(value, key) for value, key in records]
