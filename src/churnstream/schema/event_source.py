"""Where a customer is inside the events of somebody else's topic."""

import re
from collections.abc import Iterator
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

Preset = Literal["debezium", "cloudevents"]
Format = Literal["json", "json-schema", "avro", "protobuf"]
TimeFormat = Literal["rfc3339", "local", "epoch-seconds", "epoch-millis", "epoch-micros"]

RECORD_TIME = "record"
"""As `time`: the record's own timestamp."""

ID_AS_KEY, ANY_KEY = "id", "any"
PRESETS = ("debezium", "cloudevents")

_NAMED_FORMATS = ("avro", "protobuf")  # whose names are letters, digits and underscores
_NO_NAME = re.compile(r"[^A-Za-z0-9_]")
_SEPARATORS = re.compile(r"[\W_]+")
_PATH = re.compile(r"[^.\"\\\x00-\x1f]+(\.[^.\"\\\x00-\x1f]+)*")


class EventSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How to find a customer in an event. A path is names with dots between, from outside inwards.

    Attributes:
        format: Of the values, and of keys that are no plain text; all but `json` in the framing of
            a schema registry.
        envelope: The path of the object that holds the fields, or a preset: `debezium` (the row
            after a change, with and without `schema` and `payload`), `cloudevents` (`data`, in
            structured or binary mode).
        names: By field, id or label, its path within that object, where it is not its name; in
            Avro and Protobuf, not its `registered_name`.
        time: The path of the event's time from the outermost object; `record` for the record's
            timestamp. None: `event_ts` beside the fields, or what the preset has.
        time_format: How it is written; `local` is a time without zone, in `zone`.
        zone: The zone of times without one, as `Europe/Berlin`.
        decimal: The decimal sign of numbers that are texts, which are then read as those of a file,
            units included. None: they are written as in JSON.
        thousands: What stands between the thousands of such numbers.
        key: `id` if the record's key must be the customer's id, or an object that has it under its
            name; `any` if it does not matter; or the path of the id in a key that is an object.
        only: By path from the outermost object the values that an event must have there; others
            are passed over.
        tombstones: What becomes of records without a value; Debezium's are always passed over.
    """

    format: Format = "json"
    envelope: str | None = None
    names: dict[str, str] = {}
    time: str | None = None
    time_format: TimeFormat = "rfc3339"
    zone: str = "UTC"
    decimal: Literal[".", ","] | None = None
    thousands: Literal["", ".", ",", " ", "'"] = ""
    key: str = ID_AS_KEY
    only: dict[str, str | tuple[str, ...]] = {}
    tombstones: Literal["reject", "pass-over"] = "reject"

    @property
    def elsewhere(self) -> str | None:
        """A key by which events are not as our own producer writes them; None if they are."""
        keys = {
            "envelope": self.envelope is not None,
            "names": bool(self.names),
            "time": self.time not in (None, RECORD_TIME),
            "time_format": self.time_format.startswith("epoch"),
            "key": self.key not in (ID_AS_KEY, ANY_KEY),
            "only": bool(self.only),
        }
        return next((key for key, is_other in keys.items() if is_other), None)

    def path_to(self, name: str) -> tuple[str, ...]:
        """Where a field, the id or the label is within the object that holds the fields."""
        if name in self.names:
            return tuple(self.names[name].split("."))
        return (registered_name(name) if self.format in _NAMED_FORMATS else name,)

    @property
    def numbers_are_written(self) -> bool:
        """Whether numbers that are texts are written as people do, and not as in JSON."""
        return bool(self.decimal or self.thousands)

    @property
    def passes_over(self) -> bool:
        """Whether some records have no customer by rule, and are no fault."""
        return bool(self.only) or self.passes_over_tombstones

    @property
    def passes_over_tombstones(self) -> bool:
        """Whether records without a value are no fault."""
        return self.envelope == "debezium" or self.tombstones == "pass-over"


def registered_name(name: str) -> str:
    """A name that Avro and Protobuf take: other characters than theirs become underscores."""
    found = _NO_NAME.sub("_", name)
    return found if not found[:1].isdigit() else f"_{found}"


def plain_name(name: str) -> str:
    """A name as those that differ only in case and separators have it: HasCard, has_card."""
    return _SEPARATORS.sub("", name).casefold()


def faults_of_source(source: EventSource, known: set[str]) -> Iterator[tuple[str, str]]:
    """What cannot be: the key, and what is wrong with it.

    Args:
        known: The fields, the id and the label.
    """
    for field, path in source.names.items():
        if field not in known:
            yield "names", f"{field} is no field, nor the id or label"
        elif not _PATH.fullmatch(path):
            yield "names", f"{path!r} is no path; write names with dots between them"
    for key in ("envelope", "time", "key"):
        path = getattr(source, key)
        if path is not None and not _PATH.fullmatch(path):
            yield key, f"{path!r} is no path; write names with dots between them"
    for path in source.only:
        if not _PATH.fullmatch(path):
            yield "only", f"{path!r} is no path; write names with dots between them"
    if source.thousands and source.thousands == (source.decimal or "."):
        yield "thousands", f"{source.thousands!r} is the decimal sign, too; say which: decimal"
    try:
        ZoneInfo(source.zone)
    except (KeyError, ValueError, OSError):
        yield "zone", f"{source.zone!r} is no time zone; write one as Europe/Berlin"
