import json
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from FIXME import parse_number
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.json import encode

from builders import CustomerEvent, customer, decode_event, event_json, without
from churnstream.codecs.events import EventDecoder
from churnstream.escaping import quote
from churnstream.records.rejection import REASONS, Rejection

ROOT = Path(__file__).parents[2]
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
ACCEPTED = {
    "SeniorCitizen": {"int"},
    "tenure": {"int"},
    "MonthlyCharges": {"int", "float"},
    "TotalCharges": {"int", "float", "str", "null"},
    "Churn": {"str", "null"},
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
    """A refusal has a known reason, and its text is one short line of ASCII."""
    text = str(found)
    assert found.reason in REASONS
    assert text.isascii()
    assert text.isprintable()
    assert len(text) <= SHORT


# ---- events ----


def test_a_valid_event_keeps_every_field() -> None:
    """Every field arrives as it was sent, the timestamp as a moment in UTC."""
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    event = decode(Churn="Yes")

    assert msgspec.structs.asdict(event) == {**customer(Churn="Yes"), "event_ts": moment}


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
    """An event that lacks a field is refused with the field's name."""
    assert rejection(without(field)) == Rejection("missing_field", field, "is missing")


@pytest.mark.parametrize(("field", "kind"), WRONG_TYPES)
def test_a_wrong_type_is_named(field: str, kind: str) -> None:
    """A value of a wrong JSON type is refused with the field and both types."""
    found = rejection(event_json(**{field: JSON_TYPES[kind]}))

    assert (found.reason, found.field) == ("wrong_type", field)
    assert found.detail.startswith("expected ")
    assert found.detail.endswith(f", got {kind}")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_have_is_named(field: str, token: str) -> None:
    """NaN and infinity, which some encoders write, are refused with the field's name."""
    found = rejection(with_token(field, token))

    assert found == Rejection("out_of_range", field, "is NaN or infinite, which JSON does not have")


# ---- numbers ----


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize("token", ["1e999", "-1e999", "9" * 400, "-" + "9" * 400])
def test_a_number_too_large_for_any_type_is_named(field: str, token: str) -> None:
    """Numbers that overflow are refused with the field's name, however they are written."""
    found = rejection(with_token(field, token))

    assert found.field == field
    assert found.reason in {"out_of_range", "wrong_type", "unknown_category"}
    assert_fit_for_a_header(found)


@pytest.mark.parametrize("field", ["tenure", "MonthlyCharges", "TotalCharges"])
def test_a_negative_number_is_named(field: str) -> None:
    """Months and charges cannot be negative."""
    found = rejection(event_json(**{field: -1}))

    assert (found.reason, found.field) == ("out_of_range", field)
    assert ">= 0" in found.detail


@pytest.mark.parametrize("senior", [-1, 2])
def test_senior_citizen_is_0_or_1(senior: int) -> None:
    """Another number is refused as a category that does not exist."""
    found = rejection(SeniorCitizen=senior)

    assert (found.reason, found.field) == ("unknown_category", "SeniorCitizen")


@pytest.mark.parametrize("field", ["tenure", "MonthlyCharges", "TotalCharges"])
def test_zero_is_a_number_like_any_other(field: str) -> None:
    """0 is the least that is accepted."""
    assert getattr(decode(event_json(**{field: 0})), field) == 0


@pytest.mark.parametrize(
    ("text", "number"),
    [("29.85", 29.85), (" 29.85\t", 29.85), ("0", 0.0), ("1e3", 1000.0), (".5", 0.5), ("+1", 1.0)],
)
def test_total_charges_may_be_text_that_holds_a_number(text: str, number: float) -> None:
    """The data set writes total charges as text; the event has the number."""
    total = decode(TotalCharges=text).TotalCharges

    assert (type(total), total) == (float, number)


@pytest.mark.parametrize("total", [None, "", " ", "\u00a0\t"])
def test_a_new_customer_has_no_total_charges(total: str | None) -> None:
    """Blank or null total charges become null when tenure is 0."""
    assert decode(tenure=0, TotalCharges=total).TotalCharges is None


@pytest.mark.parametrize("total", [None, "", " "])
def test_blank_total_charges_do_not_fit_a_longer_tenure(total: str | None) -> None:
    """Whoever was a customer for months was billed."""
    found = rejection(tenure=7, TotalCharges=total)

    assert (found.reason, found.field) == ("invalid_value", "TotalCharges")
    assert "tenure 0, not 7" in found.detail


@pytest.mark.parametrize(
    "text", ["twelve", "-1", "nan", "inf", "1e999", "1_0", "0x10", "1,5", "٣", "9" * 400]
)
def test_total_charges_that_hold_no_number_are_refused(text: str) -> None:
    """Text that is no finite number of 0 or more is quoted in the refusal."""
    found = rejection(TotalCharges=text)

    assert (found.reason, found.field) == ("invalid_value", "TotalCharges")
    assert found.detail.endswith(quote(text))


@given(st.text())
def test_a_text_holds_a_finite_number_or_none(text: str) -> None:
    """`parse_number` never raises, and what it accepts `float` reads the same."""
    number = parse_number(text)

    assert number is None or number == float(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_can_be_read_from_its_text(number: float) -> None:
    """Python's own notation of a number is read back exactly."""
    assert parse_number(repr(number)) == number


# ---- time ----


@pytest.mark.parametrize(
    "text", ["2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00", "2026-01-01T22:04:05.000-05:00"]
)
def test_event_time_becomes_utc(text: str) -> None:
    """The same moment in other offsets is the same event time."""
    moment = decode(event_ts=text).event_ts

    assert (moment, moment.tzinfo) == (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-02", "2026-01-02T03:04:05", "20260102"])
def test_event_time_is_rfc_3339_with_an_offset(text: str) -> None:
    """A date alone, a time without its offset or any other text is refused."""
    found = rejection(event_ts=text)

    assert (found.reason, found.field) == ("invalid_value", "event_ts")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_event_time_outside_of_all_years_is_refused(text: str) -> None:
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
    """A null key and the key of another customer are refused, and both are shown."""
    found = rejection(key=key)

    assert (found.reason, found.field) == ("key_mismatch", "key")
    assert shown in found.detail
    assert '"7590-VHVEG"' in found.detail


def test_an_empty_customer_id_is_refused() -> None:
    """Nobody goes by an empty ID."""
    assert rejection(key=b"", customerID="").field == "customerID"


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
        (b"1", "not_an_object", "got int"),
        (b"null", "not_an_object", "got null"),
        (b"[" * 100_000, "not_an_object", "got array"),
        (b'{"a":' * 100_000, "not_json", "nested too deeply"),
    ],
    ids=lambda part: repr(part)[:16],
)
def test_a_value_that_is_no_object_is_refused(value: bytes, reason: str, detail: str) -> None:
    """The value as a whole is at fault, and the refusal says how."""
    found = decode_event(value, KEY)

    assert isinstance(found, Rejection)
    assert (found.reason, found.field) == (reason, "value")
    assert detail in found.detail


def test_a_tombstone_is_refused() -> None:
    """A null value is no event."""
    found = decode_event(None, KEY)

    assert isinstance(found, Rejection)
    assert str(found) == "value: is null (a tombstone); expected a customer as JSON"


def test_bytes_that_are_no_utf8_are_refused() -> None:
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
    """An unknown field may be nested; beyond what can be parsed the value is refused."""
    deep = opening * depth + b"1" + closing * depth

    found = decode(event_json()[:-1] + b', "extra": ' + deep + b"}")

    if depth == 100:
        assert found == decode()
    else:
        assert found == Rejection("not_json", "value", "is nested too deeply")


# ---- fields that appear twice ----


@pytest.mark.parametrize("field", FIELDS)
def test_a_repeated_field_is_named(field: str) -> None:
    """Two values for a field are refused, also if they are the same."""
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

    is_refused = isinstance(found, Rejection) and found.reason == "duplicate_field"
    assert is_refused == (len(set(names)) < len(names))


def test_a_field_may_appear_again_inside_of_another() -> None:
    """Names are compared within the event itself, not within what its unknown fields hold."""
    assert decode(extra={"tenure": 1, "nested": {"tenure": 2}}) == decode()


# ---- anything at all ----

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
def test_arbitrary_bytes_are_refused(value: bytes | None, key: bytes | None) -> None:
    """Bytes at random never raise, and are no event."""
    found = decode_event(value, key)

    assert isinstance(found, Rejection)
    assert_fit_for_a_header(found)


@FAST
@given(JSON, st.binary())
def test_arbitrary_json_is_refused(value: Any, key: bytes) -> None:
    """JSON at random, NaN and lone surrogates included, never raises, and is no event."""
    found = decode_event(json.dumps(value).encode(), key)

    assert isinstance(found, Rejection)
    assert_fit_for_a_header(found)


@FAST
@given(st.sampled_from(FIELDS), JSON)
@example("Churn", "Perhaps " * 1000)
@example("Churn", "Zoë\n🎈")
@example("gender", "\ud800")
@example("Churn", "got `str`, out of range")
def test_an_event_with_one_field_changed_is_an_event_or_names_it(field: str, value: Any) -> None:
    """One field at random yields an event that holds it, or a refusal that names it."""
    found = decode(
        key=KEY if field != "customerID" else str(value).encode(errors="replace"), **{field: value}
    )

    if isinstance(found, CustomerEvent):
        assert field in {"TotalCharges", "event_ts"} or getattr(found, field) == value
    else:
        assert found.field in {field, "key", "value"}
        assert_fit_for_a_header(found)


@FAST
@given(st.dictionaries(st.text().filter(lambda name: name not in FIELDS), JSON, max_size=4))
def test_unknown_fields_at_random_yield_an_event_or_a_refusal(extra: dict[str, Any]) -> None:
    """Unknown fields never raise, and change nothing of the event."""
    found = decode(json.dumps(customer() | extra).encode())

    if isinstance(found, Rejection):
        assert_fit_for_a_header(found)
    else:
        assert found == decode()


@FAST
@given(st.binary(max_size=40), st.integers(0, len(event_json())))
def test_an_event_with_bytes_in_its_midst_never_raises(noise: bytes, place: int) -> None:
    """Bytes put into a valid event, or in place of its end, yield an event or a refusal."""
    good = event_json()

    for value in (good[:place] + noise + good[place:], good[:place] + noise):
        found = decode_event(value, KEY)
        if isinstance(found, Rejection):
            assert_fit_for_a_header(found)


def test_an_unknown_label_is_quoted_like_any_other_value() -> None:
    """The refusal of a label shows it shortened and escaped, with the labels there are."""
    found = rejection(Churn="Zoë\n" * 1000)

    assert (found.reason, found.field) == ("unknown_category", "Churn")
    assert quote("Zoë\n" * 1000) in found.detail
    assert_fit_for_a_header(found)


# ---- the wording of the library's complaints, from which reasons are read ----

TEXT, WHOLE, NUMBER = "gender", "tenure", "MonthlyCharges"
WORDINGS: list[tuple[str, Any, str, str]] = [
    # what is in which field, and what becomes of the complaint
    *((TEXT, JSON_TYPES[kind], "wrong_type", f"expected str, got {kind}")
      for kind in ("null", "bool", "int", "float", "array", "object")),
    *((WHOLE, JSON_TYPES[kind], "wrong_type", f"expected int, got {kind}")
      for kind in ("null", "bool", "float", "str", "array", "object")),
    *((NUMBER, JSON_TYPES[kind], "wrong_type", f"expected float, got {kind}")
      for kind in ("null", "bool", "str", "array", "object")),
    *(("TotalCharges", JSON_TYPES[kind], "wrong_type", f"expected float | str | null, got {kind}")
      for kind in ("bool", "array", "object")),
    *(("event_ts", JSON_TYPES[kind], "wrong_type", f"expected datetime, got {kind}")
      for kind in ("null", "bool", "int", "float", "array", "object")),
    *(("Churn", JSON_TYPES[kind], "wrong_type", f"expected str | null, got {kind}")
      for kind in ("bool", "int", "float", "array", "object")),
    ("customerID", "", "invalid_value", "expected str of length >= 1"),
    ("event_ts", "yesterday", "invalid_value", "invalid RFC3339 encoded datetime"),
    ("event_ts", "2026-01-02T03:04:05", "invalid_value",
     "expected datetime with a timezone component"),
    (WHOLE, -1, "out_of_range", "expected int >= 0"),
    (WHOLE, 2**63, "out_of_range", "expected int <= 9223372036854775807"),
    (WHOLE, 2**64, "out_of_range", "expected int <= 9223372036854775807"),
    (NUMBER, -0.5, "out_of_range", "expected float >= 0.0"),
    ("TotalCharges", -0.5, "out_of_range", "expected float >= 0.0"),
    ("SeniorCitizen", 2, "unknown_category", "2 is none of 0, 1"),
    ("SeniorCitizen", -(2**63), "unknown_category", f"{-(2**63)} is none of 0, 1"),
    ("Churn", "Perhaps", "unknown_category", '"Perhaps" is none of "Yes", "No"'),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value", "reason", "detail"), WORDINGS)
def test_each_complaint_of_the_library_has_its_reason(
    field: str, value: Any, reason: str, detail: str
) -> None:
    """Word for word, so that another wording in another release is noticed here."""
    key = str(value).encode() if field == "customerID" else KEY

    assert rejection(event_json(**{field: value}), key) == Rejection(reason, field, detail)  # type: ignore[arg-type]


PLAIN = re.compile(
    r"(expected (str|int|float|datetime|float \| str \| null|str \| null), got \w+"
    r"|expected str of length >= 1|expected (int|float) [<>]= [\d.e+]+|number out of range"
    r"|invalid RFC3339 encoded datetime|expected datetime with a timezone component"
    r"|.* is none of .*|is missing|is NaN or infinite, which JSON does not have"
    r"|is blank, which only fits tenure 0, not \d+|expected a number of 0 or more, got the text .*"
    r"|is outside the years 1 to 9999 in UTC)",
    re.DOTALL,
)


@FAST
@given(st.sampled_from(FIELDS), JSON)
def test_no_complaint_about_a_field_is_worded_otherwise(field: str, value: Any) -> None:
    """Whatever is in one field, its refusal is one of the wordings above."""
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

known = EventDecoder({"gender": ("Female", "Male"), "Contract": ("One year", "Two year")})


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
    """Categories refuse more, and still name the field."""
    good = event_json(Contract="One year") if field != "Contract" else event_json()
    changed = json.dumps(json.loads(good) | {field: value}).encode()

    found = known(changed, KEY)

    if isinstance(found, Rejection):
        assert found.field in {field, "key", "value"}
        assert_fit_for_a_header(found)


def test_an_unknown_category_says_what_there_is() -> None:
    """The refusal shows the value, and all that the model knows."""
    assert str(known(event_json(), KEY)) == (
        'Contract: "Month-to-month" is unknown to the model; it knows "One year", "Two year"'
    )


def test_the_value_of_a_category_that_counts_is_the_one_at_fault() -> None:
    """Of a category that appears twice the refusal shows one that the model does not know."""
    twice = event_json(Contract="Weekly")[:-1] + b', "Contract": "One year"}'

    found = rejection(twice, decoder=known)

    assert (found.reason, found.field) in {
        ("duplicate_field", '"Contract"'),
        ("duplicate_field", "Contract"),
        ("unknown_category", "Contract"),
    }
    assert '"One year" is unknown' not in found.detail


@pytest.mark.parametrize("value", ["got `str`", "number out of range", "x >= 0", "y <= 1", "It's"])
@pytest.mark.parametrize(("field", "decoder"), [("Churn", decode_event), ("Contract", known)])
def test_the_words_of_a_category_do_not_change_the_reason(
    field: str, decoder: EventDecoder, value: str
) -> None:
    """A value that reads like a complaint of the parser is still an unknown category."""
    found = rejection(event_json(**{field: value}), decoder=decoder)

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
    decoder = EventDecoder({"Contract": ("Month-to-month", "One year", "Two year")})

    found = decoder.batch([value for value, _ in records], [key for _, key in records])

    assert found == [decoder(value, key) for value, key in records]
