"""From the bytes of a record to an event, or to the reason why it is none."""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC
from math import isfinite
from operator import attrgetter
from typing import Any, Literal

import msgspec
import numpy as np

from churnstream.records.messages import UNDECODABLE, CustomerEvent, Reason, Rejection, quote

_ID, _LABEL, _TOTAL, _ZONE = map(
    attrgetter, ("customerID", "Churn", "TotalCharges", "event_ts.tzinfo")
)
_AT_ONCE = 500  # records; with their events they fit into a processor's second cache
_COLON = ord(":")
# Of an event without label: one a field, and two in the timestamp.
_COLONS = len(CustomerEvent.__struct_fields__) - 1 + 2


class EventDecoder:
    """Turns records into events.

    Args:
        categories: By field, the values that a model knows; others are refused. Without them
            every text passes.
    """

    def __init__(self, categories: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self._categories = dict(categories or {})
        self._decode = msgspec.json.Decoder(_restricted(self._categories)).decode

    def __call__(self, value: bytes | None, key: bytes | None) -> CustomerEvent | Rejection:
        """The event in a record, or why there is none. Never raises.

        Args:
            value: The record's value; None for a tombstone.
            key: The record's key, which must be the `customerID` in UTF-8.
        """
        if not value:
            problem = "is null (a tombstone)" if value is None else "is empty"
            return Rejection("empty", "value", f"{problem}; expected a customer as JSON")
        try:
            event = self._decode(value)
        except UNDECODABLE as error:
            return _explain(value, error, self._categories)
        return _looked_at(event, value, key)

    def batch(
        self, values: Sequence[bytes | None], keys: Sequence[bytes | None]
    ) -> list[CustomerEvent | Rejection]:
        """The same for many records, in their order.

        Looking at each record costs more than decoding it, so what can be seen of many at once is.
        Where something is unusual, however harmless, those are looked at one by one.

        Args:
            values: The records' values, (n,).
            keys: The records' keys, (n,).
        """
        outcomes: list[CustomerEvent | Rejection] = []
        while (begin := len(outcomes)) < len(values):
            here = slice(begin, begin + _AT_ONCE)
            events = self._leading(values[here])
            here = slice(begin, begin + len(events))
            outcomes += self._checked(events, values[here], keys[here])
            if len(events) < _AT_ONCE and len(outcomes) < len(values):
                outcomes.append(self(values[len(outcomes)], keys[len(outcomes)]))
        return outcomes

    def _leading(self, values: Sequence[bytes | None]) -> list[CustomerEvent]:
        """The events up to the first value that does not decode."""
        events: list[CustomerEvent] = []
        with suppress(TypeError, *UNDECODABLE):  # TypeError: a tombstone
            events.extend(map(self._decode, values))  # type: ignore[arg-type]
        return events

    def _checked(
        self,
        events: list[CustomerEvent],
        values: Sequence[bytes | None],
        keys: Sequence[bytes | None],
    ) -> list[CustomerEvent | Rejection]:
        """Look again at what decoded: at all of it where anything may be unusual."""
        if not _are_usual(events, values, keys):
            return list(map(_looked_at, events, values, keys))  # type: ignore[arg-type]
        outcomes: list[CustomerEvent | Rejection] = [*events]
        if {*map(type, map(_TOTAL, events))} != {float}:
            for i, event in enumerate(events):
                if type(event.TotalCharges) is not float:
                    outcomes[i] = _normalise(event)
        return outcomes


def _looked_at(event: CustomerEvent, value: bytes, key: bytes | None) -> CustomerEvent | Rejection:
    """A decoded event once its key and its fields were looked at, or why it is refused."""
    if event.customerID.encode("utf-8", "surrogatepass") != key:
        return _key_rejection(key, event.customerID)
    # Could a field stand twice, or one be hidden that is unknown? The decoder keeps the last of
    # repeated fields and passes over unknown ones, both silently. There is one colon a field
    # and the timestamp's two: only a record with another number of them gets a second parse.
    colons = _COLONS if event.Churn is None else _COLONS + 1
    if (value.count(b":") != colons or b"\\" in value) and (why := _check_every_field(value)):
        return why
    if type(event.TotalCharges) is float and event.event_ts.tzinfo is UTC:
        return event
    return _normalise(event)


def _are_usual(
    events: Sequence[CustomerEvent], values: Sequence[bytes | None], keys: Sequence[bytes | None]
) -> bool:
    """Whether records that decode need no second look: see `_looked_at`.

    Each has at least the colons of its fields, so the right sum is the right number in each.
    """
    text = b"".join(values)  # type: ignore[arg-type]
    if b"\\" in text or None in keys:
        return False
    colons = int(np.count_nonzero(np.frombuffer(text, np.uint8) == _COLON))
    labels = len(events) - list(map(_LABEL, events)).count(None)
    return (
        colons == _COLONS * len(events) + labels
        and {*map(_ZONE, events)} <= {UTC}
        # No text holds a line break, which JSON writes with a backslash.
        and "\n".join(map(_ID, events)).encode() == b"\n".join(keys)  # type: ignore[arg-type]
    )


def _restricted(categories: Mapping[str, tuple[str, ...]]) -> type[CustomerEvent]:
    """The event's type with closed sets of texts, which decode faster than open ones."""
    if not categories:
        return CustomerEvent
    closed = {name: Literal[values] for name, values in categories.items()}
    struct: Any = type(CustomerEvent)
    restricted: type[CustomerEvent] = struct(
        "CustomerEvent",
        (CustomerEvent,),
        {"__annotations__": closed, "__module__": __name__},
        frozen=True,
        gc=False,
        omit_defaults=True,
    )
    return restricted


decode_event = EventDecoder()


_each_field = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def _has_each_field_once(value: bytes) -> bool:
    """Whether it is certain that no field stands twice; only of ASCII without escapes it may be.

    A decoder keeps one of those with the same name, so what it kept does not account for all bytes.
    """
    return _accounts_for(value) or _accounts_for(msgspec.json.format(value, indent=-1))


def _accounts_for(compact: bytes) -> bool:
    fields = _each_field(compact)
    names, contents = sum(map(len, fields)), sum(map(len, fields.values()))
    around = 2 + 4 * len(fields) - 1  # braces; of each member two quotes, a colon, a comma
    return len(compact) == names + contents + around


def _check_every_field(value: bytes) -> Rejection | None:
    """Parse again, unknown fields included, and report what the typed decoder passed over."""
    if value.isascii() and b"\\" not in value and _has_each_field_once(value):
        return None  # in half of the time that it takes to name the one at fault
    try:
        # Integers stay text: Python refuses to convert very long ones, and nobody needs them here.
        pairs = json.loads(value.decode(), object_pairs_hook=list, parse_int=str)
    except (ValueError, RecursionError) as error:
        return _explain(value, error)
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return Rejection("duplicate_field", quote(name), "appears more than once")
        seen.add(name)
    return None


def _normalise(event: CustomerEvent) -> CustomerEvent | Rejection:
    """Make `TotalCharges` a number or null and `event_ts` UTC, or say why that cannot be."""
    total = event.TotalCharges
    if isinstance(total, str) and total.strip():
        number = parse_number(total)
        if number is None or number < 0:
            detail = f"expected a number of 0 or more, got the text {quote(total)}"
            return Rejection("invalid_value", "TotalCharges", detail)
        total = number
    elif not isinstance(total, float):
        if event.tenure > 0:
            detail = f"is blank, which only fits tenure 0, not {event.tenure}"
            return Rejection("invalid_value", "TotalCharges", detail)
        total = None
    try:
        event_ts = event.event_ts.astimezone(UTC)
    except OverflowError:
        return Rejection("out_of_range", "event_ts", "is outside the years 1 to 9999 in UTC")
    return msgspec.structs.replace(event, TotalCharges=total, event_ts=event_ts)


_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def parse_number(text: str) -> float | None:
    """The finite number that a text holds, or None; stricter than `float()`: no "nan", no "1_0"."""
    number = float(text) if _NUMBER.fullmatch(text) else None
    return number if number is not None and isfinite(number) else None


def _key_rejection(key: bytes | None, customer_id: str) -> Rejection:
    problem = "is null" if key is None else f"is {quote(key.decode('utf-8', 'replace'))}"
    return Rejection("key_mismatch", "key", f"{problem}; expected customerID {quote(customer_id)}")


# As the releases of msgspec word them that pyproject.toml allows; a test has all wordings.
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]+)`")
_AT_FIELD = re.compile(r"(?P<problem>.*) - at `\$\.(?P<field>\w+)`", re.DOTALL)
_CATEGORY = re.compile(r"Invalid enum value (?P<literal>.*)", re.DOTALL)
_CLOSED_SETS = {"SeniorCitizen": "0, 1", "Churn": '"Yes", "No"'}
_WORDS: dict[str, Reason] = {  # what a decoder's complaint about a field contains
    "got `": "wrong_type",
    "out of range": "out_of_range",
    ">= 0": "out_of_range",
    "<= ": "out_of_range",
}


def _explain(
    value: bytes, error: Exception, categories: Mapping[str, tuple[str, ...]] | None = None
) -> Rejection:
    """Translate a decoder's complaint into a rejection that names the field."""
    if isinstance(error, RecursionError):
        return Rejection("not_json", "value", "is nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return Rejection("not_utf8", "value", f"is not UTF-8: {error.reason}")
    if isinstance(error, msgspec.ValidationError):
        return _explain_field(str(error), categories or {})
    if field := _field_that_is_no_number(value):
        return Rejection("out_of_range", field, "is NaN or infinite, which JSON does not have")
    return Rejection("not_json", "value", f"is not JSON: {_plain(str(error))}")


def _explain_field(text: str, categories: Mapping[str, tuple[str, ...]]) -> Rejection:
    if match := _MISSING.fullmatch(text):
        return Rejection("missing_field", match["field"], "is missing")
    match = _AT_FIELD.fullmatch(text)
    if match is None:
        return Rejection("not_an_object", "value", _plain(text))
    problem, field = match["problem"], match["field"]
    if category := _CATEGORY.fullmatch(problem):
        detail = _unknown(category, field, categories)
        return Rejection("unknown_category", field, detail)
    reason: Reason = next((_WORDS[word] for word in _WORDS if word in problem), "invalid_value")
    return Rejection(reason, field, _plain(problem))


def _unknown(category: re.Match[str], field: str, categories: Mapping[str, Any]) -> str:
    """Words for a value outside a closed set; the set is the model's or the record type's."""
    given = ast.literal_eval(category["literal"])  # the decoder writes it as Python does
    shown = quote(given) if isinstance(given, str) else str(given)
    if known := categories.get(field):
        return f"{shown} is unknown to the model; it knows {', '.join(map(quote, known))}"
    return f"{shown} is none of {_CLOSED_SETS[field]}"


def _plain(problem: str) -> str:
    problem = problem.replace("`", "").removeprefix("JSON is malformed: ")
    return problem[:1].lower() + problem[1:]


def _field_that_is_no_number(value: bytes) -> str | None:
    """The first field that holds NaN or Infinity, which Python's parser lets through."""
    try:
        pairs: Any = json.loads(value.decode(), object_pairs_hook=list, parse_int=str)
    except (ValueError, RecursionError):
        return None
    if not isinstance(pairs, list):
        return None
    for pair in pairs:
        if isinstance(pair, tuple) and isinstance(pair[1], float) and not isfinite(pair[1]):
            return quote(pair[0]) if pair[0] not in CustomerEvent.__struct_fields__ else pair[0]
    return None
